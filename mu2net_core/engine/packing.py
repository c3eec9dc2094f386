"""Layers as two vectors each, one of all arrays whose weights decay and one of all others.

An optimizer does the same to every number, so that a step of few long arrays is what one of many short ones is, and
takes a third of the time to compile.
"""

from __future__ import annotations

from collections.abc import Callable
from math import prod

import jax.numpy as jnp

from mu2net_core.engine.optimizer import Moments, Remembered, decays
from mu2net_core.nn import Params

__all__ = ["pack", "pack_remembered", "unpack", "unpack_remembered"]

Layer = Params
Vectors = Params
"""By ``kernel`` and ``others``."""


def pack(layer: Layer) -> Vectors:
    """Returns a layer's arrays as vectors; empty ones are left out."""
    parts = {"kernel": _names(layer, decay=True), "others": _names(layer, decay=False)}
    return {
        part: jnp.concatenate([layer[name].reshape(-1) for name in names]) for part, names in parts.items() if names
    }


def unpack(vectors: Vectors, like: Layer) -> Layer:
    """Returns the arrays of ``vectors``, of the shapes of those of ``like``."""
    found = {}
    for part, decay in (("kernel", True), ("others", False)):
        begin = 0
        for name in _names(like, decay=decay):
            size = prod(like[name].shape)
            found[name] = vectors[part][begin : begin + size].reshape(like[name].shape)
            begin += size
    return {name: found[name] for name in like}


def pack_remembered(remembered: Remembered) -> Remembered:
    """Returns likewise what an optimizer remembers of a layer."""
    return _each(remembered, pack)


def unpack_remembered(vectors: Remembered, like: Layer) -> Remembered:
    """Returns what an optimizer remembers of a layer with the arrays of ``like``."""
    return _each(vectors, lambda part: unpack(part, like))


def _each(remembered: Remembered, change: Callable[[Params], Params]) -> Remembered:
    if not isinstance(remembered, Moments):
        return change(remembered)
    return Moments(first=change(remembered.first), second=change(remembered.second), corrections=remembered.corrections)


def _names(layer: Layer, *, decay: bool) -> list[str]:
    return [name for name in sorted(layer) if decays(name) is decay]
