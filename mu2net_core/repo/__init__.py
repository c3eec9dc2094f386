"""A repository: objects by id, heads, tags and roots, settings; and everything that keeps them whole."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
