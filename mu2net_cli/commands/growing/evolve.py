"""``mu2net evolve``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mu2net_cli.parsing.clusters import parse_cluster
from mu2net_cli.parsing.completion import complete_preset, complete_task
from mu2net_cli.parsing.options import JsonFlag, Seed, parse_budget
from mu2net_cli.parsing.spaces import parse_space
from mu2net_cli.printing.render import print_json
from mu2net_cli.session import Session, session_of, warn_of_unknown_settings
from mu2net_core.errors import InvalidInputError

if TYPE_CHECKING:
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
    iterations: Annotated[
        int | None,
        typer.Option("--iterations", "-n", min=1, help="Task iterations per task; 1 without it, no end with --watch."),
    ] = None,
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
    until: Annotated[
        float | None, typer.Option(metavar="SCORE", help="Improve no task whose score is at least this, e.g. 0.95.")
    ] = None,
    watch: Annotated[
        bool,
        typer.Option("--watch", help="Go on for ever, with the task that promises most; new ones, too. Pulls."),
    ] = False,
    agents: Annotated[
        int | None,
        typer.Option(
            "--agents", min=1, help="Start N agents, each with cores or GPUs of its own, that share the tasks."
        ),
    ] = None,
    agent: Annotated[
        int | None,
        typer.Option(
            "--agent", metavar="SLOT", min=0, help="Be the agent SLOT, from 0, of --agents N; print JSON lines."
        ),
    ] = None,
    executor: Annotated[
        str | None, typer.Option(metavar="NAME", help="Where --agents run: local, this machine; ray, a Ray cluster.")
    ] = None,
    ray_address: Annotated[
        str | None, typer.Option("--ray-address", metavar="HOST:PORT", help="Of the head of the Ray cluster.")
    ] = None,
    agent_resources: Annotated[
        str | None,
        typer.Option(
            "--agent-resources", metavar="A=N,B=N", help="What a cluster sets aside for each agent: gpu=1,cpu=2."
        ),
    ] = None,
    job: Annotated[Path | None, typer.Option("--job", hidden=True, help="Be an agent of a pool.")] = None,
    method: Annotated[
        str | None, typer.Option(metavar="NAME", help="Plan generations by this method, e.g. random, tpe.")
    ] = None,
    scorer: Annotated[
        str | None, typer.Option(metavar="NAME", help="Score models by this formula, e.g. decay.")
    ] = None,
    preset: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Make models of this preset, not of the task's; in a repository of auto.",
            autocompletion=complete_preset,
        ),
    ] = None,
    space: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=V,V",
            help="Values that a hyperparameter can have, or the name of a .toml or .json file of lists; repeatable.",
        ),
    ] = None,
    push: Annotated[
        bool | None, typer.Option("--push/--no-push", help="Push after every task iteration; --watch does if it can.")
    ] = None,
    barrier: Annotated[
        bool,
        typer.Option("--barrier", help="All tasks go in step: none begins an iteration before all finished the last."),
    ] = False,
    leases: Annotated[
        bool,
        typer.Option("--leases/--no-leases", help="Leave tasks alone that others work on, and say what this one does."),
    ] = True,
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
    the lines of --events hold. --dry-run trains two children of each preset for a few steps, to find out what they
    cost, and throws them away. docs/parallel.md tells of --agents, --agent and --watch,
    docs/agents.md of leases: tasks that other agents work on, here or where this pushes to, are left to them.

    Example: mu2net evolve --all --iterations 2

    Example: mu2net evolve --all --agents 4 --watch

    Example: mu2net evolve --all --method tpe --space learning_rate=0.01,0.03,0.1

    Example: mu2net evolve --all --agents 8 --executor ray --ray-address 10.0.0.1:6379 --agent-resources gpu=1,cpu=2
    """
    from mu2net_core.api.iterations.options import EvolveOptions

    session = session_of(ctx)
    if job is not None:
        from mu2net_cli.watching.agents import do_job

        do_job(session, job)
        return
    budget_s, repo = parse_budget(budget), session.repo()
    cluster = parse_cluster(executor, ray_address, agent_resources, agents=None if agent is not None else agents)
    _check_output(agent, agents, events=events, profile=profile)
    warn_of_unknown_settings(session, repo)
    options = EvolveOptions(
        iterations=iterations,
        generations=generations,
        children=children,
        validations=validations,
        seed=seed,
        budget_s=budget_s,
        restart=restart,
        slot=agent or 0,
        agents=_number_of_agents(agent, agents),
        until=until,
        watch=watch,
        method=method,
        scorer=scorer,
        preset=preset,
        space=parse_space(space or [], session.path),
        barrier=barrier,
        push=push,
        leases=leases,
    )
    names = _chosen(repo, task or [], every=every)
    if dry_run:
        _plan(session, repo, names, replace(options, agents=None), as_json=as_json)
        return
    chosen = None if every and watch else names
    if agents is None and agent is None:
        from mu2net_cli.watching.alone import run_here

        run_here(session, repo, names, chosen, options, events=events, profile=profile, as_json=as_json)
        return
    from mu2net_cli.watching.agents import run_agent, run_agents

    if agent is not None:
        run_agent(session, repo, chosen, options)
    else:
        run_agents(session, repo, chosen, options, events=events, as_json=as_json, cluster=cluster)


def _check_output(agent: int | None, agents: int | None, *, events: Path | None, profile: Path | None) -> None:
    """Refuses what agents in processes of their own would not write."""
    if events is not None and agent is not None:
        raise InvalidInputError("An agent prints its events; expected no --events with --agent.", hint="... > FILE")
    if profile is not None and (agent, agents) != (None, None):
        raise InvalidInputError("A profile is that of one process; expected no --profile with --agents or --agent.")


def _number_of_agents(slot: int | None, agents: int | None) -> int | None:
    """Returns how many agents share the tasks, as far as it is known: at least one up to the slot that was named."""
    return agents if slot is None or agents is not None else slot + 1


def _plan(session: Session, repo: Repository, tasks: Sequence[str], options: EvolveOptions, *, as_json: bool) -> None:
    """Prints what would be done."""
    from mu2net_cli.printing.plans import plan_lines
    from mu2net_cli.printing.text import print_lines
    from mu2net_core.api.evolving.plan_evolve import plan_evolve

    session.note("Training two children of each preset for a few steps, to see what they cost; nothing is kept ...")
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
