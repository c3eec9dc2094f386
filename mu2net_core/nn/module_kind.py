"""Kinds of layers that are computed by a Flax module.

Linen, not NNX: a component here is a value (a dict of arrays) that the engine clones, freezes and stores; Linen's
``init``/``apply`` are already functions over such values, while NNX would wrap them in mutable module objects only to
be split again at every boundary. What layers begin with is drawn by NumPy on the host, not by the module: no program is
compiled for a beginning, and it is the same whatever the device is.
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import replace
from functools import cache, partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn
from flax.traverse_util import flatten_dict, unflatten_dict

from mu2net_core.errors import InvalidInputError
from mu2net_core.nn.kind import LayerKind
from mu2net_core.nn.spec import Arrays, LayerSpec, Params, Shapes

__all__ = ["EPSILON", "ZEROS", "IndexKind", "ModuleKind", "TokenKind"]

EPSILON = 1e-6
"""Of layer normalisations."""

ZEROS = nn.initializers.zeros
"""What modules say their parameters begin with; nobody asks them."""


class ModuleKind(LayerKind):
    """A kind whose shapes and computation are those of a Flax module; ``draw`` says what its arrays begin with."""

    last: tuple[str, ...] = ()
    """Names of what a residual layer multiplies last: while it is zero, the layer adds nothing."""

    @abstractmethod
    def module(self, spec: LayerSpec, *, dtype: jnp.dtype, first_only: bool) -> nn.Module:
        """Returns the module that computes a layer."""

    @abstractmethod
    def draw(
        self, name: str, shape: tuple[int, ...], rng: np.random.Generator, *, identity: bool
    ) -> np.ndarray | float:
        """Returns what one array begins with: numbers, or one number for all of it."""

    def received(self, x: jax.Array, dtype: jnp.dtype) -> jax.Array:
        """Returns what the module gets of what the layer took."""
        return x.astype(dtype)

    def shapes(self, spec: LayerSpec) -> Shapes:
        """Returns the shapes of the module's parameters."""
        return _shapes(self, replace(spec, name=self.name))

    def init(self, spec: LayerSpec, rng: np.random.Generator, *, identity: bool = False) -> Arrays:
        """Returns first parameters, drawn in the order of their names."""
        drawn = sorted(self.shapes(spec).items())
        return {
            name: np.full(shape, self.draw(name, shape, rng, identity=identity), np.float32)
            for name, (shape, _) in drawn
        }

    def adapted(self, spec: LayerSpec, arrays: Arrays, rng: np.random.Generator) -> Arrays:
        """Returns ``arrays`` in larger shapes: what is new is drawn, and what multiplies it last is zero.

        So a wider MLP and further attention heads leave what a block computes as it was (Net2Net, Chen et al., 2016).

        Raises:
            InvalidInputError: an array is larger than it should become.
        """
        start = self.init(spec, rng)
        return {
            name: _enlarged(name, arrays[name], np.zeros_like(new) if name in self.last else new)
            for name, new in start.items()
        }

    def apply(
        self, spec: LayerSpec, params: Params, x: jax.Array, *, dtype: jnp.dtype, first_only: bool = False
    ) -> jax.Array:
        """Returns what the module makes of ``x``."""
        variables = {"params": unflatten_dict(dict(params), sep="/")}
        module = self.module(spec, dtype=dtype, first_only=first_only)
        return jnp.asarray(module.apply(variables, self.received(x, dtype)))


class TokenKind(ModuleKind):
    """A kind that takes tokens, as many as pass and of the size ``width``, and returns as many unless it says else."""

    def takes(self, spec: LayerSpec) -> tuple[int, ...]:
        """Returns [T, D]."""
        return (spec.size("tokens"), spec.size("width"))

    def gives(self, spec: LayerSpec) -> tuple[int, ...]:
        """Returns [T, D]."""
        return self.takes(spec)

    def shapes(self, spec: LayerSpec) -> Shapes:
        """Returns the shapes of the module's parameters, found once for any number of tokens that pass."""
        return super().shapes(replace(spec, flow=tuple((name, 1) for name, _ in spec.flow)))


class IndexKind(ModuleKind):
    """A kind that takes whole numbers, as many as ``tokens`` pass unless it says else, and makes tokens of them."""

    takes_dtype = "int32"

    def takes(self, spec: LayerSpec) -> tuple[int, ...]:
        """Returns [T]."""
        return (spec.size("tokens"),)

    def gives(self, spec: LayerSpec) -> tuple[int, ...]:
        """Returns [T, D]."""
        return (spec.size("tokens"), spec.size("width"))

    def received(self, x: jax.Array, dtype: jnp.dtype) -> jax.Array:
        """Returns whole numbers, whatever ``dtype`` is: they say which rows of a table are meant."""
        del dtype
        return x.astype(jnp.int32)


def _enlarged(name: str, old: np.ndarray, room: np.ndarray) -> np.ndarray:
    """Returns ``room`` with ``old`` at the beginning of every axis."""
    if any(size > most for size, most in zip(old.shape, room.shape, strict=True)):
        raise InvalidInputError(f"{name} {old.shape} does not fit into {room.shape}: layers never shrink.")
    grown = room.copy()
    grown[tuple(slice(0, size) for size in old.shape)] = old
    return grown


@cache
def _shapes(kind: ModuleKind, spec: LayerSpec) -> Shapes:
    module = kind.module(spec, dtype=jnp.dtype("float32"), first_only=False)

    def init(key: jax.Array, example: jax.Array) -> Any:
        return module.init(key, kind.received(example, jnp.dtype("float32")))["params"]

    key = jax.eval_shape(partial(jax.random.key, 0))  # shapes only: one array would have a program compiled
    made = jax.eval_shape(init, key, jax.ShapeDtypeStruct((1, *kind.takes(spec)), kind.takes_dtype))
    return {name: (tuple(shape.shape), shape.dtype.name) for name, shape in flatten_dict(made, sep="/").items()}
