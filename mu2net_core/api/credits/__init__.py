"""Who contributed what: people by their keys, names by a mailmap, and the verb that counts."""
