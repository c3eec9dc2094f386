"""Fetch, pull and push: what arrives is judged before it is kept, what leaves before it is sent."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
