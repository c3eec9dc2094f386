"""``init``: a new repository, with a root model unless roots come with tasks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from mu2net_core.api.context import Context
from mu2net_core.api.settings.limits import effective_limits
from mu2net_core.api.settings.preset_note import note_own_preset
from mu2net_core.api.settings.presets import chosen_preset
from mu2net_core.api.settings.settings import effective_preset, preset_in_force
from mu2net_core.errors import AlreadyExistsError, InvalidInputError
from mu2net_core.objects import Origin
from mu2net_core.presets import ARCHITECTURE, AUTO
from mu2net_core.repo import Repository, create_repository, open_repository
from mu2net_core.repo.core import CONFIG, FOLDER, Value, clone_marker
from mu2net_core.repo.remotes import Watch
from mu2net_core.storage import check_folder

__all__ = ["InitResult", "init"]

ROOT = "default"
"""Name of the root that ``init`` makes."""
_RANDOM = "random"


@dataclass(frozen=True, slots=True, kw_only=True)
class InitResult:
    """What was made.

    Attributes:
        path: of the repository.
        worktree: the folder the user sees.
        preset: its name.
        root_id: of the root model; None with ``auto``, where roots come with tasks.
        num_params: numbers in the root.
        num_components: layers of the root.
        origin: the checkpoint the root comes from; None for a random one.
        remarks: what of the checkpoint was not taken as it is.
    """

    path: Path
    worktree: Path
    preset: str
    root_id: str | None = None
    num_params: int = 0
    num_components: int = 0
    origin: Origin | None = None
    remarks: tuple[str, ...] = ()


def init(
    folder: Path,
    context: Context,
    *,
    preset: str = AUTO,
    root: str = _RANDOM,
    seed: int = 0,
    bare: bool = False,
    progress: Watch | None = None,
) -> InitResult:
    """Makes a repository in ``folder``, with a root model of ``preset`` unless that is ``auto``.

    Args:
        folder: made if it is not there.
        context: of this process.
        preset: name of a preset, shipped or of the user's configuration; with ``auto`` each task gets its own, chosen
            by its data, and brings the root it needs.
        root: ``random``, a checkpoint's path or URL, a name in ``CHECKPOINTS``, or that of a model of Hugging Face.
        seed: of a random root.
        bare: put the repository into ``folder`` itself, as a bucket or shared folder has it.
        progress: told how far the transfer of a checkpoint is.

    Raises:
        AlreadyExistsError: there is a repository with a root already; an interrupted ``init`` is finished instead.
        NotFoundError: no such preset or checkpoint.
        InvalidInputError, CorruptObjectError, StorageError, AccessDeniedError: the checkpoint cannot be had, or does
            not fit the preset; ``auto`` with a root or seed.
    """
    target = context.cwd / check_folder(folder).expanduser()
    path = target if bare else target / FOLDER
    if preset == AUTO:
        return _without_root(target, path, root=root, seed=seed, bare=bare)
    from mu2net_core.api.models.roots import load_pretrained, store_root  # jax comes along
    from mu2net_core.api.settings.buildable import check_buildable

    base, settings = chosen_preset(preset, context)
    repo = _unfinished(path, base.name, settings)
    limits = effective_limits(context, {} if repo is None else repo.config.settings)
    chosen = preset_in_force(base, settings if repo is None else repo.config.settings, context)
    check_buildable(chosen, limits)
    pretrained = load_pretrained(root, chosen, context, limits=limits, progress=progress)
    if repo is None:
        repo = create_repository(target, preset=base.name, settings=settings, bare=bare)
    if preset != base.name:
        note_own_preset(repo, preset)
    root_id, model = store_root(repo, effective_preset(repo, context), seed=seed, pretrained=pretrained)
    repo.refs.create_root(ROOT, root_id)
    return InitResult(
        path=repo.path,
        worktree=repo.worktree,
        preset=preset,
        root_id=root_id,
        num_params=sum(ref.num_params for ref in model.components),
        num_components=len(model.components),
        origin=model.origin,
        remarks=pretrained.remarks if pretrained is not None else (),
    )


def _without_root(target: Path, path: Path, *, root: str, seed: int, bare: bool) -> InitResult:
    """Makes a repository whose tasks bring their roots."""
    if root != _RANDOM or seed != 0:
        raise InvalidInputError(
            "With the preset auto roots come with tasks, always the same: expected neither a root nor its seed.",
            hint="For a root of your own name its preset, e.g.: mu2net init --preset vit-ti3 --root augreg:Ti_16",
        )
    if (path / CONFIG).exists():
        raise _exists(path)
    repo = create_repository(target, preset=AUTO, bare=bare)
    return InitResult(path=repo.path, worktree=repo.worktree, preset=AUTO)


def _unfinished(path: Path, preset: str, settings: Mapping[str, Value]) -> Repository | None:
    """Returns the repository that an interrupted ``init`` with the same choices left at ``path``; None if none did."""
    if not (path / CONFIG).exists():
        return None
    repo = open_repository(path)
    if not _is_begun(repo, preset, settings):
        raise _exists(path)
    return repo


def _exists(path: Path) -> AlreadyExistsError:
    return AlreadyExistsError(f"There is a repository in {path} already.")


def _is_begun(repo: Repository, preset: str, settings: Mapping[str, Value]) -> bool:
    """Returns whether an interrupted init with the same choices left the repository."""
    mine = repo.config.settings
    same = all(mine.get(key) == settings.get(key) for key in (*settings, *filter(_is_size, mine)))
    return same and repo.config.preset == preset and not repo.refs.roots() and not clone_marker(repo.path).exists()


def _is_size(key: str) -> bool:
    return key.startswith(ARCHITECTURE)
