"""``mu2net evolve``."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mu2net_cli.parsing.completion import complete_task
from mu2net_cli.parsing.options import JsonFlag, Seed, parse_budget
from mu2net_cli.printing.render import print_json
from mu2net_cli.session import Session, session_of, warn_of_unknown_settings
from mu2net_core.errors import InvalidInputError, SearchError

if TYPE_CHECKING:
    from mu2net_cli.watching.pushing import Pushes
    from mu2net_core.api.evolving.evolve import EvolveResult
    from mu2net_core.api.iterations.options import EvolveOptions
    from mu2net_core.repo import Repository

__all__ = ["evolve"]


def evolve(
    ctx: typer.Context,
    *,
    task: Annotated[
        list[str] | None,
        typer.Option(
            "--task", "-t", metavar="TASK", help="Improve this task; repeatable.", autocompletion=complete_task
        ),
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="Improve every task, in turn.")] = False,
    iterations: Annotated[int, typer.Option("--iterations", "-n", min=1, help="Task iterations per task.")] = 1,
    generations: Annotated[int | None, typer.Option(min=1, help="Generations per iteration.")] = None,
    children: Annotated[int | None, typer.Option(min=1, help="Children per generation.")] = None,
    validations: Annotated[int | None, typer.Option(min=1, help="Training cycles per child.")] = None,
    seed: Seed = None,
    budget: Annotated[
        str | None,
        typer.Option(
            "--budget",
            metavar="TIME",
            help="Stop with the generation in which this is up: 90s, 30m, 2h; one always runs.",
        ),
    ] = None,
    push: Annotated[bool, typer.Option("--push/--no-push", help="Push after every task iteration.")] = False,
    events: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Append what happens to FILE, a line of JSON per event.")
    ] = None,
    restart: Annotated[
        bool, typer.Option("--restart", help="Drop what unfinished iterations of these tasks trained; begin anew.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say what would be done, and what it would cost here.")
    ] = False,
    profile: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Write a profile of JAX's work to DIR; for short runs.")
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Improve tasks by evolution: the main job.

    Each task iteration samples and trains generations of mutated models, keeps the best and commits it. Stop it at any
    time with Ctrl-C: every finished generation is kept, and the next evolve of that task goes on after it, with the
    seed and settings that the iteration began with. Of several tasks those with an unfinished iteration go first, and
    it counts. It can be given more --generations; any other option that contradicts is refused, and nothing is dropped
    without --restart. When --budget is up, the iteration at hand ends with the best it has. docs/method.md says what
    the lines of --events hold. --dry-run trains a few steps of one child of each preset to find out what they cost, and
    throws them away.

    Example: mu2net evolve --all --iterations 2
    """
    from mu2net_cli.watching.observing import observed
    from mu2net_cli.watching.progress import evolve_progress
    from mu2net_cli.watching.pushing import Pushes
    from mu2net_cli.watching.story import Story
    from mu2net_core.api.evolving.evolve import evolve as evolve_api
    from mu2net_core.api.iterations.options import EvolveOptions

    session = session_of(ctx)
    budget_s, repo = parse_budget(budget), session.repo()
    warn_of_unknown_settings(session, repo)
    options = EvolveOptions(
        iterations=iterations,
        generations=generations,
        children=children,
        validations=validations,
        seed=seed,
        budget_s=budget_s,
        restart=restart,
        push=push,
    )
    tasks, pushes = _chosen(repo, task or [], every=every), Pushes(session=session)
    if dry_run:
        _plan(session, repo, tasks, options, as_json=as_json)
        return
    again = (*(["--push"] * push), *(["--events", str(events)] if events is not None else []))
    story = Story(session=session, repo=repo, tasks=tasks, restart=restart, options=again)
    try:
        with (
            evolve_progress(session, results=not as_json) as show,
            observed(session, story.after(show), events=events, profile=profile) as on_event,
        ):
            result = evolve_api(repo, session.context, tasks, options, on_event=on_event, on_push=pushes.take)
    except KeyboardInterrupt:
        for line in story.stopped():
            session.note(line)
        raise typer.Exit(130) from None
    finally:
        if not as_json:
            pushes.tell()
    _conclude(session, result, pushes, as_json=as_json)


def _plan(session: Session, repo: Repository, tasks: Sequence[str], options: EvolveOptions, *, as_json: bool) -> None:
    """Prints what would be done."""
    from mu2net_cli.printing.plans import plan_lines
    from mu2net_cli.printing.text import print_lines
    from mu2net_core.api.evolving.plan_evolve import plan_evolve

    session.note("Training a few steps of one child of each preset, to see what they cost; nothing of it is kept ...")
    plan = plan_evolve(repo, session.context, tasks, options)
    if as_json:
        print_json(plan)
        return
    print_lines(plan_lines(plan))
    for task, reason in plan.left_out.items():
        session.note(f"{task} would be left out: {reason}")


def _chosen(repo: Repository, names: Sequence[str], *, every: bool) -> tuple[str, ...]:
    """Returns the tasks to improve: those named, or all there are."""
    from mu2net_core.api.looking.tasks import tasks as tasks_api

    if every == bool(names):
        raise InvalidInputError(
            "Which tasks? Expected --task TASK (repeatable) or --all.", hint="Which there are: mu2net tasks"
        )
    return tuple(info.name for info in tasks_api(repo)) if every else tuple(dict.fromkeys(names))


def _conclude(session: Session, result: EvolveResult, pushes: Pushes, *, as_json: bool) -> None:
    """Prints what there is to say at the end; ends with the error of a push that failed, or of tasks left out."""
    from mu2net_cli.watching.telling import often

    if as_json:
        print_json(result)
    if result.not_begun:
        session.note(f"Time is up. Not begun: {often(result.not_begun)}.")
    seeds = dict.fromkeys(str(one.seed) for one in result.iterations)
    word, program = "Seed" if len(seeds) == 1 else "Seeds", session.context.program
    ancestry = f"{program} ancestry {shlex.quote(result.iterations[-1].task)}"
    session.note(f"{word} {', '.join(seeds)}. Next: {program} leaderboard; {program} log; {ancestry}")
    pushes.conclude(as_json=as_json)
    if result.left_out:
        raise SearchError(f"Not improved, as told above: {often(result.left_out)}. All else was done.")
