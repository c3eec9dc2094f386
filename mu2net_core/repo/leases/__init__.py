"""Who works on what: leases that agents take on tasks, where others look before they take one."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
