"""Options and arguments that several commands share, with their shell completion."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mu2net_core.errors import InvalidInputError, Mu2netError

if TYPE_CHECKING:
    from mu2net_core.repo.repository import Repository

__all__ = [
    "FolderArgument",
    "JsonFlag",
    "OptionalTask",
    "ReadersOption",
    "RevisionArgument",
    "RootOption",
    "RootSeedOption",
    "Seed",
    "TaskArgument",
    "complete_name",
    "complete_preset",
    "complete_remote",
    "complete_tag",
    "complete_task",
    "parse_budget",
    "parse_readers",
]

_BUDGET = re.compile(r"(\d+(?:\.\d+)?)\s*([smhd]?)")
_UNITS_S = {"": 1.0, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


def parse_budget(text: str | None) -> float | None:
    """Returns a duration such as ``90s``, ``30m``, ``2h`` or ``1d`` in seconds.

    Raises:
        InvalidInputError: it is no such duration, or not positive.
    """
    if text is None:
        return None
    match = _BUDGET.fullmatch(text.strip().lower())
    if match is None or float(match[1]) == 0:
        raise InvalidInputError(f"Not a duration: {text!r}. Expected a positive number and s, m, h or d, e.g. 30m.")
    return float(match[1]) * _UNITS_S[match[2]]


def complete_task(ctx: typer.Context, incomplete: str) -> list[str]:
    """Returns the task names of the repository here that begin with ``incomplete``."""
    return _complete(ctx, incomplete, lambda repo: repo.refs.tasks())


def parse_readers(text: str | None) -> tuple[str, ...]:
    """Returns the names in ``a,b``; none for None."""
    return tuple(name.strip() for name in (text or "").split(",") if name.strip())


def complete_name(ctx: typer.Context, incomplete: str) -> list[str]:
    """Returns the remotes and tasks of the repository here that begin with ``incomplete``."""
    return [*complete_remote(ctx, incomplete), *complete_task(ctx, incomplete)]


def complete_preset(ctx: typer.Context, incomplete: str) -> list[str]:
    """Returns the presets, the user's own among them, that begin with ``incomplete``."""
    from mu2net_cli.session import session_of
    from mu2net_core.api.presets import preset_names

    try:
        return [name for name in preset_names(session_of(ctx).context) if name.startswith(incomplete)]
    except Mu2netError:
        return []


def complete_remote(ctx: typer.Context, incomplete: str) -> list[str]:
    """Returns the remotes of the repository here that begin with ``incomplete``."""
    return _complete(ctx, incomplete, lambda repo: repo.config.remotes)


def complete_tag(ctx: typer.Context, incomplete: str) -> list[str]:
    """Returns the tags of the repository here that begin with ``incomplete``."""
    return _complete(ctx, incomplete, lambda repo: repo.refs.tags())


def _complete(ctx: typer.Context, incomplete: str, names_fn: Callable[[Repository], Iterable[str]]) -> list[str]:
    from mu2net_cli.session import session_of

    try:
        return [name for name in names_fn(session_of(ctx).repo()) if name.startswith(incomplete)]
    except Mu2netError:
        return []


RootOption = Annotated[
    str, typer.Option("--root", metavar="ROOT", help="'random', a checkpoint's file or URL, or e.g. augreg:Ti_16.")
]
RootSeedOption = Annotated[int, typer.Option("--seed", metavar="N", help="Seed of a random root model.")]
JsonFlag = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Seed = Annotated[int | None, typer.Option("--seed", metavar="N", help="Make every random decision from N.")]
FolderArgument = Annotated[Path | None, typer.Argument(metavar="DIR", help="The folder, made if need be.")]
TaskArgument = Annotated[str, typer.Argument(metavar="TASK", help="A task.", autocompletion=complete_task)]
OptionalTask = Annotated[
    str | None, typer.Argument(metavar="TASK", help="Only this task.", autocompletion=complete_task)
]
RevisionArgument = Annotated[
    str,
    typer.Argument(metavar="REVISION", help="A task, TASK@{N}, TASK~N, a tag or an id.", autocompletion=complete_task),
]
ReadersOption = Annotated[
    str | None, typer.Option("--readers", metavar="A,B", help="Groups that can read what is there.")
]
