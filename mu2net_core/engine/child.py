"""Training one child: cycles of gradient steps and validations, of which the best is kept."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import jax
import jax.numpy as jnp
import numpy as np

from mu2net_core.engine.blueprint import Blueprint, LayerPlan
from mu2net_core.engine.optimizer import OptimizerSettings
from mu2net_core.engine.pool import ComponentPool, zeros_like
from mu2net_core.engine.programs import Programs, Row
from mu2net_core.nn import LayerSpec, Params
from mu2net_core.objects import Hyperparameter
from mu2net_core.presets import TrainingConfig
from mu2net_core.seeds import derive_seed

__all__ = ["Split", "TaskData", "Trained", "key_of", "train_child"]

Split = tuple[jax.Array, jax.Array]
"""Inputs [N, ...] and labels int32 [N], on the device."""

_CACHED_PREFIXES = 4


@dataclass(slots=True)
class TaskData:
    """The active task's examples on the device, and what frozen layers make of them.

    Attributes:
        train: uint8 images [N, H, W, 3] and int32 labels [N].
        validation: likewise, at most ``validation_cap`` of them.
    """

    train: Split
    validation: Split
    _activations: dict[tuple[tuple[str, ...], LayerSpec], tuple[jax.Array, jax.Array]] = field(default_factory=dict)

    def above(self, blueprint: Blueprint, programs: Programs, pool: ComponentPool) -> tuple[Split, Split]:
        """Returns train and validation as the layers from the boundary up see them; computed once per frozen part."""
        frozen = blueprint.layers[: blueprint.boundary]
        if not frozen:
            return self.train, self.validation
        ids = tuple(layer.source.id for layer in frozen if layer.source is not None)
        above = blueprint.specs[blueprint.boundary :]
        place = (ids, above[0])  # the next layer decides what the last frozen one has to compute
        if place not in self._activations:
            while len(self._activations) >= _CACHED_PREFIXES:
                del self._activations[next(iter(self._activations))]
            specs, row = tuple(layer.spec for layer in frozen), pool.row(ids)
            made = programs.activations(specs, row, self.train[0], self.validation[0], above=above)
            self._activations[place] = (made[0], made[1])
        train, validation = self._activations[place]
        return (train, self.train[1]), (validation, self.validation[1])


@dataclass(frozen=True, slots=True, kw_only=True)
class Trained:
    """What a child's training came to.

    Attributes:
        curve: validation quality after each cycle, in [0, 1].
        best_cycle: index of the cycle that was kept, None if none reached the floor.
        params: of the layers from the boundary up, at that cycle.
        momentum: likewise.
        steps: gradient steps up to and including that cycle.
        examples: seen in those steps.
        finite: whether every loss was.
    """

    curve: tuple[float, ...]
    best_cycle: int | None
    params: Row
    momentum: Row
    steps: int
    examples: int
    finite: bool


def key_of(seed: int) -> jax.Array:
    """Returns a JAX key made of all 63 bits of ``seed``."""
    words = np.array([seed >> 32, seed & 0xFFFFFFFF], dtype=np.uint32)
    key: jax.Array = jax.random.wrap_key_data(jnp.asarray(words), impl="threefry2x32")
    return key


def train_child(
    blueprint: Blueprint,
    hyperparameters: Mapping[str, Hyperparameter],
    *,
    data: TaskData,
    pool: ComponentPool,
    programs: Programs,
    config: TrainingConfig,
    seed: int,
    worth_keeping: Callable[[float], bool],
) -> Trained:
    """Returns the child after ``config.validations`` cycles of min(1 epoch, ``samples_cap``) examples each.

    Of the validations that are ``worth_keeping`` the best is kept, the latest where they tie. Training stops at the
    first loss that is not finite.
    """
    specs, layers = blueprint.specs[blueprint.boundary :], blueprint.layers[blueprint.boundary :]
    train, validation = data.above(blueprint, programs, pool)
    steps, batch = _cycle_size(train[0].shape[0], config)
    settings = OptimizerSettings.of(hyperparameters, steps * config.validations)
    trainable = jnp.asarray([layer.trainable for layer in layers])
    starts = [_start(layer, pool, programs, seed) for layer in layers]
    state = (tuple(params for params, _ in starts), tuple(momentum for _, momentum in starts), jnp.int32(0))
    curve: list[float] = []
    kept, kept_state, finite = None, state, True
    for cycle in range(config.validations):
        key = key_of(derive_seed(seed, "cycle", cycle))
        state, loss, correct = programs.train_cycle(
            specs, state, settings, trainable, train, validation, key,
            steps=steps, batch=batch, clip_norm=config.clip_norm,
        )  # fmt: skip
        finite = math.isfinite(float(loss))
        if not finite:
            break
        curve.append(int(correct) / validation[0].shape[0])
        if worth_keeping(curve[-1]) and (kept is None or curve[-1] >= curve[kept]):
            kept, kept_state = cycle, state
    done = steps * (0 if kept is None else kept + 1)
    return Trained(
        curve=tuple(curve),
        best_cycle=kept,
        params=kept_state[0],
        momentum=kept_state[1],
        steps=done,
        examples=done * batch,
        finite=finite,
    )


def _cycle_size(num_examples: int, config: TrainingConfig) -> tuple[int, int]:
    """Returns steps and batch such that a cycle uses (nearly) every example once, in batches of one size."""
    per_cycle = min(num_examples, config.samples_cap)
    steps = -(-per_cycle // config.batch_size)
    return steps, per_cycle // steps


def _start(layer: LayerPlan, pool: ComponentPool, programs: Programs, seed: int) -> tuple[Params, Params]:
    if layer.source is not None:
        params = pool.params(layer.source.id)
        return params, pool.momentum(layer.source.id) if layer.trainable else zeros_like(params)
    params = programs.init(layer.spec, key_of(derive_seed(seed, "init", layer.spec.name)))
    return params, zeros_like(params)
