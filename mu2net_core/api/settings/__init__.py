"""The preset in force, the layers of settings that make it, and how much is accepted from others."""
