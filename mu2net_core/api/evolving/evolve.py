"""``evolve``: agents improve tasks."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from threading import Event as Flag

from mu2net_core.api.claiming.claims import Claims
from mu2net_core.api.claiming.held import HeldError
from mu2net_core.api.context import Context
from mu2net_core.api.evolving.agent import AgentSpec
from mu2net_core.api.evolving.checking import check_tasks
from mu2net_core.api.evolving.evolution import Evolution
from mu2net_core.api.evolving.evolved import EvolveResult, IterationResult
from mu2net_core.api.evolving.in_step import LOOK_PERIOD_S, InStep
from mu2net_core.api.evolving.iterate import iterate
from mu2net_core.api.evolving.keeping_up import KeepingUp, Watching
from mu2net_core.api.evolving.pushing import Pushed, Pusher, is_pushed
from mu2net_core.api.evolving.turns import Agenda, Shared, Turns
from mu2net_core.api.iterations.agenda import agenda_of, drop_unfinished, queued, unfinished_of
from mu2net_core.api.iterations.options import EvolveOptions, goals_of
from mu2net_core.api.iterations.resume import Leftover
from mu2net_core.api.models.cache import keep_bounded
from mu2net_core.api.quiet import ignore
from mu2net_core.api.sharing.push import default_remote
from mu2net_core.api.signing.signing import signer_of
from mu2net_core.errors import (
    AccessDeniedError,
    ConflictError,
    CorruptObjectError,
    DataError,
    Mu2netError,
    NewerError,
    NotFoundError,
    SearchError,
    StorageError,
)
from mu2net_core.events import Event, IterationDropped
from mu2net_core.objects import System
from mu2net_core.repo import Repository, load_system
from mu2net_core.seeds import derive_seed

__all__ = ["ITS_OWN", "EvolveResult", "IterationResult", "evolve"]

ITS_OWN = (ConflictError, CorruptObjectError, DataError, NewerError, NotFoundError, SearchError)
"""What is wrong with one task, its data or its model, and keeps no other from being improved."""
_AWAY = (AccessDeniedError, StorageError)
"""What may be otherwise in a while: a disk or remote that fails, credentials that expired."""
_AS_SET = EvolveOptions()


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
        stop: set by whoever wants it to end with the generation at hand, and its refit if that was the last: nothing is
            lost, the iteration can go on.

    Raises:
        NotFoundError: no such task, or no remote to push to.
        InvalidInputError: a setting that cannot be right; or several remotes to push to, none of them ``origin``.
        SearchError: no task at all, no root, or no child that trained to a finite loss.
        HeldError: other agents work on all of the tasks.
        ConflictError: another process evolves the same task in this working copy and slot, without leases; or an
            interrupted iteration cannot go on, or not as asked.
    """
    deadline_s = None if options.budget_s is None else time.monotonic() + options.budget_s
    stop = Flag() if stop is None else stop
    context = replace(context, is_stopping=stop.is_set)
    system = load_system(repo)
    names = tuple(system.heads) if tasks is None else tuple(tasks)
    agent = AgentSpec(slot=options.slot, tasks=names)
    tell = agent.telling(on_event)
    pusher = Pusher.to_default(repo, context, on_push, tell, kept=options.kept) if is_pushed(repo, options) else None
    if names or not options.watch:
        check_tasks(repo, names, system)
    unfinished = {} if options.restart else unfinished_of(repo, context, system, agent.tasks, options)
    signer_of(repo, context)  # a key that cannot be used shows now, not after hours
    run = Evolution(
        repo=repo,
        context=context,
        agent=agent,
        asked=options,
        deadline_s=deadline_s,
        stop=stop,
        on_event=tell if pusher is None else pusher.after(tell),
        pusher=pusher,
    )
    _check_settings(run, system)
    if options.restart:
        _drop(run, system)
    used = _seed(run, unfinished) if options.seed is None else options.seed
    result = _run_all(run, _turns(run, tasks, system, unfinished, used), used)
    keep_bounded(repo, context)
    return result if pusher is None else replace(result, pushes=tuple(pusher.pushed))


