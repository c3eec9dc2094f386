"""``mu2net status``."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer

from mu2net_cli.parsing.completion import complete_remote
from mu2net_cli.parsing.options import JsonFlag
from mu2net_cli.printing.describe import access_text
from mu2net_cli.printing.layout import terminal_height, terminal_width, wrapped
from mu2net_cli.printing.render import ago, counted, duration, percent, print_json, print_json_line, quantity, short
from mu2net_cli.printing.text import print_lines
from mu2net_cli.printing.working import working_lines
from mu2net_cli.session import session_of

if TYPE_CHECKING:
    from mu2net_core.api.looking.next_steps import NextStep
    from mu2net_core.api.looking.remote_status import RemoteStatus
    from mu2net_core.api.looking.status import StatusReport, TaskStatus
    from mu2net_core.api.looking.unfinished import Unfinished

__all__ = ["status"]


_PERIOD_S, _REMOTE_PERIOD_S = 10.0, 60.0


def status(
    ctx: typer.Context,
    *,
    remote: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Ask this remote, too, who works on what.", autocompletion=complete_remote),
    ] = None,
    watch: Annotated[bool, typer.Option("--watch", help="Look again and again, until Ctrl-C.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """Say where everything stands, who works on what, and what to do next.

    Remotes are compared as they were last seen: 'mu2net fetch' looks again, and --remote asks which agents work there.
    What to do next comes in the order in which it is best done; each line can be run as it is. --watch looks every 10
    seconds, with --remote every minute; on a terminal that is too low for all tasks it shows those that agents are at.
    With --json it prints a line of JSON each time.

    Example: mu2net status

    Example: mu2net status --watch --remote origin
    """
    from mu2net_cli.watching.again import again
    from mu2net_core.api.looking.status import status as status_api

    session = session_of(ctx)
    repo = session.repo()

    def look() -> None:
        report = status_api(repo, session.context, remote=remote)
        if as_json:
            (print_json_line if watch else print_json)(report)
        else:
            _print(report, session.context.now(), period_s if watch else None)

    period_s = _PERIOD_S if remote is None else _REMOTE_PERIOD_S
    if watch:
        again(look, period_s, clears=not as_json)
    else:
        look()


def _print(report: StatusReport, now: datetime, period_s: float | None = None) -> None:
    """Prints where everything stands; where it is printed again and again, no more than fits a terminal, and when."""
    remotes = [_remote(remote, now) for remote in report.remotes]
    below = [*working_lines(report.working), *remotes, *_next_lines(report.next)]
    if period_s is not None:
        below.append(f"Looked at {now:%H:%M:%S} UTC; again every {duration(period_s)}, until Ctrl-C")
    lines = [*_lines(report), *below]
    if period_s is not None and not _fits(lines):
        lines = [*_lines(report, busy_only=True), *below]
    print_lines(lines)


def _fits(lines: Sequence[str]) -> bool:
    """Returns whether lines fit a terminal, if there is one, with the line that the cursor is in."""
    height, width = terminal_height(sys.stdout), terminal_width(sys.stdout)
    return height is None or sum(wrapped(line, width).count("\n") + 1 for line in lines) < height


def _lines(report: StatusReport, *, busy_only: bool = False) -> Iterator[str]:
    """Yields how large the system is and where its tasks stand, all or only those that agents are at."""
    base = "" if report.based_on == report.preset else f", based on {report.based_on}"
    yield f"System {report.worktree} (preset {report.preset}{base})"
    size = f"{counted(report.num_components, 'component')}, {quantity(report.num_params)} parameters"
    yield f"{counted(len(report.tasks), 'task')}, {size}"
    if len(report.roots) > 1:
        yield f"Roots: {', '.join(f'{name} {short(oid)}' for name, oid in sorted(report.roots.items()))}"
    busy = {one.task for one in report.working}
    shown = [task for task in report.tasks if not busy_only or task.task in busy or task.process is not None]
    width = max((len(task.task) for task in shown), default=0)
    for task in shown:
        yield f"  {task.task:<{width}}  {_stands(task)}"
    if len(shown) < len(report.tasks):
        yield f"  {counted(len(report.tasks) - len(shown), 'task')} more that no agent is at: mu2net tasks"
    for state in report.unfinished:
        yield f"Unfinished: {_left(state)}"
    for name in report.set_aside:
        yield f"Set aside: {name}, since others purged it; mu2net rm-task {name} --undo brings it back"


def _left(state: Unfinished) -> str:
    parts = [state.task]
    if state.generations is not None:
        done = f"{state.generation} of {counted(state.generations, 'generation')} done, seed {state.seed}"
        parts = [f"{state.task}, iteration {state.iteration}: {done}"]
    return "; ".join(parts if state.stuck is None else [*parts, f"it cannot go on: {state.stuck}"])


def _stands(task: TaskStatus) -> str:
    access = access_text(task.task, task.access.readers)
    now = "" if task.process is None else f"; running now (process {task.process})"
    if task.model is None:
        return f"{access}, no model yet{now}"
    quality = f"validation {percent(task.validation)}, test {percent(task.test)}"
    chance = ", no better than guessing" if task.at_chance else ""
    return f"{access}, {counted(task.iteration, 'iteration')}: {quality}{chance}{now}"


def _remote(remote: RemoteStatus, now: datetime) -> str:
    """Returns how the heads here compare with a remote, and how old the knowledge of it is."""
    when = f", as seen {ago(remote.seen_at, now)}" if remote.seen_at else ""
    return f"Remote {remote.name} ({remote.url}){when}: {_relation(remote)}"


def _relation(remote: RemoteStatus) -> str:
    if remote.is_other:
        return "another repository was there when it was last looked at"
    ours = remote.to_push
    names = [*ours.tasks, *(f"root {name}" for name in ours.roots), *(f"tag {name}" for name in ours.tags)]
    parts = {
        "to push": names if remote.seen else (),
        "to pull": remote.tasks("behind", "only-there"),
        "moved on both sides": remote.tasks("diverged"),
        "moved on both sides, and a choice is needed": remote.tasks("conflict"),
        "purged here, still there": remote.tasks("purged"),
        "purged there, kept here": remote.tasks("purged-there"),
        "purged there, kept here with work that never was there": remote.tasks("outlived"),
    }
    told = [f"behind what was seen of it, gone there: {', '.join(remote.lost)}"] if remote.lost else []
    told += [f"{what}: {', '.join(some)}" for what, some in parts.items() if some]
    return "; ".join(told) or ("up to date" if remote.seen else "not contacted yet")


def _next_lines(steps: tuple[NextStep, ...]) -> Iterator[str]:
    """Yields a command per line; the reason is a comment to a shell, so that the line can be pasted as it is."""
    width = max((len(step.command) for step in steps), default=0)
    for step in steps:
        yield f"Next: {step.command:<{width}}  # {step.why}"
