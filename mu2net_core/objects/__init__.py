"""Pure values and their canonical bytes. Nothing here touches a disk, a network, a clock or a device."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
