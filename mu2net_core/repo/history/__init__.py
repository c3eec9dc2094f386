"""What refs and commits say: the system at one moment, names of moments, merges, what honest work can be."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