def _turns(
    run: Evolution, tasks: Sequence[str] | None, system: System, unfinished: Mapping[str, Leftover], seed: int
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
    push_rest = ignore if run.pusher is None else partial(run.pusher.push_rest, tasks)
    keep_up = KeepingUp(repo, run.context, default_remote(repo), push_rest) if repo.config.remotes else ignore
    return Watching(
        turns=turns,
        keep_up=keep_up,
        is_over=run.is_over,
        stop=run.stop,
        on_event=run.on_event,
        warn=run.context.warn,
    )


def _in_step(run: Evolution, claims: Claims, system: System) -> Turns:
    """Returns what has all tasks go in step, and waits for those that others are at."""
    asked, names = run.asked, run.agent.tasks
    last = min((asked.goals or goals_of(system, names, asked.rounds)).values())
    turns = InStep(claims=claims, tasks=names, last=last, slot=asked.slot)
    return Watching(
        turns=turns,
        warn=run.context.warn,
        keep_up=ignore
        if run.pusher is None
        else KeepingUp(run.repo, run.context, run.pusher.remote, partial(run.pusher.push_rest, names)),
        is_over=lambda: run.is_over() or turns.is_over(),
        stop=run.stop,
        on_event=run.on_event,
        period_s=LOOK_PERIOD_S,
    )


def _check_settings(run: Evolution, system: System) -> None:
    """Finds out now about settings that cannot be right; what is wrong with one task alone is said in its turn."""
    for name in run.agent.tasks:
        with suppress(DataError, NotFoundError):
            run.runner(run.preset(system.heads[name].task))


def _drop(run: Evolution, system: System) -> None:
    """Drops what is unfinished: once, and not what this process, or the next one that does its work, leaves."""
    kinds = {"ready", "other", "stuck"}
    for name, left in drop_unfinished(run.repo, system, run.agent.tasks, run.asked, kinds=kinds):
        if (dropped := left.state) is not None:
            run.on_event(IterationDropped(task=name, iteration=dropped.iteration, generations=dropped.generation))


def _run_all(run: Evolution, turns: Turns, seed: int) -> EvolveResult:
    """Runs one iteration after the other; raises what is wrong with the first task if none can be improved."""
    results = deque[IterationResult](maxlen=run.asked.kept)
    failed, held = dict[str, Mu2netError](), dict[str, HeldError]()
    resting = set[str]()
    while not (results and run.out_of_time()) and not run.stop.is_set() and (turn := turns.next()) is not None:
        try:
            with turn.claim() as claim:
                result = iterate(run, claim, seed, turn.begins)
        except HeldError as exc:
            held[turn.task] = exc
            if turns.left() or results:
                run.context.warn(exc.message)
        except ITS_OWN as exc:
            before, failed[turn.task] = failed.get(turn.task), exc
            turns.drop(turn.task)
            is_news = before is None or before.message != exc.message
            if is_news and (run.asked.watch or turns.left() or results):
                hint = [exc.hint] if exc.hint else []
                run.context.warn(" ".join([f"{turn.task} is left out: {exc.message}", *hint]))
        except _AWAY as exc:
            if not run.asked.watch:
                raise
            turns.rest(turn.task)
            if turn.task not in resting:
                run.context.warn(f"{turn.task} is left out for a while: {exc.message}")
            resting.add(turn.task)
        else:
            results += [] if result is None else [result]
            resting.discard(turn.task)
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
    run: Evolution, turns: Turns, held: Sequence[str], results: Sequence[IterationResult]
) -> tuple[str, ...]:
    """Returns the tasks that were not improved as others were at them: where agents share tasks, those still wanted."""
    is_shared = run.asked.agents is not None and not run.asked.watch
    names = [*held, *(turns.left() if is_shared and not run.is_over() else ())]
    done = {one.task for one in results}
    return tuple(name for name in dict.fromkeys(names) if name not in done)


def _seed(run: Evolution, unfinished: Mapping[str, Leftover]) -> int:
    """Returns the seed of the first interrupted iteration, so that all goes on as it began; else a fresh one.

    Where tasks go in step it is the same in all copies of a repository.
    """
    if run.asked.barrier:
        return derive_seed(0, run.repo.identity) % 2**31
    for left in unfinished.values():
        if left.state is not None:
            return left.state.seed
    return derive_seed(0, run.repo.agent_id, run.context.timestamp()) % 2**31
