"""What an agent works on a task with: the preset that serves the task, or its own, with the space it was given."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from mu2net_core.api.context import Context
from mu2net_core.api.iterations.options import EvolveOptions
from mu2net_core.api.models.first_root import first_root, root_of
from mu2net_core.api.settings.serving import is_auto, presets_in
from mu2net_core.api.settings.settings import effective_preset
from mu2net_core.api.settings.taking import check_takes
from mu2net_core.errors import AlreadyExistsError, DataError, InvalidInputError, SearchError
from mu2net_core.objects import Hyperparameter, Task
from mu2net_core.presets import Preset, preset_named, with_settings
from mu2net_core.repo import Repository
from mu2net_core.search import nearest

__all__ = ["check_root", "make_root", "preset_asked"]


def preset_asked(repo: Repository, context: Context, asked: EvolveOptions, task: Task) -> Preset:
    """Returns the preset that an agent improves ``task`` with, all settings in force now.

    Where its space lacks what a root begins with otherwise, a root begins with the nearest value that it has.

    Raises:
        NotFoundError: there is no such preset here.
        DataError: the preset takes something else than the task gives.
        InvalidInputError: a preset is named where all tasks have the same; or a name or value cannot be right.
    """
    if asked.preset is not None:
        task = _served_by(repo, asked.preset, task)
    settings, space = asked.settings, asked.space or {}
    if not space:
        return effective_preset(repo, context, settings, task=task)
    others = {key: value for key, value in settings.items() if not key.startswith("space.")}
    plain = effective_preset(repo, context, others, task=task)
    beginnings = dict(_beginnings(repo, plain, space, is_own=asked.preset is not None))
    return effective_preset(repo, context, settings | beginnings, task=task)


def _beginnings(
    repo: Repository, preset: Preset, space: Mapping[str, Sequence[Hyperparameter]], *, is_own: bool
) -> Iterator[tuple[str, Hyperparameter]]:
    """Yields what roots begin with in a space, by setting.

    Names of other tasks' presets are passed over, unless the preset is the agent's own.

    Raises:
        InvalidInputError: no preset has such a hyperparameter, or it can have no such values.
    """
    for name, values in sorted(space.items()):
        if name in preset.space.defaults:
            allowed = sorted(set(values))
            _check_values(preset, name, allowed)
            yield f"default.{name}", nearest(preset.space.defaults[name], tuple(allowed))
        elif is_own or not any(name in other.space.defaults for other in presets_in(repo)):
            raise InvalidInputError(
                f"space: the preset {preset.name} has no hyperparameter {name[:80]!r}.",
                hint=f"It has {', '.join(sorted(preset.space.defaults))}.",
            )


def _check_values(preset: Preset, name: str, values: Sequence[Hyperparameter]) -> None:
    """Raises InvalidInputError unless a hyperparameter of ``preset`` can have these values."""
    default = preset.space.defaults[name]
    are_alike = isinstance(default, str) == isinstance(values[0], str)
    with_settings(preset, {f"space.{name}": sorted({*values, default}) if are_alike else values})


def make_root(repo: Repository, context: Context, asked: EvolveOptions) -> bool:
    """Makes the root of an agent's own preset, as ``add-task`` does, if there is none; returns whether it did."""
    if asked.preset is None or not is_auto(repo):
        return False
    preset = preset_named(asked.preset)
    try:
        made = first_root(repo, preset)
    except (AlreadyExistsError, InvalidInputError):  # another agent made it at the same moment
        if root_of(repo, preset) is None:
            raise
        return True
    if made is not None:
        context.warn(f"made the root {made.name}, which the preset {preset.name} begins from")
    return made is not None


def check_root(repo: Repository, asked: EvolveOptions) -> None:
    """Raises SearchError if the root of an agent's own preset would have to be made first."""
    if asked.preset is not None and is_auto(repo) and root_of(repo, preset_named(asked.preset)) is None:
        raise SearchError(
            f"There is no root of the preset {asked.preset} yet; evolve makes it, and a dry run makes nothing.",
            hint=f"mu2net add-root {asked.preset} --preset {asked.preset}",
        )


def _served_by(repo: Repository, name: str, task: Task) -> Task:
    """Returns ``task`` as if the preset called ``name`` served it."""
    if not is_auto(repo):
        if name == repo.config.preset:
            return task
        raise InvalidInputError(
            f"Every task of this repository has the preset {repo.config.preset}; expected no other, got {name}.",
            hint="Where agents can have presets of their own: mu2net init DIR",
        )
    try:
        check_takes(preset_named(name), task)
    except InvalidInputError as exc:  # of this task: others can be improved
        raise DataError(exc.message, hint="Name tasks that it fits: --task TASK; or leave --preset out.") from exc
    return replace(task, preset=name)
