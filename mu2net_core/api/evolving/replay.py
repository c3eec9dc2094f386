"""``replay``: does the iteration of a commit again, in a folder that is deleted, and compares what comes out."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from mu2net_core.api.context import Context
from mu2net_core.api.evolving.agent import AgentSpec
from mu2net_core.api.evolving.comparison import (
    Difference,
    Outcome,
    Replayed,
    first_difference,
    first_other_child,
    how_run,
    line_of,
    outcome_of,
    surroundings,
)
from mu2net_core.api.evolving.lines import earlier_models, retained_as, winner_of
from mu2net_core.api.evolving.remembered import trials_of
from mu2net_core.api.evolving.runner import Runner
from mu2net_core.api.evolving.view import AsOf
from mu2net_core.api.iterations.recorded import recorded_preset
from mu2net_core.api.iterations.workspace import Workspace
from mu2net_core.api.models.cache import keep_bounded
from mu2net_core.api.quiet import ignore
from mu2net_core.api.settings.foreign_settings import MOST_CYCLES
from mu2net_core.engine import IterationState, run_iteration
from mu2net_core.errors import InvalidInputError, NotFoundError
from mu2net_core.events import Event
from mu2net_core.objects import Children, Commit, Head, Model, Run, encode, hash_bytes
from mu2net_core.presets import Preset
from mu2net_core.repo import Repository
from mu2net_core.repo.history import resolve
from mu2net_core.search import Member

__all__ = ["Difference", "Outcome", "ReplayReport", "Replayed", "replay"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayReport:
    """An iteration, then and now.

    Attributes:
        commit: whose iteration was repeated.
        task: of the commit.
        iteration: its number.
        seed: of the user who ran it.
        outcome: ``same``: the same children, and a model of the same id, which means of the same bits. ``parameters``:
            the model computes the same, bit by bit, but its manifest is another one. ``different``: neither.
        then: as the commit says.
        now: as it came out.
        step: the place, from 1, of the first model that differs in the line of this iteration's models that led to the
            retained one; 0 if none does.
        steps: how many models that line had then.
        differences: causes first: in settings (a preset's own ones changed), machine, libraries and number of children,
            then in that first model; where the model is the same, in the first child that the commit tells otherwise.
        wall_s: how long it took.
    """

    commit: str
    task: str
    iteration: int
    seed: int
    outcome: Outcome
    then: Replayed
    now: Replayed
    step: int
    steps: int
    differences: tuple[Difference, ...]
    wall_s: float


def replay(
    repo: Repository,
    context: Context,
    revision: str,
    *,
    on_event: Callable[[Event], None] = ignore,
) -> ReplayReport:
    """Runs an iteration again as it was run, and says whether the same came out; no head and no state changes.

    Of the commit of a refit the iteration before it and the refit are both done again.

    Settings, seed and the system that every generation saw are those the commit names; the settings of now do not
    count, but for ``limits.*`` and ``data.*``.

    Args:
        repo: which has the commit and all that its snapshots name.
        context: of this process.
        revision: a task or commit.
        on_event: told of everything that happens.

    Raises:
        InvalidInputError: the revision is no iteration, or one that does not say how it was run.
        NotFoundError: something that the iteration used is not here, or there is no such revision.
        DataError: the task's examples are missing or are not those of then.
    """
    began = time.perf_counter()
    commit_id, commit, run, refit = _iteration(repo, revision)
    _check_present(repo, commit_id, commit)
    preset = recorded_preset(run.preset, run.settings)
    _check_amount(commit_id, run, preset)
    agent = _agent(commit)
    tell = agent.telling(on_event)
    runner = Runner.of(repo, context, agent, preset, tell)
    with TemporaryDirectory(prefix="mu2net-replay-") as folder:
        again = _again(runner, Workspace.at(repo, Path(folder)), (commit, run, agent), tell, refit=refit is not None)
    keep_bounded(repo, context)
    state, winner, came_out = again.state, again.winner, again.models
    found = [_as_told(repo, one, commit.children) for one in (commit, refit) if one is not None]
    then, now = found[-1], came_out[-1]
    members = {member.id: member.manifest for member in state.population.members}
    line = (*_line(repo, commit), *_manifests(found[1:]))
    step, differences = first_difference(line, (*line_of(came_out[0].manifest, members.get), *_manifests(came_out[1:])))
    outcome = outcome_of(then, now)
    renamed = {} if winner is None or came_out[0].model is None else {winner: came_out[0].model}
    children = _children(repo, commit, state, renamed) if outcome == "same" else ()
    return ReplayReport(
        commit=commit_id,
        task=commit.task,
        iteration=commit.iteration,
        seed=run.seed,
        outcome="different" if children else outcome,
        then=then,
        now=now,
        step=step,
        steps=len(line),
        differences=(*how_run(run, runner.account_of(state)), *surroundings(then, now), *differences, *children),
        wall_s=time.perf_counter() - began,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Again:
    """What came of an iteration now: its state, which child won if one did, its model, and, if asked for, the refit."""

    state: IterationState
    winner: str | None
    models: tuple[Replayed, ...]


def _as_told(repo: Repository, commit: Commit, children: Children) -> Replayed:
    """Returns what a commit says that an iteration with these ``children`` came to."""
    manifest = repo.objects.model(commit.model) if commit.model is not None else None
    return Replayed(model=commit.model, manifest=manifest, children=children)


def _line(repo: Repository, commit: Commit) -> tuple[Model, ...]:
    """Returns the models of an iteration that led to the one it came to; that one alone where it was there before."""
    if commit.model is None:
        return ()
    model, before = repo.objects.model(commit.model), {oid for oid, _ in earlier_models(repo, commit.parents[0])}
    return (model,) if commit.model in before else line_of(model, repo.objects.model)


def _manifests(found: Sequence[Replayed]) -> tuple[Model, ...]:
    return tuple(one.manifest for one in found if one.manifest is not None)


def _children(
    repo: Repository, commit: Commit, state: IterationState, renamed: Mapping[str, str]
) -> tuple[Difference, ...]:
    """Returns the first child of which something else became than the commit tells, if it tells."""
    if commit.trials is None:
        return ()
    return first_other_child(commit.trials.whole, trials_of(repo, state, renamed).whole)


def _iteration(repo: Repository, revision: str) -> tuple[str, Commit, Run, Commit | None]:
    """Returns the id, the commit, how it was run, and that of a refit if one is named; raises where there is none."""
    found = resolve(repo, revision)
    if found.kind != "commit":
        raise InvalidInputError(f"{revision!r} is a {found.kind}; expected a task or the commit of an iteration.")
    oid, commit, refit = found.id, repo.objects.commit(found.id), None
    if commit.refit_of is not None and len(commit.parents) == 1:
        (oid,), refit = commit.parents, commit
        commit = repo.objects.commit(oid)
    if commit.run is not None and commit.snapshot is not None and len(commit.parents) == 1:
        return oid, commit, commit.run, refit
    raise InvalidInputError(
        f"The commit {found.id[:10]} ({commit.message or 'no message'}) cannot be repeated: {_why_not(commit)}.",
        hint=f"Iterations are in: mu2net log {commit.task}",
    )


def _why_not(commit: Commit) -> str:
    if commit.is_merge:
        return f"it joins {' and '.join(oid[:10] for oid in commit.parents)}, and trained nothing itself"
    if commit.reset_to is not None or commit.removed or commit.snapshot is None:
        return "it is no iteration"
    return "it does not say how it was run"


def _agent(commit: Commit) -> AgentSpec:
    """Returns the agent that takes the place of the one who made a commit."""
    return AgentSpec(slot=0 if commit.agent is None else commit.agent.slot, tasks=(commit.task,))


def _check_present(repo: Repository, commit_id: str, commit: Commit) -> None:
    """Checks that all commits that the iteration saw are here."""
    for oid in commit.snapshots:
        heads = repo.objects.snapshot(oid).heads
        missing = [task for task, head in sorted(heads.items()) if not repo.objects.has("commit", head)]
        if missing:
            raise NotFoundError(
                f"The commit {commit_id[:10]} cannot be repeated here: it saw {', '.join(missing)} in a state that "
                "is not here.",
                hint="mu2net pull brings the tasks that are on a remote; what was purged cannot be used again.",
            )


def _check_amount(commit_id: str, run: Run, preset: Preset) -> None:
    """Refuses to do as much work as somebody may have written into a commit."""
    cycles = run.children * run.done * preset.training.validations
    if cycles > MOST_CYCLES:
        raise InvalidInputError(
            f"The commit {commit_id[:10]} is not repeated: it says {run.done} generations of {run.children} children "
            f"with {preset.training.validations} training cycles each; expected up to {MOST_CYCLES} cycles."
        )


def _again(
    runner: Runner,
    workspace: Workspace,
    what: tuple[Commit, Run, AgentSpec],
    on_event: Callable[[Event], None],
    *,
    refit: bool,
) -> _Again:
    """Returns what came out, with the test split measured; with a ``refit``, if asked for."""
    commit, run, agent = what
    view = AsOf.replayed(runner.repo, commit, runner.parents.of)
    first = view.system(0)
    state = IterationState(
        task=commit.task,
        task_id=commit.task_id,
        base=commit.parents[0],
        snapshot=view.snapshot,
        iteration=commit.iteration,
        seed=run.seed,
        slot=agent.slot,
        generations=run.done,
        children=run.children,
        settings=runner.digest,
        search=runner.begin(first, commit.task, commit.parents[0], workspace),
        started_at=commit.started_at,
    )
    head = first.heads[commit.task]
    workshop = runner.workshop(head, workspace)
    state = run_iteration(
        state,
        workshop,
        system=view.system,
        record=view.record,
        checkpoint=lambda _state: None,
        on_event=on_event,
    )
    winner = winner_of(runner.repo, state, partial(runner.as_here, head, workspace=workspace))
    found = _came_out(runner, workspace, head, state, winner)
    made = None
    if refit and winner is not None:
        made = runner.refit(head, winner, workshop, workspace, state, on_event)
    new = None if winner is None or winner.model.is_retained else winner.id
    if made is None:
        return _Again(state=state, winner=new, models=(found,) * (1 + refit))
    model = replace(made[0], parent=found.model)
    second = Replayed(model=hash_bytes(encode(model)), manifest=model, children=state.counts)
    return _Again(state=state, winner=new, models=(found, second))


def _came_out(
    runner: Runner, workspace: Workspace, head: Head, state: IterationState, winner: Member | None
) -> Replayed:
    """Returns the model that an iteration came to, as a commit would name it."""
    if winner is None:
        return Replayed(model=None, manifest=None, children=state.counts)
    if winner.model.is_retained:  # none was better than the one there was
        kept = retained_as(runner.repo, state, winner)
        return Replayed(model=kept, manifest=runner.repo.objects.model(kept), children=state.counts)
    model = replace(winner.model, test_quality=runner.test(head, winner, workspace).quality)
    return Replayed(model=hash_bytes(encode(model)), manifest=model, children=state.counts)
