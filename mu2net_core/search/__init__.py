"""Pure decisions: who becomes a parent, what is mutated, what was tried. No line here sees an array."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
