"""``evolve`` without ``--agents``: one agent in this process, how far it is, and what came of it."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from mu2net_cli.printing.render import print_json
from mu2net_cli.watching.observing import observed
from mu2net_cli.watching.progress import evolve_progress
from mu2net_cli.watching.pushing import Pushes
from mu2net_cli.watching.story import Story
from mu2net_cli.watching.telling import often
from mu2net_core.errors import SearchError

if TYPE_CHECKING:
    from mu2net_cli.session import Session
    from mu2net_core.api.evolving.evolve import EvolveResult
    from mu2net_core.api.iterations.options import EvolveOptions
    from mu2net_core.repo import Repository

__all__ = ["run_here"]


def run_here(
    session: Session,
    repo: Repository,
    names: tuple[str, ...],
    chosen: tuple[str, ...] | None,
    options: EvolveOptions,
    *,
    events: Path | None,
    profile: Path | None,
    as_json: bool,
) -> None:
    """Improves tasks in this process, shows how far it is, and prints what came of it."""
    from mu2net_core.api.evolving.evolve import evolve as evolve_api

    pushes = Pushes(session=session)
    again = (
        *(["--push"] * bool(options.push)),
        *(["--barrier"] * options.barrier),
        *(["--no-leases"] * (not options.leases)),
        *(["--events", str(events)] if events is not None else []),
    )
    story = Story(session=session, repo=repo, tasks=names, restart=options.restart, options=again)
    try:
        with (
            evolve_progress(session, results=not as_json) as show,
            observed(session, story.after(show), events=events, profile=profile) as on_event,
        ):
            result = evolve_api(repo, session.context, chosen, options, on_event=on_event, on_push=pushes.take)
    except KeyboardInterrupt:
        for line in story.stopped():
            session.note(line)
        raise typer.Exit(130) from None
    finally:
        if not as_json:
            pushes.tell()
    _conclude(session, result, pushes, as_json=as_json)


def _conclude(session: Session, result: EvolveResult, pushes: Pushes, *, as_json: bool) -> None:
    """Prints what there is to say at the end; ends with the error of a push that failed, or of tasks left out."""
    if as_json:
        print_json(result)
    if result.not_begun:
        session.note(f"Time is up. Not begun: {often(result.not_begun)}.")
    if result.held:
        session.note(f"Left to the agents that work on them: {often(result.held)}.")
    seeds = dict.fromkeys(str(one.seed) for one in result.iterations)
    word, program = "Seed" if len(seeds) == 1 else "Seeds", session.context.program
    if result.iterations:
        ancestry = f"{program} ancestry {shlex.quote(result.iterations[-1].task)}"
        session.note(f"{word} {', '.join(seeds)}. Next: {program} leaderboard; {program} log; {ancestry}")
    pushes.conclude(as_json=as_json)
    if result.left_out:
        raise SearchError(f"Not improved, as told above: {often(result.left_out)}. All else was done.")
