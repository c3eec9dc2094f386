"""Verbs that change tasks: add-task, rm-task, reset."""
