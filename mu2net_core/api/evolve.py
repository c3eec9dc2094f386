"""``evolve``: agents improve tasks."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

from mu2net_core.api.cache import keep_bounded
from mu2net_core.api.context import Context
from mu2net_core.api.laboratory import Laboratory
from mu2net_core.api.publish import publish
from mu2net_core.api.resume import Asked, look
from mu2net_core.api.settings import effective_preset
from mu2net_core.api.signing import signer_of
from mu2net_core.api.workspace import Workspace
from mu2net_core.engine.events import Event, IterationDropped, IterationFinished
from mu2net_core.engine.iteration import IterationState, run_iteration
from mu2net_core.errors import CorruptObjectError, InvalidInputError, NotFoundError, SearchError
from mu2net_core.objects import Head, System
from mu2net_core.repo import Repository, load_system, record_snapshot
from mu2net_core.repo.revisions import near
from mu2net_core.search import Member, best, start
from mu2net_core.seeds import derive_seed

__all__ = ["EvolveResult", "IterationResult", "evolve"]

_LARGEST_SEED = 2**53


@dataclass(frozen=True, slots=True, kw_only=True)
class IterationResult:
    """What one task iteration came to; ``validation`` and ``test`` are accuracies in [0, 1]."""

    task: str
    iteration: int
    commit: str
    model: str
    validation: float
    test: float
    improved: bool
    sampled: int
    kept: int
    discarded: Mapping[str, int]
    wall_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class EvolveResult:
    """Every iteration that was finished, in order, and the seed that would repeat them."""

    seed: int
    iterations: tuple[IterationResult, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Run:
    repo: Repository
    context: Context
    lab: Laboratory
    seed: int | None
    deadline_s: float | None
    on_event: Callable[[Event], None]

    def out_of_time(self) -> bool:
        return self.deadline_s is not None and time.monotonic() >= self.deadline_s


def evolve(
    repo: Repository,
    context: Context,
    *,
    tasks: Sequence[str],
    iterations: int = 1,
    generations: int | None = None,
    children: int | None = None,
    validations: int | None = None,
    seed: int | None = None,
    budget_s: float | None = None,
    on_event: Callable[[Event], None] = lambda _event: None,
) -> EvolveResult:
    """Runs ``iterations`` task-set iterations: each of ``tasks`` in turn, as often.

    An iteration that was interrupted is resumed from its last finished generation, if the seed (where one is given),
    the task and all settings are the same; if not, an ``IterationDropped`` says what differs, and it begins anew.

    Args:
        repo: to improve.
        context: of this process.
        tasks: names; an empty sequence is an error.
        iterations: per task.
        generations: per iteration; the repository's setting if None.
        children: per generation; likewise.
        validations: training cycles per child; likewise.
        seed: every random decision derives from it; None takes that of an interrupted iteration, or draws one.
        budget_s: start no generation after so many seconds; the iteration at hand is finished with what it has.
        on_event: told of everything that happens.

    Raises:
        NotFoundError: no such task.
        InvalidInputError: a number or setting that cannot be right.
        SearchError: no task at all, no root, or no child that trained to a finite loss.
        ConflictError: another process evolves the same task in this working copy.
    """
    if not tasks:
        raise SearchError("There is no task to evolve.", hint="Add one: mu2net add-task DATASET")
    if iterations < 1:
        raise InvalidInputError(f"Expected at least one iteration, got {iterations}.")
    if seed is not None and abs(seed) > _LARGEST_SEED:
        raise InvalidInputError(f"Expected a seed from -2^53 to 2^53, got {seed}.")
    options = {"evolve.generations": generations, "evolve.children": children, "evolve.validations": validations}
    preset = effective_preset(repo, context, options)
    system = load_system(repo)
    for name in tasks:
        _head(system, name)
    if not system.roots:
        raise SearchError("The repository has no root model to start from.", hint="Finish it: mu2net init")
    signer_of(repo, context)  # a key that cannot be used shows now, not after hours
    run = _Run(
        repo=repo,
        context=context,
        lab=Laboratory.of(repo, context, preset, on_event),
        seed=seed,
        deadline_s=None if budget_s is None else time.monotonic() + budget_s,
        on_event=on_event,
    )
    used = _draw_seed(repo, context, tasks) if seed is None else seed
    results: list[IterationResult] = []
    for name in [name for _ in range(iterations) for name in tasks]:
        if results and run.out_of_time():
            break
        results.append(_iterate(run, name, used))
    keep_bounded(repo, context)
    return EvolveResult(seed=used, iterations=tuple(results))


def _iterate(run: _Run, name: str, seed: int) -> IterationResult:
    workspace = Workspace.of(run.repo, name)
    with workspace.lock(name):
        began = time.perf_counter()
        system = load_system(run.repo)
        head = _head(system, name)
        usable = run.lab.parents.of(system, name)  # what cannot go on says so before data is read
        state = _resumable(run, workspace, head) or _begin(run, workspace, usable, head, seed)
        shop = run.lab.open_shop(head, workspace)
        state = run_iteration(
            state,
            shop,
            system=lambda: _newest(run, name),
            record=lambda seen: record_snapshot(run.repo, seen, name),
            checkpoint=workspace.save,
            on_event=run.on_event,
            out_of_time=run.out_of_time,
        )
        winner = best(state.population)
        if winner is None:
            workspace.clear()
            raise SearchError(
                f"None of the {state.counts.sampled} children of {name} trained to a finite loss.",
                hint="Run it again: another seed samples other learning rates, and --children N more of them.",
            )
        test = run.lab.test_quality(head, winner, workspace)
        account = run.lab.account_of(state)
        commit_id, model_id = publish(run.repo, run.context, workspace, state, winner, test, account)
        return _report(run, state, system, winner, (commit_id, model_id, test), time.perf_counter() - began)


def _report(
    run: _Run, state: IterationState, system: System, winner: Member, published: tuple[str, str, float], wall_s: float
) -> IterationResult:
    commit_id, model_id, test = published
    quality, before = winner.model.quality or 0.0, best(start(system, state.task, run.lab.preset.scorer))
    improved = before is None or (winner.model.score or 0.0) > (before.model.score or 0.0)
    run.on_event(
        IterationFinished(
            task=state.task,
            iteration=state.iteration,
            validation=quality,
            test=test,
            improved=improved,
            commit_id=commit_id,
            model_id=model_id,
            wall_s=wall_s,
        )
    )
    return IterationResult(
        task=state.task,
        iteration=state.iteration,
        commit=commit_id,
        model=model_id,
        validation=quality,
        test=test,
        improved=improved,
        sampled=state.counts.sampled,
        kept=state.counts.kept,
        discarded=state.counts.discarded,
        wall_s=wall_s,
    )


def _resumable(run: _Run, workspace: Workspace, head: Head) -> IterationState | None:
    """Returns where an interrupted iteration goes on; None if one begins, and says what is lost by that."""
    training, settings = run.lab.preset.training, run.lab.digest
    asked = Asked(seed=run.seed, generations=training.generations, children=training.children, settings=settings)
    left = look(run.repo, workspace, head, asked)
    if left.kind in {"none", "ready"}:
        return left.state
    workspace.clear()
    if left.kind == "damaged":
        run.context.warn(f"the unfinished iteration of {head.task.name} begins anew: {left.reason}")
    if left.kind == "outdated" and left.state is not None and left.state.generation:
        state, reason = left.state, left.reason or ""
        run.on_event(
            IterationDropped(task=state.task, iteration=state.iteration, generations=state.generation, reason=reason)
        )
    return None


def _begin(run: _Run, workspace: Workspace, system: System, head: Head, seed: int) -> IterationState:
    name, training = head.task.name, run.lab.preset.training
    workspace.clear()
    return IterationState(
        task=name,
        task_id=head.commit.task_id,
        base=head.commit_id,
        snapshot=record_snapshot(run.repo, system, name),
        iteration=head.commit.iteration + 1,
        seed=seed,
        generations=training.generations,
        children=training.children,
        settings=run.lab.digest,
        population=start(system, name, run.lab.preset.scorer),
        started_at=run.context.timestamp(),
    )


def _head(system: System, name: str) -> Head:
    if name not in system.heads:
        raise NotFoundError(f"There is no task {name!r}.", hint=near(name, tuple(system.heads), "mu2net tasks"))
    return system.heads[name]


def _newest(run: _Run, name: str) -> System:
    """Returns the newest system, as far as its models can be parents; NotFoundError if the task was removed."""
    system = load_system(run.repo)
    _head(system, name)
    return run.lab.parents.of(system, name)


def _draw_seed(repo: Repository, context: Context, tasks: Sequence[str]) -> int:
    """Returns the seed of the first interrupted iteration, so that all goes on as it began; else a fresh one."""
    for name in tasks:
        with suppress(CorruptObjectError):  # said when that iteration begins anew
            state = Workspace.of(repo, name).load()
            if state is not None:
                return state.seed
    return derive_seed(0, repo.agent_id, context.timestamp()) % 2**31
