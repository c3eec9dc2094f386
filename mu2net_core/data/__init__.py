"""Data sets: where they come from, how they are split, and their examples as arrays.

Heavy libraries (tensorflow_datasets, scikit-learn) are imported by the source that needs them, when it is opened;
grain, which imports jax, by a stream's first use.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
