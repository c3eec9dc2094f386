"""What evolve shows while it runs."""
