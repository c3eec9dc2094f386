"""Using a stored model: how many examples it gets right, and what it says of each."""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

from mu2net_core.engine.fitting import check_component
from mu2net_core.engine.programs import EVALUATION_BATCH, Programs, Row
from mu2net_core.nn import ArchitectureFamily, LayerSpec
from mu2net_core.objects import Component, Model

__all__ = ["accuracy", "load_row", "probabilities"]


def load_row(
    model: Model, specs: tuple[LayerSpec, ...], load: Callable[[str], Component], family: ArchitectureFamily
) -> Row:
    """Returns the parameters of a stored model, layer by layer.

    Raises:
        CorruptObjectError: the components are not those the architecture asks for.
    """
    row = []
    for ref, spec in zip(model.components, specs, strict=True):
        component = load(ref.id)
        check_component(family, spec, component, ref.id)
        row.append({name: jnp.asarray(array) for name, array in component.params.items()})
    return tuple(row)


def accuracy(
    programs: Programs, specs: tuple[LayerSpec, ...], row: Row, images: jax.Array, labels: jax.Array
) -> tuple[int, float]:
    """Returns how many of the images uint8 [N, H, W, 3] get their label int32 [N], and which share that is."""
    correct = int(programs.count_correct(specs, row, images, labels))
    return correct, correct / images.shape[0]


def probabilities(programs: Programs, specs: tuple[LayerSpec, ...], row: Row, images: np.ndarray) -> np.ndarray:
    """Returns float32 [N, C]: for each of the images uint8 [N, H, W, 3], N > 0, the probability of each class."""
    parts = []
    for begin in range(0, len(images), EVALUATION_BATCH):
        part = images[begin : begin + EVALUATION_BATCH]
        padded = np.zeros((EVALUATION_BATCH, *part.shape[1:]), dtype=part.dtype)
        padded[: len(part)] = part
        (logits,) = programs.activations(specs, row, jnp.asarray(padded), above=())
        parts.append(np.asarray(jax.nn.softmax(logits, axis=-1))[: len(part)])
    return np.concatenate(parts)
