"""Architectures: what a model computes. Nothing here knows of repositories, tasks or evolution."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
