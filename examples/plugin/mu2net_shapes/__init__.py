"""A plug-in of mu2net: pictures to learn from, a formula for the score, a search method that learns from failures."""
