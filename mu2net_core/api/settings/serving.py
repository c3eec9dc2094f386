"""Which preset serves a task: the repository's, or in one of ``auto`` the one that the task itself says.

It follows from the repository and the task alone, so it is the same in every copy.
"""

from __future__ import annotations

from mu2net_core.errors import NotFoundError
from mu2net_core.objects import Task
from mu2net_core.presets import AUTO, AUTO_PRESETS, Preset, preset_named
from mu2net_core.repo import Repository

__all__ = ["is_auto", "preset_of", "presets_in", "presets_of"]


def is_auto(repo: Repository) -> bool:
    """Returns whether each task of a repository has a preset of its own."""
    return repo.config.preset == AUTO


def preset_of(repo: Repository, task: Task | None) -> Preset:
    """Returns the preset that serves ``task``, without any settings; of a repository that is not of ``auto`` its one.

    Raises:
        NotFoundError: there is no such preset here, or none is said.
    """
    if not is_auto(repo):
        return preset_named(repo.config.preset)
    if task is None or task.preset is None:
        what = "no task, so no preset" if task is None else f"the task {task.name}, which says none"
        raise NotFoundError(
            f"In a repository of auto each task has its own preset; asked for {what}.",
            hint="Add the task again, under another --name: mu2net add-task DATASET --name NAME",
        )
    return preset_named(task.preset)


def presets_of(name: str) -> tuple[Preset, ...]:
    """Returns the presets that tasks in a repository of the preset ``name`` may have: one, or those of ``auto``."""
    return tuple(map(preset_named, AUTO_PRESETS if name == AUTO else (name,)))


def presets_in(repo: Repository) -> tuple[Preset, ...]:
    """Returns the presets that serve tasks of a repository; while there is none, all that may."""
    if not is_auto(repo):
        return presets_of(repo.config.preset)
    commits = (repo.objects.commit(state.commit) for state in repo.refs.heads().values())
    tasks = (repo.objects.task(commit.task_id) for commit in commits if not commit.removed)
    names = {task.preset for task in tasks if task.preset is not None}
    return tuple(_known(sorted(names))) or presets_of(AUTO)


def _known(names: list[str]) -> list[Preset]:
    """Returns the presets that are here: one of a package that is not says so where its task is evolved."""
    found = []
    for name in names:
        try:
            found.append(preset_named(name))
        except NotFoundError:
            continue
    return found
