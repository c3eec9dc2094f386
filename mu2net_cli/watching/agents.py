"""``evolve --agent`` and ``evolve --agents``: one agent that tells everything in JSON, and a pool of them."""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Event as Flag
from typing import TYPE_CHECKING, Any, NoReturn

import typer

from mu2net_cli.printing.render import console, print_json
from mu2net_cli.printing.text import print_line
from mu2net_cli.watching.fleet import Fleet, pool_line
from mu2net_cli.watching.observing import observed
from mu2net_cli.watching.progress import drawn
from mu2net_cli.watching.signals import heeded, when_stdin_ends
from mu2net_cli.watching.telling import MOST_TOLD, line_of
from mu2net_core.api.evolving.event_log import event_line
from mu2net_core.api.pool.happenings import AgentEnded, AgentFailed, AgentRemark, PoolEvent
from mu2net_core.errors import SearchError
from mu2net_core.events import IterationFinished

if TYPE_CHECKING:
    from mu2net_cli.session import Session
    from mu2net_core.api.iterations.options import EvolveOptions
    from mu2net_core.api.pool.cluster import Cluster
    from mu2net_core.api.pool.pool import PoolResult
    from mu2net_core.repo import Repository

__all__ = ["do_job", "run_agent", "run_agents"]

_INTERRUPTED = 130
_TIMES_A_SECOND = 1


def do_job(session: Session, file: Path) -> None:
    """Is an agent of a pool: in its working copy, or in one of its own on another machine."""
    from mu2net_core.api.pool.job import read_job

    job = read_job(session.path(file))
    if job.home is None:
        run_agent(session, session.repo(), job.tasks, job.options)
        return
    from mu2net_core.api.pool.elsewhere import drop_refused, working_copy

    with working_copy(job.home, session.context) as repo:
        drop_refused(repo, session.context, job.tasks, job.options)
        run_agent(session, repo, job.tasks, job.options)


def run_agent(session: Session, repo: Repository, tasks: Sequence[str] | None, options: EvolveOptions) -> None:
    """Runs one agent, which prints a line of JSON per event, and at last one that says what it came to.

    It ends with the generation at hand when it is asked to by a signal, or when its stdin, if that is a pipe, closes.
    """
    from mu2net_core.api.evolving.evolve import evolve

    stop = Flag()
    when_stdin_ends(stop.set)

    def tell(event: object) -> None:
        sys.stdout.write(event_line(event, session.context.timestamp()))
        sys.stdout.flush()

    with heeded(stop.set, _interrupt):
        result = evolve(repo, session.context, tasks, options, on_event=tell, stop=stop)
    tell(result)
    if result.stopped:
        raise typer.Exit(_INTERRUPTED)


def run_agents(
    session: Session,
    repo: Repository,
    tasks: Sequence[str] | None,
    options: EvolveOptions,
    *,
    events: Path | None,
    as_json: bool,
    cluster: Cluster | None = None,
) -> None:
    """Runs a pool of agents, here or on a cluster, shows where they stand, and says at the end what they came to."""
    from mu2net_core.api.pool.pool import Stopping, run_pool

    stopping = Stopping()

    def stop() -> None:
        stopping.ask()
        print_line("Stopping: each agent ends with the generation it is at. Once more to stop at once.", err=True)

    with (
        _shown(session, results=not as_json) as show,
        observed(session, show, events=events, profile=None) as on_event,
        heeded(stop, stopping.ask),
    ):
        result = run_pool(
            repo,
            session.context,
            tasks,
            options,
            program=_program(session, is_here=cluster is None),
            on_event=on_event,
            stopping=stopping,
            cluster=cluster,
        )
    if as_json:
        print_json(result)
    _conclude(session, result)


def _interrupt() -> NoReturn:
    raise KeyboardInterrupt


def _program(session: Session, *, is_here: bool) -> list[str]:
    """Returns what Python is given to be an agent of a pool; nothing is imported from where it works."""
    where = ["-C", str(session.context.cwd)] if is_here else []
    return ["-P", "-m", "mu2net_cli.main", *session.flags(), *where, "evolve", "--job"]


@contextmanager
def _shown(session: Session, *, results: bool) -> Iterator[Callable[[Any], None]]:
    """Yields what shows events: a live table on a terminal, else lines; those of results go to stdout."""
    fleet = Fleet()
    finished = deque[IterationFinished](maxlen=MOST_TOLD)

    def take(event: PoolEvent) -> None:
        fleet.update(event)
        if isinstance(event, IterationFinished) and results:
            finished.append(event)
            if not session.live:
                print_line(line_of(event) or "")
        elif not session.live or isinstance(event, AgentRemark | AgentFailed | AgentEnded):
            line = pool_line(event, verbose=session.verbose)
            if line is not None and not session.quiet:
                print_line(line, err=True)

    if not session.live:
        yield take
        return
    screen = console(session, stderr=True)
    try:
        with drawn(screen, fleet.view, is_empty=lambda: not fleet.rows(), per_second=_TIMES_A_SECOND):
            yield take
    finally:
        for event in finished:
            print_line(line_of(event) or "")


def _conclude(session: Session, result: PoolResult) -> None:
    """Says what is left to say; ends with what went wrong."""
    program = session.context.program
    if result.stopped:
        session.note(f"Stopped; every finished generation is kept. The same command goes on. Also: {program} status")
        raise typer.Exit(_INTERRUPTED)
    session.note(f"Next: {program} leaderboard; {program} log")
    failed = [one for one in result.agents if one.outcome == "failed"]
    if failed:
        said = "; ".join(dict.fromkeys(f"{one.reason}".rstrip(".") for one in failed))
        names = ", ".join(one.agent for one in failed)
        hints = " ".join(dict.fromkeys(one.hint for one in failed if one.hint))
        raise SearchError(
            f"Given up: {names}. {said}.",
            hint=hints or f"Where all stands: {program} status. The same command goes on.",
        )
    left_out = sorted({name for one in result.agents for name in one.left_out})
    if left_out:
        raise SearchError(f"Not improved, as told above: {', '.join(left_out)}. All else was done.")
