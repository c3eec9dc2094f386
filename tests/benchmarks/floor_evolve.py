"""What somebody would write who knew all children beforehand: train and validate them, and nothing else.

Plain JAX around the same layers, apart from the engine: one jitted cycle (an epoch in one scan) and one jitted
prediction per distinct shape, hyperparameters and the trained layers as run-time values, what frozen layers make of
the data computed once per frozen part, images augmented by one program per size.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from mu2net_core.data.augmentation import Augmentation, augment
from mu2net_core.nn import LayerSpec
from mu2net_core.nn.vit import VisionTransformer

__all__ = ["Child", "train_children"]

FAMILY = VisionTransformer()
BATCH = 500

Split = tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True, slots=True, kw_only=True)
class Child:
    """A child before its training: arrays on the host, layers below the gradient boundary apart.

    Attributes:
        side: of its images, in pixels.
        augmentation: of its training images, None for none.
        frozen: specs below the boundary.
        frozen_ids: the components there: equal ids, equal numbers.
        frozen_row: their parameters.
        specs: from the boundary up.
        row: their first parameters.
        momentum: likewise.
        trainable: bool [L], which of them are trained.
        rates: float32 learning rate, warm-up steps, steps in total, momentum, Nesterov (1 or 0).
        cycles: each followed by a validation.
        steps: per cycle.
        batch: examples per step.
        clip_norm: of the gradients.
    """

    side: int
    augmentation: Augmentation | None
    frozen: tuple[LayerSpec, ...]
    frozen_ids: tuple[str, ...]
    frozen_row: tuple[dict[str, np.ndarray], ...]
    specs: tuple[LayerSpec, ...]
    row: tuple[dict[str, np.ndarray], ...]
    momentum: tuple[dict[str, np.ndarray], ...]
    trainable: np.ndarray
    rates: tuple[np.ndarray, ...]
    cycles: int
    steps: int
    batch: int
    clip_norm: float


def train_children(children: Sequence[Child], data: Mapping[int, tuple[Split, Split]]) -> list[list[float]]:
    """Returns the validation accuracies of each child, cycle by cycle; ``data`` are both splits by image size."""
    seen: dict[Any, tuple[jax.Array, jax.Array]] = {}
    curves = []
    for number, child in enumerate(children):
        (images, labels), (held_out, answers) = data[child.side]
        place = (child.side, child.frozen_ids, child.specs[0])
        if place not in seen:
            seen[place] = (jnp.asarray(_below(child, images)), jnp.asarray(_below(child, held_out)))
        inputs, held_out = seen[place]
        state, curve = (child.row, child.momentum, np.int32(0)), []
        for cycle in range(child.cycles):
            key = jax.random.fold_in(jax.random.key(number), cycle)
            if child.augmentation is not None:
                inputs = _below(child, augmented(jnp.asarray(images), child.augmentation, jax.random.fold_in(key, 0)))
            state = train_cycle(
                state, child.rates, child.trainable, inputs, jnp.asarray(labels), key,
                specs=child.specs, steps=child.steps, batch=child.batch, clip_norm=child.clip_norm,
            )  # fmt: skip
            logits = np.concatenate([predict(state[0], part, child.specs) for part in _parts(held_out)])
            curve.append(float(np.mean(np.argmax(logits, axis=-1) == answers)))
        jax.device_get(state)
        curves.append(curve)
    return curves


def _below(child: Child, images: Any) -> Any:
    """Returns what the layers below the boundary make of images."""
    if not child.frozen:
        return images
    parts = _parts(images)
    return jnp.concatenate([predict(child.frozen_row, part, child.frozen, child.specs[:1]) for part in parts])


augmented = jax.jit(augment)


@partial(jax.jit, static_argnames=("specs", "above"))
def predict(row, inputs, specs, above=()):
    return FAMILY.apply(specs, row, _scaled(inputs), above=above)


@partial(jax.jit, static_argnames=("specs", "steps", "batch", "clip_norm"))
def train_cycle(state, rates, trainable, inputs, labels, key, *, specs, steps, batch, clip_norm):
    learning_rate, warmup, total, decay, nesterov, *_ = rates  # those of AdamW are not used here
    order = jax.random.permutation(key, len(labels))[jnp.arange(steps * batch) % len(labels)].reshape(steps, batch)

    def loss_fn(row, chosen):
        logits = FAMILY.apply(specs, row, _scaled(inputs[chosen]))
        return optax.softmax_cross_entropy_with_integer_labels(logits, labels[chosen]).mean()

    def step(state, chosen):
        row, momentum, done = state
        gradients = jax.grad(loss_fn)(row, chosen)
        gradients = _masked(trainable, gradients)
        scale = jnp.minimum(1.0, clip_norm / (optax.global_norm(gradients) + 1e-12))
        moved = jax.tree.map(lambda m, g: decay * m + scale * g, momentum, gradients)
        update = jax.tree.map(lambda m, g: jnp.where(nesterov > 0, scale * g + decay * m, m), moved, gradients)
        ramp = jnp.minimum(1.0, (done + 1) / jnp.maximum(warmup, 1.0))
        cosine = 0.5 * (1 + jnp.cos(jnp.pi * jnp.clip((done - warmup) / jnp.maximum(total - warmup, 1.0), 0, 1)))
        rate = learning_rate * ramp * cosine
        row = jax.tree.map(lambda p, u: p - rate * u, row, _masked(trainable, update))
        return (row, moved, done + 1), None

    return jax.lax.scan(step, state, order)[0]


def _masked(trainable, row):
    return tuple(jax.tree.map(lambda a, i=i: jnp.where(trainable[i], a, 0.0), layer) for i, layer in enumerate(row))


def _scaled(inputs):
    return inputs.astype(jnp.float32) / 127.5 - 1 if inputs.dtype == jnp.uint8 else inputs


def _parts(inputs):
    return [inputs[start : start + BATCH] for start in range(0, len(inputs), BATCH)]
