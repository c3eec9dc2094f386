"""Other repositories, and what is known of them: where they are, what was seen there, who reads there."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
