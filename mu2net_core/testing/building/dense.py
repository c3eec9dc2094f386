"""A family of models that compile fast, and its kinds of layers: small enough to read, and no Flax in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import isqrt
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from mu2net_core.errors import InvalidInputError
from mu2net_core.nn import (
    ArchitectureFamily,
    Arrays,
    InputSpec,
    LayerKind,
    LayerSpec,
    Params,
    Precision,
    Shapes,
    Vocabulary,
    by_name,
)
from mu2net_core.objects import Hyperparameter

__all__ = ["DenseFamily"]


class _Dense(LayerKind):
    """A product of ``inputs`` and a kernel: ``outputs`` numbers."""

    name = "head"
    in_float32 = True
    _std = 0.0

    def takes(self, spec: LayerSpec) -> tuple[int, ...]:
        """Returns [inputs]."""
        return (spec.size("inputs"),)

    def gives(self, spec: LayerSpec) -> tuple[int, ...]:
        """Returns [outputs]."""
        return (spec.size("outputs"),)

    def shapes(self, spec: LayerSpec) -> Shapes:
        """Returns those of a kernel and a bias."""
        outputs = spec.size("outputs")
        return {"kernel": ((spec.size("inputs"), outputs), "float32"), "bias": ((outputs,), "float32")}

    def init(self, spec: LayerSpec, rng: np.random.Generator, *, identity: bool = False) -> Arrays:
        """Returns a random kernel; zeros for a head and for what passes on what it gets."""
        shapes = {name: shape for name, (shape, _) in self.shapes(spec).items()}
        kernel = ((0.0 if identity else self._std) * rng.standard_normal(shapes["kernel"])).astype(np.float32)
        return {"kernel": kernel, "bias": np.zeros(shapes["bias"], np.float32)}

    def adapted(self, spec: LayerSpec, arrays: Arrays, rng: np.random.Generator) -> Arrays:
        """Returns arrays of the same size; no layer here has another."""
        del rng
        if {name: array.shape for name, array in arrays.items()} != {n: s for n, (s, _) in self.shapes(spec).items()}:
            raise InvalidInputError(f"{spec.name} cannot be made to fit.")
        return arrays

    def apply(
        self, spec: LayerSpec, params: Params, x: jax.Array, *, dtype: jnp.dtype, first_only: bool = False
    ) -> jax.Array:
        """Returns the product in float32, whatever ``dtype`` is."""
        del spec, dtype, first_only
        return x.reshape(x.shape[0], -1) @ params["kernel"] + params["bias"]

    def flops(self, spec: LayerSpec, *, first_only: bool = False) -> int:
        """Returns those of the product."""
        del first_only
        return 2 * spec.size("inputs") * spec.size("outputs")


class _Pixels(_Dense):
    """The same of a flattened image."""

    name = "dense"
    takes_dtype = "uint8"
    _std = 0.5

    def takes(self, spec: LayerSpec) -> tuple[int, ...]:
        """Returns [H, W, 3]."""
        side = isqrt(spec.size("inputs") // 3)
        return (side, side, 3)

    def apply(
        self, spec: LayerSpec, params: Params, x: jax.Array, *, dtype: jnp.dtype, first_only: bool = False
    ) -> jax.Array:
        """Returns the product of numbers from -1 to 1; floating-point images are such already."""
        numbers = x.astype(jnp.float32) / 127.5 - 1.0 if x.dtype == jnp.uint8 else x
        return super().apply(spec, params, numbers, dtype=dtype, first_only=first_only)


class _Block(_Dense):
    """Adds a bounded product."""

    name = "block"
    is_residual = True
    _std = 0.5

    def apply(
        self, spec: LayerSpec, params: Params, x: jax.Array, *, dtype: jnp.dtype, first_only: bool = False
    ) -> jax.Array:
        """Returns ``x`` and the product's tanh."""
        return x + jnp.tanh(super().apply(spec, params, x, dtype=dtype, first_only=first_only))


class _Norm(_Dense):
    """Scales every number."""

    name = "norm"

    def shapes(self, spec: LayerSpec) -> Shapes:
        """Returns that of the scale."""
        return {"scale": (self.takes(spec), "float32")}

    def init(self, spec: LayerSpec, rng: np.random.Generator, *, identity: bool = False) -> Arrays:
        """Returns ones."""
        del rng, identity
        return {"scale": np.ones(self.takes(spec), np.float32)}

    def apply(
        self, spec: LayerSpec, params: Params, x: jax.Array, *, dtype: jnp.dtype, first_only: bool = False
    ) -> jax.Array:
        """Returns the scaled numbers."""
        del spec, dtype, first_only
        return x * params["scale"]

    def flops(self, spec: LayerSpec, *, first_only: bool = False) -> int:
        """Returns 0: it has no dense product."""
        del spec, first_only
        return 0


class DenseFamily(ArchitectureFamily):
    """Flattened images through ``embedding``, ``num_layers`` residual ``block_k``, ``norm`` and ``head``.

    It can be cut before every layer, and keeps the rows it was asked to run in ``applied``.
    """

    name = "dense"
    kinds = by_name(_Pixels(), _Block(), _Norm(), _Dense())
    head = "head"
    always_trainable = frozenset({"norm", "head"})
    vocabulary = Vocabulary(depth="num_layers")

    def __init__(self) -> None:
        """Makes a family that has run nothing yet."""
        self.applied: list[tuple[str, ...]] = []

    def layers(
        self, config: Mapping[str, Any], hyperparameters: Mapping[str, Hyperparameter], num_outputs: int
    ) -> tuple[LayerSpec, ...]:
        """Returns embedding, blocks, norm and head."""
        width = int(config["width"])
        blocks = range(int(hyperparameters["num_layers"]))
        return (
            LayerSpec.of("embedding", "dense", inputs=3 * int(config["image"]) ** 2, outputs=width),
            *(LayerSpec.of(f"block_{k}", "block", inputs=width, outputs=width) for k in blocks),
            LayerSpec.of("norm", "norm", inputs=width, outputs=width),
            LayerSpec.of("head", "head", inputs=width, outputs=num_outputs),
        )

    def input(self, config: Mapping[str, Any], hyperparameters: Mapping[str, Hyperparameter]) -> InputSpec:
        """Returns images of one size."""
        del hyperparameters
        return InputSpec.image(int(config["image"]))

    def added(self, mutation: str, hyperparameters: Mapping[str, Hyperparameter]) -> str | None:
        """Returns the top block for ``grow:block``."""
        return f"block_{int(hyperparameters['num_layers']) - 1}" if mutation == "grow:block" else None

    def apply(
        self,
        specs: Sequence[LayerSpec],
        params: Sequence[Params],
        x: jax.Array,
        *,
        above: Sequence[LayerSpec] = (),
        precision: Precision = "float32",
        present: jax.Array | None = None,
    ) -> jax.Array:
        """Returns what the layers make of ``x``, and notes which were asked for."""
        self.applied.append(tuple(spec.kind for spec in specs))
        return super().apply(specs, params, x, above=above, precision=precision, present=present)
