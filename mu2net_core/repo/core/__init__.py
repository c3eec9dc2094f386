"""What a repository is made of: objects by id, refs, tombstones, snapshots, settings."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
