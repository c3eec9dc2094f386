"""``init``: a new repository with a root model."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from mu2net_core.api.context import Context
from mu2net_core.api.runtime import prepare_jax
from mu2net_core.api.settings import effective_preset
from mu2net_core.engine.child import key_of
from mu2net_core.engine.pool import to_host
from mu2net_core.engine.programs import Programs
from mu2net_core.errors import AlreadyExistsError, InvalidInputError
from mu2net_core.nn import LayerSpec, family_named
from mu2net_core.objects import Component, ComponentRef, Model
from mu2net_core.presets import preset_named
from mu2net_core.repo import Repository, create_repository, open_repository
from mu2net_core.repo.repository import FOLDER, clone_marker
from mu2net_core.seeds import derive_seed

__all__ = ["InitResult", "init"]

ROOT = "default"
"""Name of the root that ``init`` makes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InitResult:
    """What was made: where, from which preset, and the root model's id and size."""

    path: Path
    worktree: Path
    preset: str
    root_id: str
    num_params: int
    num_components: int


def init(
    folder: Path, context: Context, *, preset: str = "vit-ti0", root: str = "random", seed: int = 0, bare: bool = False
) -> InitResult:
    """Makes a repository in ``folder`` with a root model of ``preset``.

    Args:
        folder: made if it is not there.
        context: of this process.
        preset: name of a preset.
        root: ``random``.
        seed: of the random root.
        bare: put the repository into ``folder`` itself, as a bucket or shared folder has it.

    Raises:
        AlreadyExistsError: there is a repository with a root already; an interrupted ``init`` is finished instead.
        InvalidInputError: a root that is not ``random``.
        NotFoundError: no such preset.
    """
    preset_named(preset)
    if root != "random":
        raise InvalidInputError(f"Cannot start from the root {root!r}: expected 'random'.")
    target = context.cwd / folder.expanduser()
    try:
        repo = create_repository(target, preset=preset, bare=bare)
    except AlreadyExistsError:
        repo = open_repository(target if bare else target / FOLDER)
        if repo.refs.roots() or repo.config.preset != preset or clone_marker(repo.path).exists():
            raise
    prepare_jax(context)
    model = _random_root(repo, context, seed)
    root_id = repo.objects.put(model)
    repo.refs.create_root(ROOT, root_id)
    return InitResult(
        path=repo.path,
        worktree=repo.worktree,
        preset=preset,
        root_id=root_id,
        num_params=sum(ref.num_params for ref in model.components),
        num_components=len(model.components),
    )


def _random_root(repo: Repository, context: Context, seed: int) -> Model:
    chosen = effective_preset(repo, context)
    programs = Programs(family=family_named(chosen.architecture.name))
    family = programs.family
    specs = family.layers(chosen.architecture.config, chosen.space.defaults, num_classes=1)
    return Model(
        architecture=chosen.architecture,
        components=tuple(_random_component(repo, programs, spec, seed) for spec in specs if spec.name != family.head),
        hyperparameters=chosen.space.defaults,
        seed=seed,
    )


def _random_component(repo: Repository, programs: Programs, spec: LayerSpec, seed: int) -> ComponentRef:
    params = programs.init(spec, key_of(derive_seed(seed, "root", spec.name)))
    component = Component(name=spec.name, config=spec.config, params=to_host(params))
    oid, size_bytes = repo.objects.put_component(component)
    return ComponentRef(
        id=oid,
        name=spec.name,
        num_params=component.num_params,
        size_bytes=size_bytes,
        trainable=False,
        operation="root",
    )
