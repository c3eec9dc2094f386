"""Iterations that are under way or were interrupted."""
