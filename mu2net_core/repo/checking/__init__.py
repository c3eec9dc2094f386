"""fsck: every object read, every edge followed, what is damaged named and restored."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
