"""A component to one deterministic ``.zarr.zip`` and back: the only room that knows Zarr's format.

``component`` has the whole of it, ``root`` what is told of it without its arrays (and without NumPy).
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
