"""From values to a terminal, a pipe or JSON."""
