"""What the manifests tell: where layers come from, which task taught them, how tasks compare. Pure functions."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
