"""SGD and AdamW whose every setting is a run-time value, so that no hyperparameter costs a compilation.

The updates are those of ``optax.sgd(schedule, momentum, nesterov)`` and ``optax.adamw(schedule, b1, b2, weight_decay,
nesterov)`` after ``optax.clip_by_global_norm`` (tested against them); those fix all but the schedule's rate when the
program is built. ``momentum`` is AdamW's b1, and weight decay is decoupled from the gradient under SGD, too.

A program that may train with AdamW keeps ``Moments`` of each layer and serves both; one that never does keeps only the
momentum.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import struct

from mu2net_core.nn import Arrays, Params, Shapes
from mu2net_core.objects import Hyperparameter

__all__ = [
    "ADAMW",
    "SGD",
    "Moments",
    "OptimizerSettings",
    "Remembered",
    "as_stored",
    "decays",
    "learning_rate_at",
    "misshapen",
    "optimizer_of",
    "optimizer_step",
    "recalled",
]

ADAMW, SGD = "adamw", "sgd"
"""Values of the hyperparameter ``optimizer``."""

_EPSILON = 1e-8
"""Of AdamW: keeps what has no gradient from being divided by nothing."""

_MOMENTUM, _FIRST, _SECOND, _CORRECTIONS = "momentum", "first_moment", "second_moment", "corrections"


@struct.dataclass
class Moments:
    """What AdamW remembers of a layer; under SGD ``first`` is the momentum.

    Attributes:
        first: moving averages of the gradients, by array.
        second: of their squares.
        corrections: float32 [2], what share of either is of gradients, and not of the zeros that it began with: 1 - bᵗ
            after t steps with one b. Divided by it an average is unbiased, also where b changed on the way.
    """

    first: Params
    second: Params
    corrections: jax.Array


Remembered = Params | Moments
"""What an optimizer remembers of a layer: its momentum by array, or moments."""


@struct.dataclass
class OptimizerSettings:
    """The optimizer's hyperparameters as float32 scalars, on the host at first.

    ``nesterov`` and ``adaptive`` (AdamW) are 0 or 1; lengths are gradient steps.
    """

    learning_rate: jax.Array
    warmup_steps: jax.Array
    total_steps: jax.Array
    momentum: jax.Array
    nesterov: jax.Array
    adaptive: jax.Array
    beta2: jax.Array
    weight_decay: jax.Array

    @classmethod
    def of(cls, hyperparameters: Mapping[str, Hyperparameter], total_steps: int) -> OptimizerSettings:
        """Returns the settings for a whole child training of ``total_steps``."""
        values = {
            "learning_rate": hyperparameters["learning_rate"],
            "warmup_steps": float(hyperparameters["warmup_ratio"]) * total_steps,
            "total_steps": total_steps,
            "momentum": hyperparameters["momentum"],
            "nesterov": hyperparameters["nesterov"],
            "adaptive": optimizer_of(hyperparameters) == ADAMW,
            "beta2": hyperparameters.get("beta2", 0.999),
            "weight_decay": hyperparameters.get("weight_decay", 0.0),
        }
        return cls(**{name: np.float32(value) for name, value in values.items()})  # type: ignore[arg-type]


def optimizer_of(hyperparameters: Mapping[str, Hyperparameter]) -> str:
    """Returns the optimizer of a model, ``ADAMW`` or ``SGD``, which one has that does not say."""
    return str(hyperparameters.get("optimizer", SGD))


def learning_rate_at(step: jax.Array, settings: OptimizerSettings) -> jax.Array:
    """Returns the rate of gradient step ``step`` (0-based): linear warm-up, then a cosine to zero."""
    done = step.astype(jnp.float32)
    warm = jnp.minimum(1.0, (done + 1.0) / jnp.maximum(settings.warmup_steps, 1.0))
    rest = jnp.maximum(settings.total_steps - settings.warmup_steps, 1.0)
    progress = jnp.clip((done - settings.warmup_steps) / rest, 0.0, 1.0)
    return settings.learning_rate * warm * 0.5 * (1.0 + jnp.cos(jnp.pi * progress))


def optimizer_step(
    row: tuple[Params, ...],
    remembered: tuple[Remembered, ...],
    gradients: tuple[Params, ...],
    rate: jax.Array,
    settings: OptimizerSettings,
    *,
    clip_norm: jax.Array | float,
    trainable: tuple[jax.Array, ...] | None = None,
) -> tuple[tuple[Params, ...], tuple[Remembered, ...]]:
    """Returns parameters, and what the optimizer remembers, after one step.

    Args:
        row: parameters of layers, before the step.
        remembered: of each layer.
        gradients: of the parameters.
        rate: of this step.
        settings: of the optimizer.
        clip_norm: global norm the gradients are clipped to.
        trainable: of each layer; where one is false nothing moves, and no gradient counts. None if all are.
    """
    moves = (None,) * len(row) if trainable is None else trainable
    squares = [_square(layer, on) for layer, on in zip(gradients, moves, strict=True)]
    scale = jnp.minimum(1.0, clip_norm / (jnp.sqrt(sum(squares, start=jnp.float32(0))) + 1e-12))
    layers = [
        _layer_step(*layer, rate, scale, settings) for layer in zip(row, remembered, gradients, moves, strict=True)
    ]
    return tuple(params for params, _ in layers), tuple(after for _, after in layers)


def _square(gradients: Params, moves: jax.Array | None) -> jax.Array:
    """Returns the squared norm of a layer's gradients, 0 if it does not move."""

    def square(gradients: Params) -> jax.Array:
        return sum((jnp.sum(jnp.square(gradient)) for gradient in gradients.values()), start=jnp.float32(0))

    if moves is None:
        return square(gradients)
    squared: jax.Array = jax.lax.cond(moves, square, lambda _gradients: jnp.float32(0), gradients)
    return squared


