"""mu2net: git for a living, shared machine-learning system.

    import mu2net_core as m

    repo = m.open("chars")
    labels = repo.model("cmaterdb/bangla").predict(images)

Importing this costs next to nothing: the names below are found when they are first used, and none of them imports
jax, flax, zarr or tensorflow_datasets before a verb needs it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mu2net_core.version import __version__

if TYPE_CHECKING:
    from mu2net_core.api.facade import Repo, clone, init, open  # noqa: A004  reads as mu2net_core.open

__all__ = ["Repo", "__version__", "clone", "init", "open"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from mu2net_core.api import facade

    return getattr(facade, name)
