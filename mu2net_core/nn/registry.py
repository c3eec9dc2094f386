"""Architecture families by name; other packages add one through the entry point group ``mu2net.architectures``."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

from mu2net_core.nn.architecture import ArchitectureFamily
from mu2net_core.plugins import Registry

__all__ = ["FAMILIES", "family_named"]

FAMILIES: Registry[Callable[[], ArchitectureFamily]] = Registry(
    group="mu2net.architectures",
    what="architecture",
    shipped={"convnet": "mu2net_core.nn.convnet:ConvNet", "vit": "mu2net_core.nn.vit:VisionTransformer"},
    offers=("__call__",),
)
"""What makes each family there is."""


@cache
def family_named(name: str) -> ArchitectureFamily:
    """Returns the family called ``name``, one object per process.

    Raises:
        PluginError: no installed package offers it, or it cannot be imported.
    """
    return FAMILIES.load(name)()
