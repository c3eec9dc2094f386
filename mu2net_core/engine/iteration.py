"""One task iteration (Algorithm 1): generations of children, until only the best model of the task is left."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial

from mu2net_core.engine.child import Listener
from mu2net_core.engine.cycle import schedule_of
from mu2net_core.engine.generation import ChildResult, train_generation
from mu2net_core.engine.probing import probed
from mu2net_core.engine.workshop import Workshop
from mu2net_core.events import (
    CandidatesProbed,
    ChildFinished,
    ChildReport,
    CycleFinished,
    Event,
    GenerationFinished,
    GenerationStarted,
    IterationStarted,
    Probe,
    StepsFinished,
)
from mu2net_core.objects import Children, RunSetting, Seen, System
from mu2net_core.scoring import rank_key
from mu2net_core.search import METHODS, Member, Population, SearchState, best, plan_generation, taken_in
from mu2net_core.seeds import derive_seed, seed_of_slot

__all__ = ["IterationState", "run_iteration"]


@dataclass(frozen=True, slots=True, kw_only=True)
class IterationState:
    """Where an iteration stands between two generations; all that is needed to go on after a crash.

    Attributes:
        task: the active task's name.
        task_id: its object.
        base: the head's commit the iteration began from.
        snapshot: what the task could see of the system then.
        seen: what it could see from later generations on, where that was something else.
        iteration: its number, from 1.
        seed: the user's seed; everything random derives from it, the slot, the task, the iteration and the generation.
        slot: of the agent whose iteration it is.
        generations: how many there will be.
        children: sampled per generation.
        preset: name of the one in force.
        changed: the settings in force that differ from the preset's own, by dotted key.
        settings: hash of all settings in force: another batch size or search space makes other children.
        generation: how many are over.
        search: what the search method knows, the population included.
        counts: what became of the children so far.
        started_at: UTC, ISO 8601.
        device_s: that the generations took so far, times the devices that worked on them.
    """

    task: str
    task_id: str
    base: str
    snapshot: str
    iteration: int
    seed: int
    slot: int = 0
    generations: int
    children: int
    preset: str = ""
    changed: Mapping[str, RunSetting] = field(default_factory=dict)
    settings: str = ""
    seen: tuple[Seen, ...] = ()
    generation: int = 0
    search: SearchState
    counts: Children = Children()
    started_at: str
    device_s: float = field(default=0.0, compare=False)  # repeated, it is the same iteration

    @property
    def population(self) -> Population:
        """The task's models alive."""
        return self.search.population


def run_iteration(
    state: IterationState,
    shop: Workshop,
    *,
    system: Callable[[int], System],
    record: Callable[[System], str],
    checkpoint: Callable[[IterationState], None],
    on_event: Callable[[Event], None],
    is_enough: Callable[[IterationState], bool] = lambda _state: False,
    is_stopped: Callable[[], bool] = lambda: False,
) -> IterationState:
    """Returns the state after the last generation, or after the one with which it was enough, or was stopped.

    Args:
        state: where to begin.
        shop: the task's data, programs and components.
        system: returns what a generation sees of the system; asked before each.
        record: stores what the task may see of a system; returns the snapshot's id.
        checkpoint: makes a state safe; called after every generation.
        on_event: told of everything that happens.
        is_enough: asked before each generation but the first whether the iteration ends with the best there is.
        is_stopped: asked before each generation whether this process ends; the iteration can go on in another.
    """
    on_event(
        IterationStarted(
            task=state.task,
            iteration=state.iteration,
            generations=state.generations,
            children=state.children,
            resumed_generation=state.generation,
            seed=state.seed,
            schedule=schedule_of(
                shop.task.splits["train"].num_examples,
                shop.preset.training,
                parts=shop.programs.layout.batch_parts,
            ),
        )
    )
    shop.programs.meter.take()  # what was done before is no generation's
    first = state.generation
    while state.generation < state.generations and not is_stopped():
        if state.generation > first and is_enough(state):
            break
        began = time.perf_counter()
        now = system(state.generation)
        state, children = _generation(_having_seen(state, record(now)), shop, now, on_event)
        spent_s = (time.perf_counter() - began) * shop.programs.layout.num_devices
        state = replace(state, device_s=state.device_s + spent_s)
        checkpoint(state)
        wall_s = time.perf_counter() - began
        leader = best(state.population)
        refit = shop.preset.training.refits(shop.task, state.iteration) / state.children  # as long as one of them
        on_event(
            GenerationFinished(
                task=state.task,
                iteration=state.iteration,
                generation=state.generation - 1,
                best_score=None if leader is None else leader.model.score,
                best_quality=None if leader is None else leader.model.quality,
                kept=state.counts.kept,
                discarded=state.counts.sampled - state.counts.kept,
                wall_s=wall_s,
                eta_s=wall_s * (state.generations - state.generation + refit),
                children=children,
                spent=shop.programs.meter.take(),
            )
        )
    return state


