"""Computation: compiled training, generations, iterations. No line here sees a path or a URL."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
