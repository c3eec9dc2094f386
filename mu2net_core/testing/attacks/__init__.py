"""Whoever may write, and what he tries."""
