"""``mu2net evolve``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mu2net_cli.options import JsonFlag, Seed, complete_task, parse_budget
from mu2net_cli.render import print_json
from mu2net_cli.session import Session, session_of, warn_of_unknown_variables
from mu2net_core.errors import InvalidInputError, Mu2netError, NotFoundError

if TYPE_CHECKING:
    from mu2net_core.api.events import Event
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
        str | None, typer.Option("--budget", metavar="TIME", help="Stop before an iteration past this: 90s, 30m, 2h.")
    ] = None,
    push: Annotated[bool, typer.Option("--push/--no-push", help="Push after every task iteration.")] = False,
    events: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Append what happens to FILE, a line of JSON per event.")
    ] = None,
    profile: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Write a profile of JAX's work to DIR; for short runs.")
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Improve tasks by evolution: the main job.

    Each task iteration samples and trains generations of mutated models, keeps the best and commits it. Stop it at any
    time with Ctrl-C: the same command goes on after the last finished generation. With another seed or other settings
    it begins that iteration anew, and says so. docs/method.md says what the lines of --events hold.

    Example: mu2net evolve --all --iterations 2
    """
    from mu2net_cli.observing import observed
    from mu2net_cli.progress import evolve_progress
    from mu2net_core.api.evolve import evolve as evolve_api

    session = session_of(ctx)
    budget_s, repo = parse_budget(budget), session.repo()
    warn_of_unknown_variables(session, repo)
    tasks = _chosen(repo, task or [], every=every)
    if push and not repo.config.remotes:
        raise NotFoundError("There is no remote to push to.", hint="Add one: mu2net remote add origin FOLDER")
    try:
        with (
            evolve_progress(session, results=not as_json) as show,
            observed(session, show, events=events, profile=profile) as on_event,
        ):
            result = evolve_api(
                repo,
                session.context,
                tasks=tasks,
                iterations=iterations,
                generations=generations,
                children=children,
                validations=validations,
                seed=seed,
                budget_s=budget_s,
                on_event=_pushing(session, repo, on_event) if push else on_event,
            )
    except KeyboardInterrupt:
        session.note("Stopped. Every finished generation is kept: the same command goes on from there.")
        raise typer.Exit(130) from None
    if as_json:
        print_json(result)
    session.note(f"Seed {result.seed}. Next: mu2net leaderboard; mu2net log; mu2net ancestry TASK")


def _chosen(repo: Repository, names: Sequence[str], *, every: bool) -> tuple[str, ...]:
    """Returns the tasks to improve: those named, or all there are."""
    from mu2net_core.api.tasks import tasks as tasks_api

    if every == bool(names):
        raise InvalidInputError("Which tasks? Expected --task TASK (repeatable) or --all.", hint="See: mu2net tasks")
    return tuple(info.name for info in tasks_api(repo)) if every else tuple(dict.fromkeys(names))


def _pushing(session: Session, repo: Repository, on_event: Callable[[Event], None]) -> Callable[[Event], None]:
    """Returns ``on_event`` that also pushes a task whose iteration is over; a failed push stops nothing."""
    from mu2net_core.api.events import IterationFinished
    from mu2net_core.api.push import push as push_api

    def on_event_and_push(event: Event) -> None:
        on_event(event)
        if isinstance(event, IterationFinished):
            try:
                result = push_api(repo, session.context, tasks=(event.task,))
                if result.restored:
                    session.note(f"warning: {result.remote} had lost and got again: {', '.join(result.restored)}")
                if result.missing:
                    session.note(f"warning: {result.remote} lost {', '.join(result.missing)}: see mu2net push")
            except Mu2netError as exc:
                session.note(f"warning: not pushed: {exc.message}")
                session.note(f"hint: {exc.hint or 'Look at: mu2net status'} The work is safe here: mu2net push")

    return on_event_and_push
