"""The version of mu2net and of its repository format."""

__version__ = "0.1.0"

FORMAT = 1
"""Major version of the repository format (docs/format.md). Readers refuse any other."""
