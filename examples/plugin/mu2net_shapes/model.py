"""Models of outlines: a kind of layer, the family that stands two of them in a row, and a preset to begin with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jax.numpy as jnp
import numpy as np
from flax import linen as nn

from mu2net_core.nn import ArchitectureFamily, Head, InputSpec, LayerSpec, ModuleKind, by_name
from mu2net_core.objects import Architecture, Hyperparameter
from mu2net_core.presets import Preset, TrainingConfig
from mu2net_core.search import SearchSpace


class Curve(ModuleKind):
    """A product [inputs] to [width], and tanh of it."""

    name = "curve"

    def takes(self, spec: LayerSpec) -> tuple[int, ...]:
        return (spec.size("inputs"),)

    def gives(self, spec: LayerSpec) -> tuple[int, ...]:
        return (spec.size("width"),)

    def module(self, spec: LayerSpec, *, dtype: jnp.dtype, first_only: bool) -> nn.Module:
        del first_only
        return nn.Sequential([nn.Dense(spec.size("width"), dtype=dtype), nn.tanh])

    def draw(self, name: str, shape: tuple[int, ...], rng: np.random.Generator, *, identity: bool) -> np.ndarray:
        del name, identity
        return rng.standard_normal(shape) / np.sqrt(shape[0]) if len(shape) > 1 else np.zeros(shape)

    def flops(self, spec: LayerSpec, *, first_only: bool = False) -> int:
        del first_only
        return 2 * spec.size("inputs") * spec.size("width")


class OutlineFamily(ArchitectureFamily):
    """Config: ``points`` of an outline, ``width``."""

    name = "outline"
    kinds = by_name(Curve(), Head())
    head = "head"
    always_trainable = frozenset({"head"})

    def layers(
        self, config: Mapping[str, Any], hyperparameters: Mapping[str, Hyperparameter], num_outputs: int
    ) -> tuple[LayerSpec, ...]:
        del hyperparameters  # all models are alike
        points, width = int(config["points"]), int(config["width"])
        return (
            LayerSpec.of("below", "curve", inputs=points, width=width),
            LayerSpec.of("above", "curve", inputs=width, width=width),
            Head.spec(width=width, num_outputs=num_outputs),
        )

    def input(self, config: Mapping[str, Any], hyperparameters: Mapping[str, Hyperparameter]) -> InputSpec:
        del hyperparameters
        return InputSpec(kind="outline", shape=(int(config["points"]),), dtype="float32")


_CHOICES: Mapping[str, tuple[Hyperparameter, ...]] = {
    "mu": (0.1, 0.2),
    "learning_rate": (0.01, 0.02, 0.05, 0.1, 0.2),
    "warmup_ratio": (0.0, 0.1),
    "momentum": (0.5, 0.9),
    "nesterov": (False, True),
}
OUTLINES = Preset(
    name="outlines",
    summary="Two layers for the outlines of shapes.",
    architecture=Architecture(name="outline", config={"points": 16, "width": 32}),
    space=SearchSpace(values=_CHOICES, defaults={name: values[-1] for name, values in _CHOICES.items()}),
    training=TrainingConfig(generations=2, children=4, batch_size=32),
)