def _generation(
    state: IterationState, shop: Workshop, system: System, on_event: Callable[[Event], None]
) -> tuple[IterationState, tuple[ChildReport, ...]]:
    seed = derive_seed(seed_of_slot(state.seed, state.slot), state.task, state.iteration, state.generation)
    state = _having_probed(state, shop, system, seed, on_event)
    plans, search = plan_generation(
        shop.preset.training.method,
        state.search,
        system,
        shop.space,
        num_children=state.children,
        structure=shop.programs.family,
        seed=seed,
    )
    on_event(GenerationStarted(task=state.task, iteration=state.iteration, generation=state.generation))
    counts, results, population = state.counts, list[ChildResult](), search.population
    for result in train_generation(shop, plans, population, system, seed=seed, listener=_telling(state, on_event)):
        counts = _count(counts, result)
        results.append(result)
        best_score, best_quality = _best_so_far(population, results)
        on_event(
            ChildFinished(
                task=state.task,
                iteration=state.iteration,
                generation=state.generation,
                child=result.child,
                outcome=result.outcome,
                score=result.score,
                quality=result.quality,
                best_score=best_score,
                best_quality=best_quality,
                wall_s=result.wall_s,
            )
        )
    results.sort(key=lambda result: result.child)
    with shop.programs.meter.timing("wait"):
        members = [result.member for result in results]
    state = replace(state, generation=state.generation + 1, search=_told(shop, search, results), counts=counts)
    return state, tuple(_reported(*child) for child in zip(results, members, strict=True))


def _having_probed(
    state: IterationState, shop: Workshop, system: System, seed: int, on_event: Callable[[Event], None]
) -> IterationState:
    """Returns ``state`` with what probes found noted, before the first generation of a task that has no model."""
    if state.generation or state.population.members or not shop.preset.training.probes:
        return state
    began = time.perf_counter()
    with shop.programs.meter.timing("validate"):
        found = probed(shop, state.population, system, seed=seed)
    if not found:
        return state
    population = replace(state.population, probed=found)
    tasks = {oid: model.task for oid in found if (model := system.model(oid)) is not None}
    on_event(
        CandidatesProbed(
            task=state.task,
            iteration=state.iteration,
            found=tuple(Probe(model=oid, task=tasks.get(oid), accuracy=found[oid]) for oid in found),
            wall_s=time.perf_counter() - began,
        )
    )
    return replace(state, search=replace(state.search, population=population))


def _told(shop: Workshop, search: SearchState, results: list[ChildResult]) -> SearchState:
    """Returns what is known after a generation: by the population first, then by the search method."""
    training, trials = shop.preset.training, tuple(result.trial for result in results)
    kept = [member for result in results if (member := result.member) is not None]
    taken = taken_in(search, trials, kept, cap=training.population_cap)
    return METHODS.load(training.method).tell(taken, trials)


def _reported(result: ChildResult, member: Member | None) -> ChildReport:
    plan = result.plan
    return ChildReport(
        child=result.child,
        parent=plan.parent.id,
        parent_task=plan.parent.model.task,
        mutations=plan.mutations,
        curve=result.curve,
        outcome=result.outcome,
        score=result.score,
        model=None if member is None else member.id,
    )


def _having_seen(state: IterationState, snapshot: str) -> IterationState:
    """Returns ``state`` with the snapshot its next generation is made of noted, if the last one saw another."""
    before = state.seen[-1].snapshot if state.seen else state.snapshot
    if snapshot == before:
        return state
    return replace(state, seen=(*state.seen, Seen(generation=state.generation, snapshot=snapshot)))


def _count(counts: Children, result: ChildResult) -> Children:
    discarded = dict(counts.discarded)
    if result.outcome != "kept":
        discarded[result.outcome] = discarded.get(result.outcome, 0) + 1
    return Children(sampled=counts.sampled + 1, kept=counts.kept + (result.outcome == "kept"), discarded=discarded)


def _best_so_far(population: Population, results: list[ChildResult]) -> tuple[float | None, float | None]:
    """Returns the score and the quality of the best so far, the newest of equals; None while there is none."""
    reached = [(member.model.score, member.model.quality) for member in population.members]
    reached += [(result.score, result.quality) for result in results if result.storing is not None]
    scored = [pair for pair in reached if pair[0] is not None]
    return max(reversed(scored), key=lambda pair: rank_key(pair[0]), default=(None, None))


def _telling(state: IterationState, on_event: Callable[[Event], None]) -> Listener:
    """Returns what tells of the training of a generation."""
    steps_of = partial(StepsFinished, task=state.task, iteration=state.iteration, generation=state.generation)
    cycle_of = partial(CycleFinished, task=state.task, iteration=state.iteration, generation=state.generation)

    def on_steps(child: int, cycle: int, steps: int, loss: float) -> None:
        on_event(steps_of(child=child, cycle=cycle, steps=steps, loss=loss))

    def on_cycle(child: int, cycle: int, quality: float | None) -> None:
        on_event(cycle_of(child=child, cycle=cycle, quality=quality))

    return Listener(on_steps=on_steps, on_cycle=on_cycle)
