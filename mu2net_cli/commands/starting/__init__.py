"""init, clone, demo and help."""
