"""What fetch, pull, push, merge and clone have in common: their names, their progress, their report."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from mu2net_cli.options import complete_name
from mu2net_cli.render import counted, print_json, quantity, short
from mu2net_cli.text import visible

if TYPE_CHECKING:
    from mu2net_cli.session import Session
    from mu2net_core.api.clone import CloneResult
    from mu2net_core.repo import Repository
    from mu2net_core.repo.outcomes import Exchange, NameReport, Progress, TaskReport

__all__ = ["Names", "OnConflict", "OnConflictOption", "report", "split_names", "transfer_progress"]


class OnConflict(StrEnum):
    """What becomes of heads that moved on both sides."""

    BEST = "best"
    OURS = "ours"
    THEIRS = "theirs"
    FAIL = "fail"


OnConflictOption = Annotated[
    OnConflict,
    typer.Option(metavar="best|ours|theirs|fail", help="Which model a head keeps that moved on both sides."),
]
Names = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[REMOTE] [TASK]...",
        help="Default: origin (or the only one), all tasks.",
        autocompletion=complete_name,
    ),
]


def split_names(repo: Repository, names: Sequence[str] | None) -> tuple[str | None, tuple[str, ...]]:
    """Returns the remote and the tasks among ``[REMOTE] [TASK]...``: a first name that is a remote's means that."""
    if names and names[0] in repo.config.remotes:
        return names[0], tuple(names[1:])
    return None, tuple(names or ())


@contextmanager
def transfer_progress(session: Session) -> Iterator[Callable[[Progress], None] | None]:
    """Yields what a transfer tells its progress: one line on a terminal that renews itself, nothing in a pipe."""
    if not session.live:
        yield None
        return
    from rich.live import Live
    from rich.text import Text

    from mu2net_cli.render import console

    with Live(console=console(session, stderr=True), refresh_per_second=8, transient=True) as live:

        def watch(progress: Progress) -> None:
            amount = f"{counted(progress.num_objects, 'object')}, {quantity(progress.size_bytes)}B"
            live.update(Text(visible(f"{progress.what}: {amount}")))

        yield watch


def report(session: Session, result: Exchange | CloneResult, *, direction: str, as_json: bool) -> None:
    """Prints what an exchange did, task by task."""
    if as_json:
        print_json(result)
        return
    session.say(f"{direction} {result.url}")
    for task in result.tasks:
        session.say(_task_line(task))
    for kind, names in (("tag", result.tags), ("root", result.roots)):
        for name in names:
            session.say(_name_line(kind, name))
    if not (result.tasks or result.tags or result.roots):
        session.say(" nothing to do: everything is up to date")
    session.note(f"{counted(result.num_objects, 'object')}, {quantity(result.size_bytes)}B")


def _task_line(task: TaskReport) -> str:
    sign = {"new": "*", "skipped": "!", "merged": "+", "removed": "-"}.get(task.outcome, " ")
    stands = f" [{short(task.commit)}]" if task.commit else ""
    return f" {sign} {task.outcome:<12}{task.task}{stands}{': ' + task.reason if task.reason else ''}"


def _name_line(kind: str, name: NameReport) -> str:
    sign = "*" if name.outcome == "new" else "!"
    return f" {sign} {name.outcome:<12}{kind} {name.name} [{short(name.id)}]{': ' + name.reason if name.reason else ''}"
