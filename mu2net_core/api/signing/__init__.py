"""Keys, signatures, whom one trusts, and the verb that checks them."""
