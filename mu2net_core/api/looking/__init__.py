"""Verbs that only look: tasks, status, log, reflog, show, leaderboard, ancestry."""
