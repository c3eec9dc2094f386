"""init, config and doctor."""
