"""One iteration of a task, from where it stands to its model in the log."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial

from mu2net_core.api.claiming.claim import Claim
from mu2net_core.api.evolving.asked import make_root
from mu2net_core.api.evolving.evolution import Evolution
from mu2net_core.api.evolving.evolved import IterationResult, Outcome, finished, result_of
from mu2net_core.api.evolving.lines import winner_of
from mu2net_core.api.evolving.publish import Published, Refit, publish
from mu2net_core.api.evolving.runner import Runner
from mu2net_core.api.evolving.view import AsOf, Newest, View, head_of
from mu2net_core.api.iterations.recorded import changed_settings
from mu2net_core.api.iterations.resume import Leftover, look, refuse
from mu2net_core.api.iterations.workspace import Workspace
from mu2net_core.api.settings.serving import is_auto
from mu2net_core.api.signing.signing import committer
from mu2net_core.engine import IterationState, Workshop, run_iteration
from mu2net_core.errors import SearchError
from mu2net_core.events import Event
from mu2net_core.objects import LARGEST_COUNT, Head, System
from mu2net_core.presets import preset_values
from mu2net_core.repo import load_system
from mu2net_core.search import Member

__all__ = ["iterate"]

_OPTIONS = frozenset({"evolve.generations", "evolve.children", "evolve.validations"})
"""What the first line about an iteration says anyway."""


def iterate(run: Evolution, claim: Claim, seed: int, begins: Mapping[str, str] | None = None) -> IterationResult | None:
    """Runs an iteration; returns what it came to, None if it was stopped before its end."""
    name, began = claim.task, time.perf_counter()
    workspace = Workspace.of(run.repo, name, run.agent.slot)
    system = load_system(run.repo, heads=begins)
    head = head_of(system, name)
    left = _left(run, workspace, head)
    if begins is not None and left.state is not None and left.state.base != head.commit_id:
        left = Leftover(kind="none")  # of an iteration that others finished meanwhile
    runner = run.runner(left.preset or run.preset(head.task))
    if make_root(run.repo, run.context, run.asked):
        system = load_system(run.repo, heads=begins)
    usable = runner.parents.of(system, name)  # what cannot go on says so before data is read
    _check_root(runner, usable, name)
    view: View = Newest(repo=run.repo, task=name, usable=runner.parents.of)
    snapshot = left.state.snapshot if left.state is not None else view.record(usable)
    if begins is not None:
        view = AsOf(repo=run.repo, task=name, usable=runner.parents.of, snapshot=snapshot)
    slot = run.agent.slot if begins is None else 0
    state = left.state or _begin(run, runner, workspace, head, seed, usable, snapshot, slot)
    workshop, on_event = runner.workshop(head, workspace), claim.after(run.on_event)
    state = run_iteration(
        state,
        workshop,
        system=view.system,
        record=view.record,
        checkpoint=workspace.save,
        on_event=on_event,
        is_enough=run.is_enough,
        is_stopped=run.stop.is_set,
    )
    if state.generation < state.generations and run.stop.is_set() and not run.is_enough(state):
        return None
    outcome = _publish(run, runner, workspace, workshop, state, head, on_event)
    result = result_of(runner, state, head.task, outcome, time.perf_counter() - began)
    run.on_event(finished(result))
    return result


def _check_root(runner: Runner, usable: System, task: str) -> None:
    """Raises SearchError if there are roots, but none of the preset that serves ``task``."""
    if not usable.roots and is_auto(runner.repo):
        preset = runner.preset.name
        raise SearchError(
            f"There is no root model of the preset {preset} that {task} could start from.",
            hint=f"Add one: mu2net add-root NAME --preset {preset}",
        )


def _publish(
    run: Evolution,
    runner: Runner,
    workspace: Workspace,
    workshop: Workshop,
    state: IterationState,
    head: Head,
    on_event: Callable[[Event], None],
) -> Outcome:
    """Measures the best model on the test split, unless it was before, and moves the head to it, or to its refit."""
    winner = winner_of(run.repo, state, partial(runner.as_here, head, workspace=workspace))
    if winner is None:
        raise _without_a_model(run, runner, workspace, state)
    known = winner.model.test_quality
    measured = runner.test(head, winner, workspace) if known is None else None
    test = measured.quality if measured is not None else known or 0.0
    began = run.context.timestamp()
    refit = runner.refit(head, winner, workshop, workspace, state, on_event)
    if refit is None:
        published = _end(run, runner, workspace, state, winner, test)
    else:
        model, measured = refit
        published = _end(run, runner, workspace, state, winner, test, Refit(model=model, started_at=began))
    used = winner.model if published.model_id is None else run.repo.objects.model(published.model_id)
    tally = None if measured is None else measured.tally
    return Outcome(winner=winner, published=published, test=used.test_quality or 0.0, tally=tally)


def _end(
    run: Evolution,
    runner: Runner,
    workspace: Workspace,
    state: IterationState,
    winner: Member | None,
    test: float,
    refit: Refit | None = None,
) -> Published:
    spec = replace(run.agent, slot=state.slot)  # all agents are as one, where tasks go in step
    agent = spec.of(committer(run.repo, run.context), runner.provenance["device"])
    account = runner.account_of(state)
    return publish(run.repo, run.context, workspace, state, winner, test, account, agent=agent, refit=refit)


def _without_a_model(run: Evolution, runner: Runner, workspace: Workspace, state: IterationState) -> SearchError:
    """Records an iteration that came to nothing and returns its error; before its end it can still go on."""
    failed = f"None of the {state.counts.sampled} children of {state.task} trained to a finite loss"
    if state.generation < state.generations:
        return SearchError(
            f"{failed} before the time ran out, in {state.generation} of {state.generations} generations.",
            hint="The same command goes on with the others.",
        )
    _end(run, runner, workspace, state, None, 0.0)
    if run.pusher is not None:
        run.pusher.push(state.task)
    return SearchError(
        f"{failed}.", hint="Run it again: another seed samples other learning rates, and --children N more of them."
    )


def _left(run: Evolution, workspace: Workspace, head: Head) -> Leftover:
    """Returns what goes on, if anything does; says under which settings."""
    name = head.task.name
    left = look(run.repo, workspace, head, run.asked)
    if run.asked.watch and left.kind == "stuck":  # as the task was reset meanwhile: nobody is there to say so
        run.context.warn(f"{name} begins anew, as its unfinished iteration cannot go on: {left.reason}")
        return Leftover(kind="none")
    refuse(run.context, {name: left}, run.asked)
    if left.kind != "ready" or left.preset is None:
        return Leftover(kind="none")
    own, now = preset_values(left.preset), preset_values(run.preset(head.task))
    other = [
        f"{key} {own[key]} ({now[key]} now)"
        for key in sorted(own.keys() & now.keys() - _OPTIONS)
        if own[key] != now[key]
    ]
    if other:
        run.context.warn(f"{name} goes on with the settings it began with: {', '.join(other)}")
    return left


def _begin(
    run: Evolution,
    runner: Runner,
    workspace: Workspace,
    head: Head,
    seed: int,
    system: System,
    snapshot: str,
    slot: int,
) -> IterationState:
    name, training = head.task.name, runner.preset.training
    workspace.clear()
    return IterationState(
        task=name,
        task_id=head.commit.task_id,
        base=head.commit_id,
        snapshot=snapshot,
        iteration=min(head.commit.iteration + 1, LARGEST_COUNT),
        seed=seed,
        slot=slot,
        generations=training.generations,
        children=training.children,
        preset=runner.preset.name,
        changed=changed_settings(runner.preset),
        settings=runner.digest,
        search=runner.begin(system, name, head.commit_id, workspace),
        started_at=run.context.timestamp(),
    )
