"""Using a stored model: how many examples it gets right, and what it says of each."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import jax
import jax.numpy as jnp
import numpy as np

from mu2net_core.engine.programs import EVALUATION_BATCH, Programs, Row
from mu2net_core.errors import CorruptObjectError
from mu2net_core.nn import ArchitectureFamily, LayerSpec
from mu2net_core.objects import Component, Hyperparameter, Model

__all__ = ["accuracy", "load_row", "model_specs", "probabilities"]


def model_specs(model: Model, family: ArchitectureFamily, num_classes: int) -> tuple[LayerSpec, ...]:
    """Returns the layers of a stored model."""
    hyperparameters: Mapping[str, Hyperparameter] = model.hyperparameters
    return family.layers(model.architecture.config, hyperparameters, num_classes)


def load_row(model: Model, specs: tuple[LayerSpec, ...], load: Callable[[str], Component]) -> Row:
    """Returns the parameters of a stored model, layer by layer.

    Raises:
        CorruptObjectError: the components are not those the architecture asks for.
    """
    names = [ref.name for ref in model.components]
    if names != [spec.name for spec in specs]:
        raise CorruptObjectError(f"The model's components {names} are not the layers of its architecture.")
    row = []
    for ref, spec in zip(model.components, specs, strict=True):
        component = load(ref.id)
        if dict(component.config) != spec.config:
            raise CorruptObjectError(
                f"Component {ref.id[:12]} ({ref.name}): expected {spec.config}, found {dict(component.config)}."
            )
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
