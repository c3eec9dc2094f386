"""What a model's outputs are worth: losses to train by, qualities to compare by. See README.md."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
