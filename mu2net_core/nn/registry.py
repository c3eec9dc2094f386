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
    shipped={
        "bert": "mu2net_core.nn.bert:Bert",
        "bytes": "mu2net_core.nn.byte_transformer:ByteTransformer",
        "convnet": "mu2net_core.nn.convnet:ConvNet",
        "curves": "mu2net_core.nn.table_transformer:Curves",
        "table": "mu2net_core.nn.table_transformer:TableTransformer",
        "vit": "mu2net_core.nn.vit:VisionTransformer",
    },
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
