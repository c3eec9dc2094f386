"""The layer that a task brings: from what the model knows of an example to the task's outputs."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
from flax import linen as nn

from mu2net_core.nn.module_kind import ZEROS, ModuleKind
from mu2net_core.nn.spec import LayerSpec

__all__ = ["Head"]

_OUTPUTS = "classes"  # the number of outputs, as every stored head calls it

_ROOM = 16
"""Outputs that slots have room for; more take the next power of two."""

_NEVER = -1e9
"""The output of a class that is not there: its probability is zero, and so is every gradient of it."""


class Head(ModuleKind):
    """A product [D] to [outputs]; sizes: ``width``, and the number of outputs. All zeros give no opinion."""

    name = "head"
    joined = "below"
    in_float32 = True

    @classmethod
    def spec(cls, *, width: int, num_outputs: int) -> LayerSpec:
        """Returns a head of that name."""
        return LayerSpec.of(cls.name, cls.name, width=width, classes=num_outputs)

    def takes(self, spec: LayerSpec) -> tuple[int, ...]:
        """Returns [D]."""
        return (spec.size("width"),)

    def gives(self, spec: LayerSpec) -> tuple[int, ...]:
        """Returns [outputs]."""
        return (spec.size(_OUTPUTS),)

    def module(self, spec: LayerSpec, *, dtype: jnp.dtype, first_only: bool) -> nn.Module:
        """Returns a dense product."""
        del dtype, first_only
        return nn.Dense(spec.size(_OUTPUTS), kernel_init=ZEROS)

    def draw(
        self, name: str, shape: tuple[int, ...], rng: np.random.Generator, *, identity: bool
    ) -> np.ndarray | float:
        """Returns zero."""
        del name, shape, rng, identity
        return 0.0

    def roomy(self, spec: LayerSpec) -> LayerSpec:
        """Returns a head of more outputs: room for tasks of more classes, whose objective ignores absent ones."""
        return spec.enlarged(_OUTPUTS, _ROOM)

    def padding(self, spec: LayerSpec, array: str) -> float:
        """Returns zero, and a bias so low that nothing is ever said to be of a class that is not there."""
        del spec
        return _NEVER if array == "bias" else 0.0

    def flops(self, spec: LayerSpec, *, first_only: bool = False) -> int:
        """Returns those of one product."""
        del first_only
        return 2 * spec.size("width") * spec.size(_OUTPUTS)
