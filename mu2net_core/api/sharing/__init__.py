"""Verbs that meet another repository: clone, fetch, pull, push, merge, remote, tag, purge."""
