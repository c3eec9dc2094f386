"""Object stores and networks on this machine, and what goes wrong with them."""
