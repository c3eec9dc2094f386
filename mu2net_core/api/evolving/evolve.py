"""``evolve``: agents improve tasks."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from threading import Event as Flag

from mu2net_core.api.context import Context
from mu2net_core.api.evolving.agent import AgentSpec
from mu2net_core.api.evolving.checking import check_tasks
from mu2net_core.api.evolving.claims import Claim, Claims, HeldError
from mu2net_core.api.evolving.evolved import EvolveResult, IterationResult, Outcome, finished, result_of
from mu2net_core.api.evolving.in_step import LOOK_PERIOD_S, InStep
from mu2net_core.api.evolving.keeping_up import KeepingUp, Watching
from mu2net_core.api.evolving.publish import Published, publish
from mu2net_core.api.evolving.pushing import Pushed, Pusher, is_pushed
from mu2net_core.api.evolving.runner import Runner
from mu2net_core.api.evolving.turns import Agenda, Shared, Turns, goals_of
from mu2net_core.api.evolving.view import AsOf, Newest, View, head_of
from mu2net_core.api.iterations.agenda import agenda_of, queued, unfinished_of
from mu2net_core.api.iterations.options import EvolveOptions
from mu2net_core.api.iterations.recorded import changed_settings
from mu2net_core.api.iterations.resume import Leftover, look, refuse
from mu2net_core.api.iterations.workspace import Workspace
from mu2net_core.api.models.cache import keep_bounded
from mu2net_core.api.quiet import ignore
from mu2net_core.api.settings.serving import is_auto
from mu2net_core.api.settings.settings import effective_preset
from mu2net_core.api.sharing.push import default_remote
from mu2net_core.api.signing.signing import committer, signer_of
from mu2net_core.engine import IterationState, run_iteration
from mu2net_core.errors import (
    CorruptObjectError,
    DataError,
    Mu2netError,
    NewerError,
    NotFoundError,
    SearchError,
)
from mu2net_core.events import Event, IterationDropped
from mu2net_core.objects import LARGEST_COUNT, Head, System, Task
from mu2net_core.presets import Preset, preset_values
from mu2net_core.repo import Repository, load_system
from mu2net_core.search import Member, best
from mu2net_core.seeds import derive_seed

__all__ = ["ITS_OWN", "EvolveResult", "IterationResult", "evolve"]

_OPTIONS = frozenset({"evolve.generations", "evolve.children", "evolve.validations"})
"""What the first line about an iteration says anyway."""
ITS_OWN = (CorruptObjectError, DataError, NewerError, NotFoundError, SearchError)
"""What is wrong with one task, its data or its model, and keeps no other from being improved."""
_AS_SET = EvolveOptions()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Evolution:
    repo: Repository
    context: Context
    agent: AgentSpec
    asked: EvolveOptions
    deadline_s: float | None
    stop: Flag
    on_event: Callable[[Event], None]
    pusher: Pusher | None = None
    _runners: dict[str, Runner] = field(default_factory=dict)

    def out_of_time(self) -> bool:
        return self.deadline_s is not None and time.monotonic() >= self.deadline_s

    def is_over(self) -> bool:
        return self.out_of_time() or self.stop.is_set()

    def is_enough(self, state: IterationState) -> bool:
        """Returns whether an iteration ends with the best it has: time is up, or that is as good as was asked for."""
        leader = best(state.population)
        score = None if leader is None else leader.model.score
        is_good = self.asked.until is not None and score is not None and score >= self.asked.until
        return is_good or self.out_of_time()

    def preset(self, task: Task) -> Preset:
        """Returns what serves a task, with all settings in force now."""
        return effective_preset(self.repo, self.context, self.asked.settings, task=task)

    def claims(self) -> Claims:
        """Returns what takes tasks for the agent, and says so where its work is pushed to."""
        return Claims(
            repo=self.repo,
            context=self.context,
            agent=self.agent.of(committer(self.repo, self.context), "none"),
            remote=None if self.pusher is None else self.pusher.remote,
            is_asked=self.asked.leases,
            method_of=lambda task: self.preset(task).training.method,
        )

    def runner(self, preset: Preset) -> Runner:
        """Returns where iterations of ``preset`` are run: one that was interrupted keeps its own settings."""
        key = repr(preset)
        if key not in self._runners:
            self._runners[key] = Runner.of(self.repo, self.context, self.agent, preset, self.on_event)
        return self._runners[key]


def evolve(
    repo: Repository,
    context: Context,
    tasks: Sequence[str] | None,
    options: EvolveOptions = _AS_SET,
    *,
    on_event: Callable[[Event], None] = ignore,
    on_push: Callable[[Pushed], None] = ignore,
    stop: Flag | None = None,
) -> EvolveResult:
    """Runs task-set iterations: each of ``tasks`` in turn, as often as asked, or as its agents share them.

    A task whose data or model cannot be used is left out, and said, as long as any other can be improved.

    Iterations that were interrupted go first and count. Each goes on after its last finished generation with its own
    seed and settings, whatever the settings are now; where an option says something else, or where it cannot go on,
    that is an error before anything is done. With ``options.restart`` what it trained is dropped, and it begins anew.

    Args:
        repo: to improve.
        context: of this process.
        tasks: names; an empty sequence is an error. None for all there are, and where it watches those to come.
        options: how much is to be done, and how.
        on_event: told of everything that happens.
        on_push: told what became of each push that ``options.push`` asks for.
        stop: set by whoever wants it to end with the generation at hand: nothing is lost, the iteration can go on.

    Raises:
        NotFoundError: no such task, or no remote to push to.
        InvalidInputError: a setting that cannot be right; or several remotes to push to, none of them ``origin``.
        SearchError: no task at all, no root, or no child that trained to a finite loss.
        ConflictError: another process evolves the same task in this working copy and slot; or an interrupted iteration
            cannot go on, or not as asked.
    """
    deadline_s = None if options.budget_s is None else time.monotonic() + options.budget_s
    pusher = Pusher.to_default(repo, context, on_push) if is_pushed(repo, options) else None
    system = load_system(repo)
    names = tuple(system.heads) if tasks is None else tuple(tasks)
    if names or not options.watch:
        check_tasks(repo, names, system)
    agent = AgentSpec(slot=options.slot, tasks=names)
    unfinished = {} if options.restart else unfinished_of(repo, context, system, agent.tasks, options)
    signer_of(repo, context)  # a key that cannot be used shows now, not after hours
    run = _Evolution(
        repo=repo,
        context=context,
        agent=agent,
        asked=options,
        deadline_s=deadline_s,
        stop=Flag() if stop is None else stop,
        on_event=agent.telling(on_event if pusher is None else pusher.after(on_event)),
        pusher=pusher,
    )
    _check_settings(run, system)
    used = _seed(run, unfinished) if options.seed is None else options.seed
    result = _run_all(run, _turns(run, tasks, system, unfinished, used), used)
    keep_bounded(repo, context)
    return result if pusher is None else replace(result, pushes=tuple(pusher.pushed))


def _turns(
    run: _Evolution, tasks: Sequence[str] | None, system: System, unfinished: Mapping[str, Leftover], seed: int
) -> Turns:
    """Returns what says which task comes next."""
    asked, repo, claims = run.asked, run.repo, run.claims()
    if asked.barrier:
        return _in_step(run, claims, system)
    if asked.agents is None and not asked.watch:
        agenda = agenda_of(run.agent.tasks, asked.rounds, unfinished)
        if (plan := queued(agenda, unfinished)) is not None:
            run.on_event(plan)
        return Agenda(claims, asked.until, list(agenda))
    has_end = asked.iterations is not None or not asked.watch
    goals = {**goals_of(system, run.agent.tasks, asked.rounds), **(asked.goals or {})} if has_end else None
    turns = Shared(claims=claims, tasks=tasks, asked=asked, seed=seed, goals=goals, first=tuple(unfinished))
    if not asked.watch:
        return turns
    keep_up = KeepingUp(repo, run.context, default_remote(repo)) if repo.config.remotes else ignore
    return Watching(turns=turns, keep_up=keep_up, is_over=run.is_over, stop=run.stop, on_event=run.on_event)


def _in_step(run: _Evolution, claims: Claims, system: System) -> Turns:
    """Returns what has all tasks go in step, and waits for those that others are at."""
    asked, names = run.asked, run.agent.tasks
    last = min((asked.goals or goals_of(system, names, asked.rounds)).values())
    turns = InStep(claims=claims, tasks=names, last=last, slot=asked.slot)
    return Watching(
        turns=turns,
        keep_up=ignore if run.pusher is None else KeepingUp(run.repo, run.context, run.pusher.remote),
        is_over=lambda: run.is_over() or turns.is_over(),
        stop=run.stop,
        on_event=run.on_event,
        period_s=LOOK_PERIOD_S,
    )


def _check_settings(run: _Evolution, system: System) -> None:
    """Finds out now about settings that cannot be right; a task whose preset is not here says so in its turn."""
    for name in run.agent.tasks:
        with suppress(NotFoundError):
            run.runner(run.preset(system.heads[name].task))


def _run_all(run: _Evolution, turns: Turns, seed: int) -> EvolveResult:
    """Runs one iteration after the other; raises what is wrong with the first task if none can be improved."""
    results, failed, held = list[IterationResult](), dict[str, Mu2netError](), dict[str, HeldError]()
    while not (results and run.out_of_time()) and not run.stop.is_set() and (turn := turns.next()) is not None:
        try:
            with turn.claim() as claim:
                result = _iterate(run, claim, seed, turn.begins)
        except HeldError as exc:
            held[turn.task] = exc
            if turns.left() or results:
                run.context.warn(exc.message)
        except ITS_OWN as exc:
            failed[turn.task] = exc
            turns.drop(turn.task)
            if run.asked.watch or turns.left() or results:
                hint = [exc.hint] if exc.hint else []
                run.context.warn(" ".join([f"{turn.task} is left out: {exc.message}", *hint]))
        else:
            results += [] if result is None else [result]
    if failed and not results and not run.stop.is_set():
        raise next(iter(failed.values()))
    if held and not results and not run.is_over():
        raise next(iter(held.values()))
    return EvolveResult(
        seed=seed,
        iterations=tuple(results),
        not_begun=turns.left() if run.asked.agents is None and not run.asked.watch else (),
        left_out=tuple(failed),
        held=_left_to_others(run, turns, [*held], results),
        stopped=run.stop.is_set(),
    )


def _left_to_others(
    run: _Evolution, turns: Turns, held: Sequence[str], results: Sequence[IterationResult]
) -> tuple[str, ...]:
    """Returns the tasks that were not improved as others were at them: where agents share tasks, those still wanted."""
    is_shared = run.asked.agents is not None and not run.asked.watch
    names = [*held, *(turns.left() if is_shared and not run.is_over() else ())]
    done = {one.task for one in results}
    return tuple(name for name in dict.fromkeys(names) if name not in done)


def _iterate(
    run: _Evolution, claim: Claim, seed: int, begins: Mapping[str, str] | None = None
) -> IterationResult | None:
    """Runs an iteration; returns what it came to, None if it was stopped before its end."""
    name, began = claim.task, time.perf_counter()
    workspace = Workspace.of(run.repo, name, run.agent.slot)
    system = load_system(run.repo, heads=begins)
    head = head_of(system, name)
    left = _left(run, workspace, head)
    if begins is not None and left.state is not None and left.state.base != head.commit_id:
        left = Leftover(kind="none")  # of an iteration that others finished meanwhile
    runner = run.runner(left.preset or run.preset(head.task))
    usable = runner.parents.of(system, name)  # what cannot go on says so before data is read
    _check_root(runner, usable, name)
    view: View = Newest(repo=run.repo, task=name, usable=runner.parents.of)
    snapshot = left.state.snapshot if left.state is not None else view.record(usable)
    if begins is not None:
        view = AsOf(repo=run.repo, task=name, usable=runner.parents.of, snapshot=snapshot)
    slot = run.agent.slot if begins is None else 0
    state = left.state or _begin(run, runner, workspace, head, seed, usable, snapshot, slot)
    workshop = runner.workshop(head, workspace)
    state = run_iteration(
        state,
        workshop,
        system=view.system,
        record=view.record,
        checkpoint=workspace.save,
        on_event=claim.after(run.on_event),
        is_enough=run.is_enough,
        is_stopped=run.stop.is_set,
    )
    if state.generation < state.generations and run.stop.is_set() and not run.is_enough(state):
        return None
    outcome = _publish(run, runner, workspace, state, head)
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


def _publish(run: _Evolution, runner: Runner, workspace: Workspace, state: IterationState, head: Head) -> Outcome:
    """Measures the best model on the test split, unless it was before, and moves the head to it."""
    winner = best(state.population)
    if winner is None:
        raise _without_a_model(run, runner, workspace, state)
    known = winner.model.test_quality
    measured = runner.test(head, winner, workspace) if known is None else None
    test = measured.quality if measured is not None else known or 0.0
    published = _end(run, runner, workspace, state, winner, test)
    tally = None if measured is None else measured.tally
    return Outcome(winner=winner, published=published, test=test, tally=tally)


def _end(
    run: _Evolution, runner: Runner, workspace: Workspace, state: IterationState, winner: Member | None, test: float
) -> Published:
    spec = replace(run.agent, slot=state.slot)  # all agents are as one, where tasks go in step
    agent = spec.of(committer(run.repo, run.context), runner.provenance["device"])
    return publish(run.repo, run.context, workspace, state, winner, test, runner.account_of(state), agent=agent)


def _without_a_model(run: _Evolution, runner: Runner, workspace: Workspace, state: IterationState) -> SearchError:
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


def _left(run: _Evolution, workspace: Workspace, head: Head) -> Leftover:
    """Returns what goes on, if anything does; says under which settings, and what is dropped where that was asked."""
    name = head.task.name
    left = look(run.repo, workspace, head, run.asked)
    if run.asked.restart and left.kind not in {"none", "published"}:
        if left.state is not None:
            dropped = left.state
            run.on_event(IterationDropped(task=name, iteration=dropped.iteration, generations=dropped.generation))
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
    run: _Evolution,
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


def _seed(run: _Evolution, unfinished: Mapping[str, Leftover]) -> int:
    """Returns the seed of the first interrupted iteration, so that all goes on as it began; else a fresh one.

    Where tasks go in step it is the same in all copies of a repository.
    """
    if run.asked.barrier:
        return derive_seed(0, run.repo.identity) % 2**31
    for left in unfinished.values():
        if left.state is not None:
            return left.state.seed
    return derive_seed(0, run.repo.agent_id, run.context.timestamp()) % 2**31
