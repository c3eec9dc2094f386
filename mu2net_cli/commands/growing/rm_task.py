"""``mu2net rm-task``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from mu2net_cli.parsing.completion import complete_remote
from mu2net_cli.parsing.options import JsonFlag, TaskArgument
from mu2net_cli.parsing.repeating import again
from mu2net_cli.printing.render import counted, print_json, quantity, short
from mu2net_cli.session import Session, session_of
from mu2net_core.errors import InvalidInputError

if TYPE_CHECKING:
    from mu2net_core.api.sharing.purge import PurgeReport

__all__ = ["rm_task"]


def rm_task(
    ctx: typer.Context,
    task: TaskArgument,
    *,
    purge: Annotated[bool, typer.Option("--purge", help="Delete its history, and what only it reached.")] = False,
    remote: Annotated[
        str | None,
        typer.Option(metavar="REMOTE", help="With --purge: not here, but there.", autocompletion=complete_remote),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be removed or deleted.")] = False,
    now: Annotated[
        bool, typer.Option("--now", help="With --purge --remote: do not wait for pushes under way to end.")
    ] = False,
    undo: Annotated[
        bool, typer.Option("--undo", help="Bring back what a pull set aside, since others purged it.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """Remove a task; its history stays, unless it is purged.

    Models of other tasks that build on its layers keep them. Adding the task again continues its history; if its data,
    splits and readers are the same, it takes up its last model again.

    With --purge, nothing is left of its data but what other tasks learned from it, and their history with it. Other
    copies that still have it cannot push it back; they keep it, unless their setting pull.follow_purges says otherwise.
    A remote is purged with --remote: this takes a minute, in which pushes under way end; --now does not wait, and what
    such a push brings may stay there until gc.

    Example: mu2net rm-task cmaterdb/telugu
    """
    session = session_of(ctx)
    _check_options(purge=purge, remote=remote, now=now, undo=undo, dry_run=dry_run)
    command = None if yes else again(ctx, "--yes")
    if undo:
        _undo(session, task, as_json=as_json)
    elif purge:
        _purge(session, task, remote, dry_run=dry_run, now=now, command=command, as_json=as_json)
    else:
        _remove(session, task, dry_run=dry_run, command=command, as_json=as_json)


def _remove(session: Session, task: str, *, dry_run: bool, command: str | None, as_json: bool) -> None:
    """Removes a task; asks first, unless ``command``, which says yes, is None."""
    from mu2net_core.api.looking.names import task_head
    from mu2net_core.api.tasks.rm_task import rm_task as rm_task_api

    repo = session.repo()
    if not dry_run and command is not None:
        task_head(repo, task)
        _ask(session.interactive, f"Remov{{}} task {task}", command)
    head = rm_task_api(repo, session.context, task, dry_run=dry_run)
    if as_json:
        print_json(head)
        return
    if dry_run:
        session.say(
            f"Would remove task {task} [{short(head.commit_id)}]; its history would stay, and models of other tasks "
            "keep the layers they have of it"
        )
        return
    session.say(f"Removed task {task} [{short(head.commit_id)}]; its history is in mu2net log {task}")


def _undo(session: Session, task: str, *, as_json: bool) -> None:
    """Brings back what was set aside."""
    from mu2net_core.api.sharing.purge import undo

    head = undo(session.repo(), session.context, task)
    if as_json:
        print_json(head)
    else:
        session.say(f"Brought back task {task} [{short(head.commit_id)}], as it was before the purge")


def _purge(
    session: Session, task: str, remote: str | None, *, dry_run: bool, now: bool, command: str | None, as_json: bool
) -> None:
    """Purges a task; asks first, unless ``command``, which says yes, is None."""
    from mu2net_core.api.sharing.purge import SETTLE_S, is_kept, known_on
    from mu2net_core.api.sharing.purge import purge as purge_api

    repo = session.repo()
    if not dry_run and command is not None:
        what = purge_api(repo, session.context, task, remote=remote, dry_run=True)
        _say(session, what, doomed=True)
        _ask(session.interactive, f"Purg{{}} task {task} for good", command)
    if remote is not None and not dry_run and not now:
        session.note(f"Waiting {SETTLE_S:.0f} s for pushes under way to end (--now would not).")
    report = purge_api(
        repo, session.context, task, remote=remote, dry_run=dry_run, settle=(lambda: None) if now else None
    )
    if as_json:
        print_json(report)
        return
    _say(session, report, doomed=dry_run)
    if dry_run:
        return
    if remote is not None and is_kept(repo, task):
        session.note(f"It is still here, and stays; to drop it here, too: mu2net rm-task {task} --purge")
    elif remote is None:
        for name in known_on(repo, task):
            session.note(f"{name} had it when last seen, and still may: mu2net rm-task {task} --purge --remote {name}")


def _say(session: Session, report: PurgeReport, *, doomed: bool) -> None:
    amount = f"{counted(report.num_objects, 'object')}, {quantity(report.size_bytes)}B"
    session.say(f"{'Would purge' if doomed else 'Purged'} task {report.task} from {report.url}: {amount}")
    if report.holders:
        session.note(
            f"Still with knowledge of it, and what that descends from: {', '.join(report.holders)}. "
            "Purge these too if that must go."
        )
    if report.tags:
        session.note(f"These tags name the system with it, and cannot be pushed any more: {', '.join(report.tags)}")


def _check_options(*, purge: bool, remote: str | None, now: bool, undo: bool, dry_run: bool) -> None:
    if undo and (purge or remote is not None or now or dry_run):
        raise InvalidInputError("--undo goes with no other option.", hint="See mu2net rm-task --help")
    wrong = [name for name, given in {"--remote": remote is not None, "--now": now}.items() if given]
    if wrong and not purge:
        raise InvalidInputError(f"{wrong[0]} goes with --purge only.", hint="See mu2net rm-task --help")
    if now and remote is None:
        raise InvalidInputError("--now goes with --remote only: here there is nothing to wait for.")


def _ask(interactive: bool, what: str, command: str) -> None:  # noqa: FBT001
    if not interactive:
        raise InvalidInputError(f"{what.format('ing')} needs a yes.", hint=f"Say it with: {command}")
    typer.confirm(f"{what.format('e')}?", abort=True)
