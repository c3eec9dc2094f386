"""People who share, and what must be true of their repositories at any moment."""
