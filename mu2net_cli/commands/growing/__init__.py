"""Roots and tasks, evolve, reset."""
