"""What must stay, and deleting the rest: gc, purges, what is set aside for a while."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
