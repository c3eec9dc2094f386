"""mu2net: git for a living, shared machine-learning system.

    import mu2net_core as m

    repo = m.open("chars")
    labels = repo.model("cmaterdb/bangla").predict(images)

Importing this costs next to nothing: all but the errors is found when it is first used, and none of it imports jax,
flax, zarr or tensorflow_datasets before a verb needs it. docs/python.md describes what is here.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
