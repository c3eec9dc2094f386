"""What families of blocks and adapters share: the specs of these, and what their sizes may grow to."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from mu2net_core.nn.sizes import Sizes
from mu2net_core.nn.spec import LayerSpec

__all__ = ["LEAST_DIM", "MOST_GROWTH", "adapter", "adapter_slots", "encoder_block"]

LEAST_DIM = 32
"""The width of an adapter where nothing is said."""

MOST_GROWTH = 4
"""A block's MLP and its heads grow to this multiple of what the architecture says, no further."""

_MOST_DIM, _NARROW = 4, 128
"""An adapter is at most ``_MOST_DIM`` times the width, or ``_NARROW`` where that is more."""


def encoder_block(k: int, heads: int, mlp: int, tokens: int, sizes: Sizes) -> LayerSpec:
    """Returns the encoder block at place ``k``, whose heads are as wide as the architecture's, however many."""
    width, plain = sizes.fixed("width"), sizes.fixed("heads")
    more = {} if heads == plain else {"head_dim": width // plain}
    flow = {"tokens": tokens}
    return LayerSpec.of(f"encoderblock_{k}", "encoder_block", flow=flow, heads=heads, mlp=mlp, width=width, **more)


def adapter(name: str, block: LayerSpec, sizes: Sizes) -> list[LayerSpec]:
    """Returns the adapter before ``block``, as wide as the hyperparameter of its name says.

    None if there is no such hyperparameter.
    """
    if name not in sizes.own:
        return []
    width = block.size("width")
    return [_adapter(name, sizes.chosen(name, most=_MOST_DIM * max(width, _NARROW)), block)]


def adapter_slots(specs: Sequence[LayerSpec], name: Callable[[LayerSpec], str | None]) -> list[LayerSpec]:
    """Returns ``specs`` with an adapter before each that has a ``name`` for one, and none yet."""
    filled: list[LayerSpec] = []
    for spec, before in zip(specs, (None, *specs), strict=False):
        called = name(spec)
        if called is not None and (before is None or before.kind != "adapter"):
            filled.append(_adapter(called, LEAST_DIM, spec))
        filled.append(spec)
    return filled


def _adapter(name: str, dim: int, block: LayerSpec) -> LayerSpec:
    return LayerSpec.of(name, "adapter", flow={"tokens": block.size("tokens")}, dim=dim, width=block.size("width"))
