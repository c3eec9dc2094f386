"""Bytes by key. One primitive everywhere: put if absent, with read-back; nothing is ever changed."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
