"""What fetch, pull, push, merge and clone have in common: their names, their progress, their report."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Protocol

import typer

from mu2net_cli.parsing.completion import complete_name
from mu2net_cli.parsing.program import as_called, program_in
from mu2net_cli.printing.render import counted, print_json, quantity, short
from mu2net_cli.printing.transfers import transfer_progress
from mu2net_core.errors import AccessDeniedError, ConflictError, CorruptObjectError

if TYPE_CHECKING:
    from mu2net_cli.session import Session
    from mu2net_core.api.context import Context
    from mu2net_core.api.sharing.clone import CloneResult
    from mu2net_core.repo import Repository
    from mu2net_core.repo.remotes import Exchange, NameReport, Parcel, PushPlan, TaskReport

__all__ = [
    "Names",
    "OnConflict",
    "OnConflictOption",
    "RequireSigned",
    "exchange",
    "exit_if_conflicting",
    "exit_if_missing",
    "exit_unless_whole",
    "report",
    "report_plan",
    "split_names",
    "transfer_progress",
]

_STOPPED = {"skipped", "refused", "conflict", "broken"}
_FEW = 10
"""So many tasks to which nothing happened are named; of more it is said how many they are."""


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
RequireSigned = Annotated[
    Path | None,
    typer.Option(
        "--require-signed", metavar="KEYS", help="Take over only what a key in this file signed (allowed_signers)."
    ),
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


def report(session: Session, result: Exchange | CloneResult, *, direction: str, as_json: bool) -> None:
    """Prints what an exchange did, task by task."""
    if as_json:
        print_json(result)
        return
    session.say(f"{direction} {result.url}")
    program = _program(session, result)
    unseen = [task for task in result.tasks if task.outcome == "unchanged"]
    same = [task for task in result.tasks if task.outcome == "up-to-date" and task.reason is None]
    for task in result.tasks:
        if task.outcome != "unchanged" and (task not in same or len(same) <= _FEW):
            session.say(as_called(_task_line(task), program))
    if len(same) > _FEW:
        session.say(f"   up-to-date  {counted(len(same), 'task')}")
    if unseen:
        session.say(
            f"   unchanged   {counted(len(unseen), 'task')}: nothing to send; fetch looks whether it moved there"
        )
    for kind, names in (("tag", result.tags), ("root", result.roots)):
        for name in names:
            session.say(_name_line(kind, name))
    if not (result.tasks or result.tags or result.roots):
        session.say(" nothing to do: everything is up to date")
    session.note(f"{counted(result.num_objects, 'object')}, {quantity(result.size_bytes)}B")


def _program(session: Session, result: Exchange | CloneResult) -> str:
    """Returns how commands begin that work in the repository of an exchange: in a clone, that is the new one."""
    worktree = getattr(result, "worktree", None)
    return session.context.program if worktree is None else program_in(worktree)


class Exchanging(Protocol):
    """A verb of the api that meets a remote, with its own options given."""

    def __call__(
        self, repo: Repository, context: Context, remote: str | None, tasks: tuple[str, ...], /, *, progress: Any
    ) -> Exchange: ...


def exchange(
    session: Session, names: Sequence[str] | None, verb: Exchanging, *, direction: str, as_json: bool
) -> Exchange:
    """Runs fetch, pull, push or merge and reports it; ends with an exit code, if anything was left out."""
    repo = session.repo()
    remote, tasks = split_names(repo, names)
    with _reporting_conflicts(session, direction=direction, as_json=as_json), transfer_progress(session) as watch:
        result = verb(repo, session.context, remote, tasks, progress=watch)
    report(session, result, direction=direction, as_json=as_json)
    exit_unless_whole(session, result)
    return result


@contextmanager
def _reporting_conflicts(session: Session, *, direction: str, as_json: bool) -> Iterator[None]:
    """Prints what was done all the same, before a conflict, or a loss on the remote, that ends the command is told."""
    from mu2net_core.api.sharing.exchanges import ExchangeConflictError, RemoteBehindError

    try:
        yield
    except (ExchangeConflictError, RemoteBehindError) as exc:
        report(session, exc.done, direction=direction, as_json=as_json)
        _tell_restored(session, exc.done, as_json=as_json)
        raise


def exit_unless_whole(session: Session, result: Exchange | CloneResult) -> None:
    """Ends with an exit code, if anything was left out: it is broken, not signed as it has to be, or another root."""
    reports: list[TaskReport | NameReport] = [*result.tasks, *result.tags, *result.roots]
    refused = sum(report.outcome == "refused" for report in reports)
    broken = [report.reason or "" for report in reports if report.outcome == "broken"]
    if refused:
        session.note(f"error: {counted(refused, 'ref')} refused: not signed by an allowed key; all else was done")
    if broken:
        remote, program = getattr(result, "remote", "origin"), session.context.program
        session.note(f"error: {counted(len(broken), 'name')} broken on {remote}, as told above; all else was done")
        if any("mu2net " not in reason for reason in broken):  # those others say themselves what helps
            restore = f"{program} fsck --remote {remote} --repair-from ."
            look = f"{_program(session, result)} fsck --remote {remote}"
            session.note(f"hint: Look at it: {look}. A copy that has it whole puts it back: {restore}")
    if refused or broken:
        raise typer.Exit(CorruptObjectError.exit_code if broken else AccessDeniedError.exit_code)
    others = [root.name for root in result.roots if root.outcome == "conflict"]
    if others:
        session.note(f"error: {', '.join(others)} is another root there; ours stays, and all else was done")
        session.note("hint: Clone the remote into another folder and evolve there, or make a new remote for this one.")
        raise typer.Exit(ConflictError.exit_code)


def exit_if_missing(session: Session, result: Exchange, *, as_json: bool) -> None:
    """Tells what a remote had lost; ends with the exit code of damage if that is not here either."""
    _tell_restored(session, result, as_json=as_json)
    if result.missing:
        lost = ", ".join(result.missing)
        session.note(f"error: {result.remote} ({result.url}) lost {lost}, and it cannot be sent from here")
        session.note(f"hint: with a copy that has it: mu2net fsck --remote {result.remote} --repair-from FOLDER")
        raise typer.Exit(CorruptObjectError.exit_code)


def _tell_restored(session: Session, result: Exchange, *, as_json: bool) -> None:
    for word in () if as_json else result.restored:
        session.say(f" * {'sent again':<12}{word}")
    if result.restored:
        session.note(f"warning: {result.remote} had lost this since it was last seen: was it restored from a backup?")


def report_plan(session: Session, plan: PushPlan, *, as_json: bool) -> None:
    """Prints what a push would send."""
    if as_json:
        print_json(plan)
        return
    session.say(f"Would send to {plan.url}")
    for kind, parcels in (("root ", plan.roots), ("", plan.tasks), ("tag ", plan.tags)):
        for parcel in sorted(parcels, key=lambda parcel: parcel.name):
            session.say(_parcel_line(kind, parcel))
    for word in plan.lost:
        session.say(f" ! {'lost there':<12}{word}: sent again if it is here")
    session.say(f"{counted(plan.num_objects, 'object')}, {quantity(plan.size_bytes)}B; nothing was sent")


def exit_if_conflicting(session: Session, plan: PushPlan) -> None:
    """Ends with the exit code of a conflict, and how to decide it, if a push would."""
    names = [parcel.name for parcel in plan.tasks if parcel.outcome == "conflict"]
    if names:
        session.note(f"error: a push would not join {', '.join(names)}")
        again = f"{session.context.program} push {plan.remote} {names[0]} --on-conflict"
        session.note(f"hint: Keep one of them: {again} ours, or {again} theirs")
        raise typer.Exit(ConflictError.exit_code)


def _parcel_line(kind: str, parcel: Parcel) -> str:
    signs = {"new": "*", "skipped": "!", "conflict": "!", "broken": "!", "merge": "+", "removed": "-"}
    sign = signs.get(parcel.outcome, " ")
    amount = ""
    if parcel.num_components or parcel.num_manifests:
        components = counted(parcel.num_components, "component")
        amount = f": {components}, {counted(parcel.num_manifests, 'manifest')}, {quantity(parcel.size_bytes)}B"
    reason = f": {parcel.reason}" if parcel.reason else ""
    return f" {sign} {parcel.outcome:<12}{kind}{parcel.name}{amount}{reason}"


def _task_line(task: TaskReport) -> str:
    sign = {"new": "*", "merged": "+", "removed": "-"}.get(task.outcome, "!" if task.outcome in _STOPPED else " ")
    reason = f": {task.reason}" if task.reason and task.outcome != "conflict" else ""  # the error that follows says it
    stands = f" [{short(task.commit)}]" if task.commit else ""
    return f" {sign} {task.outcome:<12}{task.task}{stands}{reason}"


def _name_line(kind: str, name: NameReport) -> str:
    sign = "*" if name.outcome == "new" else "!"
    names = f" [{short(name.id)}]" if name.id else ""
    return f" {sign} {name.outcome:<12}{kind} {name.name}{names}{': ' + name.reason if name.reason else ''}"