@jax.jit  # as a function of its own it is traced once for all layers that are alike
def _layer_step(
    params: Params,
    before: Remembered,
    gradients: Params,
    moves: jax.Array | None,
    rate: jax.Array,
    scale: jax.Array,
    settings: OptimizerSettings,
) -> tuple[Params, Remembered]:
    """Returns a layer, and what is remembered of it, after one step with gradients times ``scale``."""

    def step(params: Params, before: Remembered, gradients: Params) -> tuple[Params, Remembered]:
        clipped = {name: gradient * scale for name, gradient in gradients.items()}
        after = _taught(before, clipped, settings)
        updates = _updates(after, clipped, settings)
        moved = {}
        for name, param in params.items():
            update = updates[name] + settings.weight_decay * param if decays(name) else updates[name]
            moved[name] = param - rate * update
        return moved, after

    def stay(params: Params, before: Remembered, gradients: Params) -> tuple[Params, Remembered]:
        del gradients
        return params, before

    if moves is None:
        return step(params, before, gradients)
    stepped: tuple[Params, Remembered] = jax.lax.cond(moves, step, stay, params, before, gradients)
    return stepped


def _taught(before: Remembered, gradients: Params, settings: OptimizerSettings) -> Remembered:
    """Returns what is remembered after ``gradients``."""
    if not isinstance(before, Moments):
        return {name: gradient + settings.momentum * before[name] for name, gradient in gradients.items()}
    decay = jnp.stack([settings.momentum, settings.beta2])
    share = jnp.where(settings.adaptive > 0, 1 - settings.momentum, 1.0)
    return Moments(
        first={name: share * g + settings.momentum * before.first[name] for name, g in gradients.items()},
        second={
            name: (1 - settings.beta2) * jnp.square(g) + settings.beta2 * before.second[name]
            for name, g in gradients.items()
        },
        corrections=decay * before.corrections + (1 - decay),
    )


def _updates(after: Remembered, gradients: Params, settings: OptimizerSettings) -> dict[str, jax.Array]:
    """Returns by how many rates each array moves, before its weights decay."""
    beta, is_nesterov = settings.momentum, settings.nesterov > 0
    momentum = after.first if isinstance(after, Moments) else after
    plain = {name: jnp.where(is_nesterov, g + beta * momentum[name], momentum[name]) for name, g in gradients.items()}
    if not isinstance(after, Moments):
        return plain
    first, second = after.corrections
    ahead = beta * first + (1 - beta)

    def adaptive(name: str, gradient: jax.Array) -> jax.Array:
        looking = beta * after.first[name] / ahead + (1 - beta) * gradient / first
        mean = jnp.where(is_nesterov, looking, after.first[name] / first)
        return mean / (jnp.sqrt(after.second[name] / second) + _EPSILON)

    return {name: jnp.where(settings.adaptive > 0, adaptive(name, g), plain[name]) for name, g in gradients.items()}


def decays(name: str) -> bool:
    """Returns whether an array's weights decay: those of products do; biases, scales and positions do not."""
    return name.rpartition("/")[2] == "kernel"


def as_stored(remembered: Remembered, optimizer: str) -> dict[str, jax.Array]:
    """Returns what a component keeps of what its optimizer remembers, by ``<state>/<array>``."""
    if not isinstance(remembered, Moments):
        return {f"{_MOMENTUM}/{name}": array for name, array in remembered.items()}
    if optimizer == SGD:
        return as_stored(remembered.first, optimizer)
    first = {f"{_FIRST}/{name}": array for name, array in remembered.first.items()}
    second = {f"{_SECOND}/{name}": array for name, array in remembered.second.items()}
    return {**first, **second, _CORRECTIONS: remembered.corrections}


def recalled(stored: Arrays, optimizer: str, sized: Callable[[Arrays], Arrays], *, adaptive: bool) -> Any:
    """Returns what an optimizer begins with, on the host, where a component keeps ``stored``; zeros where it does not.

    What another kind of optimizer remembered tells it nothing.

    Args:
        stored: by ``<state>/<array>``.
        optimizer: that goes on.
        sized: returns arrays as large as the layer's slot, with zeros for what is missing.
        adaptive: whether its program keeps moments.
    """

    def of(state: str) -> Arrays:
        prefix = f"{state}/"
        return sized({name.removeprefix(prefix): a for name, a in stored.items() if name.startswith(prefix)})

    if not adaptive:
        return of(_MOMENTUM)
    begun = np.zeros(2, np.float32)
    if optimizer == SGD:
        return Moments(first=of(_MOMENTUM), second=sized({}), corrections=begun)  # type: ignore[arg-type]
    corrections = stored.get(_CORRECTIONS, begun)
    return Moments(first=of(_FIRST), second=of(_SECOND), corrections=corrections)  # type: ignore[arg-type]


def misshapen(stored: Arrays, shapes: Shapes) -> str | None:
    """Returns what is wrong with what a component of arrays of these ``shapes`` keeps for an optimizer, or None."""
    expected = {(state, name): shape for state in (_MOMENTUM, _FIRST, _SECOND) for name, shape in shapes.items()}
    for (state, name), shape in {**expected, (_CORRECTIONS, ""): ((2,), "float32")}.items():
        found = stored.get(f"{state}/{name}" if name else state)
        if found is not None and (found.shape, found.dtype.name) != shape:
            what = f"the {state.replace('_', ' ')}" + (f" of {name}" if name else "")
            return f"expected {what} to be {shape}, found {found.shape}, {found.dtype.name}"
    return None
