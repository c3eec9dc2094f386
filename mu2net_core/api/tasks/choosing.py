"""Which preset a new task gets in a repository whose tasks have presets of their own, and the root it needs."""

from __future__ import annotations

from dataclasses import dataclass

from mu2net_core.api.models.first_root import FirstRoot, first_root
from mu2net_core.api.settings.serving import is_auto, preset_of
from mu2net_core.api.settings.taking import check_takes
from mu2net_core.data import Described
from mu2net_core.errors import InvalidInputError
from mu2net_core.presets import AUTO, Choice, choose, preset_named
from mu2net_core.repo import Repository

__all__ = ["Chosen", "chosen_for", "with_root"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """What a new task got.

    Attributes:
        preset: that serves it.
        summary: what that is, in a line.
        why: in words.
        root: that was made for it; None if there was one already.
    """

    preset: str
    summary: str
    why: str
    root: FirstRoot | None


def chosen_for(repo: Repository, described: Described, name: str | None) -> Choice | None:
    """Returns which preset a task gets, and why; None where all tasks have the repository's.

    Args:
        repo: where it is added.
        described: what was found.
        name: of the preset, if somebody said it.

    Raises:
        NotFoundError: there is no preset of that name.
        InvalidInputError: one was named where all have the same, or none fits.
    """
    if not is_auto(repo):
        if name is not None:
            raise InvalidInputError(
                f"Every task of this repository has the preset {repo.config.preset}; expected no other, got {name}.",
                hint="Where each has its own: mu2net init DIR",
            )
        check_takes(preset_of(repo, None), described.task)
        return None
    if name not in {None, AUTO}:
        preset = preset_named(str(name))
        check_takes(preset, described.task)
        return Choice(preset=preset.name, why="as you said")
    task = described.task
    return choose(task.input, task.output, described.typical_size, task.splits["train"].num_examples)


def with_root(repo: Repository, choice: Choice) -> Chosen:
    """Returns what a task got, once the preset has a root in the repository.

    Raises:
        InvalidInputError: the root is larger than the limits allow.
    """
    preset = preset_named(choice.preset)
    return Chosen(preset=preset.name, summary=preset.summary, why=choice.why, root=first_root(repo, preset))
