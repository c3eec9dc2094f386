"""eval, replay, predict."""
