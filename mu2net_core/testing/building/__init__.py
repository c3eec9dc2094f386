"""Small valid repositories, systems and checkpoints."""
