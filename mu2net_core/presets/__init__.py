"""Presets: a root model's sizes, how children are trained, and the search space; and changing their numbers."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
