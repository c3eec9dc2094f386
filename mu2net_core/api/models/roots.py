"""Making a root model: with random numbers, or with those of a public checkpoint."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from mu2net_core.api.context import Context
from mu2net_core.api.models.checkpoints import LocalCheckpoint, local_checkpoint
from mu2net_core.api.models.published import hash_of_files, published_architecture
from mu2net_core.errors import CorruptObjectError
from mu2net_core.nn import (
    ArchitectureFamily,
    Arrays,
    LayerSpec,
    family_named,
    is_text,
    model_files,
    open_published,
    open_published_text,
    read_checkpoint,
)
from mu2net_core.objects import Architecture, Component, ComponentRef, Limits, Model, Operation, Origin
from mu2net_core.presets import Preset
from mu2net_core.repo import Repository
from mu2net_core.repo.remotes import Watch
from mu2net_core.seeds import derive_seed

__all__ = ["RANDOM", "Pretrained", "load_pretrained", "store_root"]

RANDOM = "random"
"""The root that comes from no file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pretrained:
    """The layers of a root, from a checkpoint that was read and found right.

    Attributes:
        architecture: of the root: the preset's, computing as the checkpoint does.
        layers: float32 arrays by name, by layer.
        origin: where they come from, as the root records it.
        remarks: what of the checkpoint was not taken as it is.
    """

    architecture: Architecture
    layers: Mapping[str, Mapping[str, np.ndarray]]
    origin: Origin
    remarks: tuple[str, ...]


def load_pretrained(
    root: str, preset: Preset, context: Context, *, limits: Limits, progress: Watch | None = None
) -> Pretrained | None:
    """Returns what the checkpoint ``root`` gives for the default model of ``preset``; None for a random root.

    Nothing is stored: whatever is wrong with a checkpoint shows before there is a repository.

    Raises:
        NotFoundError, InvalidInputError, CorruptObjectError, StorageError, AccessDeniedError: it cannot be had, or
            does not fit the preset.
    """
    if root == RANDOM:
        return None
    file = local_checkpoint(root, context, limits=limits, progress=progress)
    if file.is_archive:
        return _from_archive(file, preset, limits)
    files = model_files(file.path, limits=limits)
    opened = open_published_text if is_text(files) else open_published
    with opened(files, limits=limits) as model:
        architecture = published_architecture(model, preset, file.path, context)
        checkpoint = model.read(_shapes(architecture, preset))
    origin = Origin(source=file.source, blake3=hash_of_files(files.paths))
    return Pretrained(architecture=architecture, layers=checkpoint.layers, origin=origin, remarks=checkpoint.remarks)


def store_root(repo: Repository, preset: Preset, *, seed: int, pretrained: Pretrained | None) -> tuple[str, Model]:
    """Returns id and manifest of a root model for ``preset``, stored with its components, which no ref names yet."""
    architecture = preset.architecture if pretrained is None else pretrained.architecture
    family, specs = family_named(architecture.name), _specs(architecture, preset)
    if pretrained is None:
        components = tuple(_stored(repo, spec, _random(family, spec, seed), "new") for spec in specs)
    else:
        components = tuple(_stored(repo, spec, pretrained.layers[spec.name], "root") for spec in specs)
    model = Model(
        architecture=architecture,
        components=components,
        hyperparameters=preset.space.defaults,
        seed=seed if pretrained is None else None,
        origin=pretrained.origin if pretrained is not None else None,
    )
    return repo.objects.put(model), model


def _from_archive(file: LocalCheckpoint, preset: Preset, limits: Limits) -> Pretrained:
    try:
        checkpoint = read_checkpoint(file.path, _shapes(preset.architecture, preset), limits=limits)
    except CorruptObjectError as exc:
        hint = f"Delete {file.path}, then run the same command again." if file.is_copy else exc.hint
        raise CorruptObjectError(exc.message, hint=hint) from exc
    return Pretrained(
        architecture=preset.architecture,
        layers=checkpoint.layers,
        origin=Origin(source=file.source, blake3=hash_of_files([file.path])),
        remarks=checkpoint.remarks,
    )


def _specs(architecture: Architecture, preset: Preset) -> tuple[LayerSpec, ...]:
    """Returns the layers of a root: all but the head, which a task brings."""
    family = family_named(architecture.name)
    specs = family.layers(architecture.config, preset.space.defaults, num_outputs=1)
    return tuple(spec for spec in specs if spec.name != family.head)


def _shapes(architecture: Architecture, preset: Preset) -> dict[str, dict[str, tuple[int, ...]]]:
    family = family_named(architecture.name)
    return {
        spec.name: {name: shape for name, (shape, _) in family.shapes(spec).items()}
        for spec in _specs(architecture, preset)
    }


def _random(family: ArchitectureFamily, spec: LayerSpec, seed: int) -> Arrays:
    return family.init(spec, np.random.Generator(np.random.Philox(derive_seed(seed, "root", spec.name))))


def _stored(repo: Repository, spec: LayerSpec, params: Mapping[str, np.ndarray], operation: Operation) -> ComponentRef:
    component = Component(name=spec.name, config=spec.config, params=params)
    oid, size_bytes = repo.objects.put_component(component)
    return ComponentRef(
        id=oid,
        name=spec.name,
        num_params=component.num_params,
        size_bytes=size_bytes,
        trainable=False,
        operation=operation,
    )
