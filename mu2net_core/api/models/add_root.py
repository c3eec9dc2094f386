"""``add-root``: one more root model that first models can come from."""

from __future__ import annotations

from dataclasses import dataclass

from mu2net_core.api.context import Context
from mu2net_core.api.models.roots import RANDOM, load_pretrained, store_root
from mu2net_core.api.settings.buildable import check_buildable
from mu2net_core.api.settings.serving import is_auto
from mu2net_core.api.settings.settings import effective_preset, preset_in_force
from mu2net_core.errors import AlreadyExistsError, InvalidInputError
from mu2net_core.objects import Origin
from mu2net_core.presets import Preset, preset_named
from mu2net_core.repo import Repository
from mu2net_core.repo.history import check_new_name
from mu2net_core.repo.remotes import Watch

__all__ = ["RootResult", "add_root"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RootResult:
    """The root that was added.

    Attributes:
        name: of the root.
        root_id: of its model.
        preset: whose architecture it has.
        num_params: numbers in it.
        num_components: layers of it.
        origin: the checkpoint it comes from; None for a random one.
        remarks: what of the checkpoint was not taken as it is.
    """

    name: str
    root_id: str
    preset: str
    num_params: int
    num_components: int
    origin: Origin | None
    remarks: tuple[str, ...]


def add_root(
    repo: Repository,
    context: Context,
    name: str,
    *,
    root: str = RANDOM,
    seed: int = 0,
    preset: str | None = None,
    progress: Watch | None = None,
) -> RootResult:
    """Adds a root model of the repository's preset under ``name``; in a repository of ``auto`` of the one that is said.

    Args:
        repo: where to add it.
        context: of this process.
        name: of the root.
        root: ``random``, a checkpoint's path or URL, a name in ``CHECKPOINTS``, or that of a model of Hugging Face.
        seed: of a random root.
        preset: of the root, in a repository of ``auto``.
        progress: told how far the transfer of a checkpoint is.

    Raises:
        AlreadyExistsError: there is a root of that name, or the same root under another name.
        InvalidInputError: the name cannot be one or is taken, the checkpoint does not fit the preset, or a preset is
            named where there is one, or none where there are several.
        NotFoundError, CorruptObjectError, StorageError, AccessDeniedError: the checkpoint cannot be had.
    """
    roots = repo.refs.roots()
    if name in roots:
        raise AlreadyExistsError(
            f"There is a root {name} already, and roots never change.", hint="Choose another name."
        )
    check_new_name(repo, name, "root")
    chosen = _preset(repo, context, preset)
    pretrained = load_pretrained(root, chosen, context, limits=repo.limits, progress=progress)
    root_id, model = store_root(repo, chosen, seed=seed, pretrained=pretrained)
    same = next((other for other, oid in roots.items() if oid == root_id), None)
    if same is not None:
        raise AlreadyExistsError(
            f"The root {same} is this very model, {root_id[:10]}.",
            hint="Use that one, or another --seed or --root.",
        )
    repo.refs.create_root(name, root_id)
    return RootResult(
        name=name,
        root_id=root_id,
        preset=chosen.name,
        num_params=sum(ref.num_params for ref in model.components),
        num_components=len(model.components),
        origin=model.origin,
        remarks=pretrained.remarks if pretrained is not None else (),
    )


def _preset(repo: Repository, context: Context, name: str | None) -> Preset:
    """Returns the preset of a new root: the repository's, or in one of ``auto`` the one called ``name``."""
    if is_auto(repo) == (name is None):
        expected = "a preset" if name is None else f"none but {repo.config.preset}"
        raise InvalidInputError(
            f"Which preset has the root? Expected {expected} in a repository of {repo.config.preset}, got {name}.",
            hint="In a repository of auto: mu2net add-root NAME --preset PRESET; in any other leave --preset out.",
        )
    if name is None:
        return effective_preset(repo, context)
    chosen = preset_in_force(preset_named(name), repo.config.settings, context)
    check_buildable(chosen, repo.limits)
    return chosen
