"""Verbs that meet another repository."""
