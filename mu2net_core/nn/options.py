"""How a model computes where published ones differ: which gelu, which epsilon, what its outputs are read from.

They are part of an architecture's config and of the layers' specs, so that a stored model computes for ever what it was
trained for. What is usual stands nowhere.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from math import isfinite
from typing import Any

import jax
from flax import linen as nn

from mu2net_core.errors import InvalidInputError
from mu2net_core.nn.module_kind import EPSILON
from mu2net_core.nn.spec import LayerSpec

__all__ = ["OPTIONS", "PUBLISHED", "epsilon_of", "gelu_of", "options_of"]

_QUICK = 1.702
_LARGEST_EPSILON = 0.01


def _quick_gelu(x: jax.Array) -> jax.Array:
    return x * jax.nn.sigmoid(_QUICK * x)


_GELUS: Mapping[str, Callable[[jax.Array], jax.Array]] = {
    "tanh": nn.gelu,
    "erf": partial(nn.gelu, approximate=False),
    "quick": _quick_gelu,
}
"""The usual approximation, the function itself, and the sigmoid that some models have in its place."""

OPTIONS: Mapping[str, tuple[str, ...]] = {"gelu": tuple(_GELUS), "epsilon": (), "pooling": ("first", "mean")}
"""By name: the values that an option can have, the usual one first; any number above 0 of ``epsilon``."""

PUBLISHED = frozenset({*OPTIONS, "tokenizer", "tokenizer_bytes", "vocabulary", "positions"})
"""What of an architecture's config a published model brings: models that differ in it alone are of one preset."""


def options_of(config: Mapping[str, Any]) -> dict[str, str | float]:
    """Returns the options that an architecture's config says, without those that are as usual.

    Raises:
        InvalidInputError: one has a value that it cannot have.
    """
    found = {name: config[name] for name in OPTIONS if name in config}
    for name, value in found.items():
        _check(name, value)
    usual = {name: values[0] if values else EPSILON for name, values in OPTIONS.items()}
    return {name: value for name, value in found.items() if value != usual[name]}


def gelu_of(spec: LayerSpec) -> Callable[[jax.Array], jax.Array]:
    """Returns the gelu of a layer."""
    return _GELUS[spec.option("gelu", "tanh")]


def epsilon_of(spec: LayerSpec) -> float:
    """Returns what a layer adds to variances."""
    return float(spec.option("epsilon", EPSILON))


def _check(name: str, value: object) -> None:
    if name == "epsilon":
        expected = f"a number above 0, at most {_LARGEST_EPSILON}"
        right = isinstance(value, float) and isfinite(value) and 0 < value <= _LARGEST_EPSILON
    else:
        expected, right = " or ".join(OPTIONS[name]), value in OPTIONS[name]
    if not right:
        raise InvalidInputError(f"architecture: {name}: expected {expected}, got {str(value)[:80]}.")
