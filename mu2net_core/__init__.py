"""mu2net: git for a living, shared machine-learning system."""

from mu2net_core.version import __version__

__all__ = ["__version__"]
