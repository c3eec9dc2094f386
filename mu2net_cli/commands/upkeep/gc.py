"""``mu2net gc``."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from mu2net_cli.parsing.completion import complete_remote
from mu2net_cli.parsing.maintenance import parse_grace, upkeep_progress
from mu2net_cli.parsing.options import JsonFlag
from mu2net_cli.parsing.repeating import again
from mu2net_cli.printing.render import counted, print_json, quantity
from mu2net_cli.session import Session, session_of
from mu2net_core.errors import InvalidInputError

if TYPE_CHECKING:
    from mu2net_core.repo.upkeep import GcReport

__all__ = ["gc"]


def gc(
    ctx: typer.Context,
    *,
    remote: Annotated[
        str | None, typer.Option(metavar="REMOTE", help="Not here, but there.", autocompletion=complete_remote)
    ] = None,
    grace: Annotated[str, typer.Option(metavar="AGE", help="Keep what is younger: 14d, 36h, ...")] = "14d",
    prune: Annotated[bool, typer.Option("--prune/--dry-run", help="Delete it; without, only say what.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """Find what nobody needs any more; with --prune, delete it.

    Needed is what any head, any earlier state of one, any tag or root reaches, what was fetched, and what a running
    iteration uses. What is left of interrupted work goes after a while (--grace), by the clock of the storage. Nothing
    is deleted if a reference cannot be read.

    Example: mu2net gc --remote origin --prune
    """
    session = session_of(ctx)
    age = parse_grace(grace)
    if prune and not yes:
        _ask(session, remote, age, command=again(ctx, "--yes"))
    report = _collect(session, remote, age, prune=prune)
    if as_json:
        print_json(report)
    else:
        _say(session, report, command=again(ctx, "--prune"))


def _collect(session: Session, remote: str | None, age: timedelta, *, prune: bool) -> GcReport:
    from mu2net_core.api.upkeep.gc import gc as gc_api

    repo = session.repo()
    if prune and age < timedelta(days=1):
        session.note("warning: with so short a --grace, make sure that nobody pushes or evolves meanwhile.")
    with upkeep_progress(session) as watch:
        return gc_api(repo, session.context, remote=remote, grace=age, dry_run=not prune, progress=watch)


def _ask(session: Session, remote: str | None, age: timedelta, *, command: str) -> None:
    where = "here" if remote is None else f"on {remote}"
    if not session.interactive:
        raise InvalidInputError("Deleting needs a yes.", hint=f"Say it with: {command}")
    report = _collect(session, remote, age, prune=False)
    _say(session, report, command=command)
    typer.confirm(f"Delete that {where}?", abort=True)


def _say(session: Session, report: GcReport, *, command: str) -> None:
    kinds = ", ".join(counted(number, kind) for kind, number in report.kinds.items())
    doing = "Would delete" if report.dry_run else "Deleted"
    session.say(
        f"{doing} {counted(report.num_objects, 'object')}, {quantity(report.size_bytes)}B"
        + (f": {kinds}" * bool(kinds))
    )
    if report.num_leftovers:
        session.say(f"{doing} {counted(report.num_leftovers, 'unfinished or damaged file')}")
    for waiting in report.set_aside:
        amount, until = counted(waiting.num_objects, "object"), waiting.until[:10]
        session.note(
            f"{amount} of {waiting.task} set aside until {until}, since others purged it; to bring it back: mu2net "
            f"rm-task {waiting.task} --undo"
        )
    session.note(f"{counted(report.num_reachable, 'object')} needed, {report.num_young} too young to go")
    if report.dry_run and (report.num_objects or report.num_leftovers):
        session.note(f"To delete: {command}")
