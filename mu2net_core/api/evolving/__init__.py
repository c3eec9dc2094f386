"""evolve and replay, and what they tell while they run."""
