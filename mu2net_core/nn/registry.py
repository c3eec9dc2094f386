"""Architecture families by name; other packages add one through the entry point group ``mu2net.architectures``."""

from __future__ import annotations

from functools import cache
from importlib.metadata import entry_points

from mu2net_core.errors import NotFoundError
from mu2net_core.nn.architecture import ArchitectureFamily
from mu2net_core.nn.vit import VisionTransformer

__all__ = ["family_named"]

_GROUP = "mu2net.architectures"


@cache
def family_named(name: str) -> ArchitectureFamily:
    """Returns the family called ``name``, one object per process.

    Raises:
        NotFoundError: no installed package offers it.
    """
    if name == VisionTransformer.name:
        return VisionTransformer()
    for entry in entry_points(group=_GROUP, name=name):
        family: ArchitectureFamily = entry.load()()
        return family
    raise NotFoundError(f"No architecture {name!r} is installed.", hint="Install the package that offers it.")
