"""One generation: plans become arrays, are trained, and come back as models that are kept or dropped."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial

from mu2net_core.engine.child import DEAF, Job, Listener, Trained
from mu2net_core.engine.cycle import cycle_of
from mu2net_core.engine.drafting import Draft, bring_sources, draft_all, grouped, onward
from mu2net_core.engine.meter import Meter
from mu2net_core.engine.storing import Writer, stored, stored_refit
from mu2net_core.engine.workshop import Workshop
from mu2net_core.objects import REFIT, ChildOutcome, Model, System, Trial
from mu2net_core.scoring import score
from mu2net_core.search import ChildPlan, Member, Population
from mu2net_core.seeds import derive_seed

__all__ = ["ChildResult", "refit", "train_generation"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ChildResult:
    """What became of one child.

    Attributes:
        child: its number in the generation.
        plan: as it was built.
        outcome: kept, or why not.
        quality: its best, None if a loss was not finite.
        score: likewise.
        curve: of its validations.
        cost: of its training, in FLOPs.
        storing: its model, once it is stored; None if it was discarded.
        wall_s: its share of the time that training took.
    """

    child: int
    plan: ChildPlan
    outcome: ChildOutcome
    quality: float | None
    score: float | None
    curve: tuple[float, ...]
    cost: float
    storing: Future[Member] | None
    wall_s: float

    @property
    def member(self) -> Member | None:
        """The child as a member of the population, None if it was discarded; waits until it is stored."""
        return None if self.storing is None else self.storing.result()

    @property
    def trial(self) -> Trial:
        """What a search method is told of the child; waits until it is stored."""
        member = self.member
        return Trial(
            values=self.plan.hyperparameters,
            clones=tuple(sorted(self.plan.clones)),
            parent=self.plan.parent.id,
            outcome=self.outcome,
            score=self.score,
            cost=self.cost,
            model=None if member is None else member.id,
        )


def train_generation(
    shop: Workshop,
    plans: tuple[ChildPlan, ...],
    population: Population,
    system: System,
    *,
    seed: int,
    listener: Listener = DEAF,
) -> Iterator[ChildResult]:
    """Yields the result of each plan as it is trained; nothing a parent holds is ever changed.

    What was trained is stored, and what will be needed is read and compiled, beside the training. A generation's
    children share what they take and its preprocessing.

    Args:
        shop: of the task.
        plans: of the children.
        population: that they are sampled from.
        system: as it is now.
        seed: of what the children share.
        listener: told how training goes, by the number of the child.
    """
    groups = grouped(draft_all(shop, plans, population, system), shop.programs.layout.together)
    with _background(shop.programs.meter) as (reader, compiler, writer):
        reader.submit(shop.data.at(groups[0][0].input_spec).read)
        _compile_ahead(shop, groups, compiler)
        for group in groups:
            yield from _train(shop, group, writer, derive_seed(seed, "shared"), listener)


def refit(
    shop: Workshop,
    member: Member,
    find: Callable[[str], Model | None],
    on_start: Callable[[int, int], None] = lambda _examples, _steps: None,
    on_steps: Callable[[int], None] = lambda _steps: None,
) -> Model | None:
    """Returns a stored model trained on, in as many steps again, on validation examples, too; it is stored, as well.

    In no more steps than a child has now, and with a schedule of its own over them.

    Searches of scikit-learn and AutoGluon's ``refit_full`` end so, but begin anew. None where a loss is not finite,
    where there are more examples than memory for two splits, and where nobody knows how long it was trained.

    Args:
        shop: of its task.
        member: the model; it stays as it is.
        find: returns the manifest of a model that it descends from, None if it is gone.
        on_start: told, if it is trained, of how many examples that is on, and in how many gradient steps.
        on_steps: told now and then how many of the steps are done.
    """
    model, family, training = member.model, shop.programs.family, shop.preset.training
    input_spec, data = family.input(model.architecture.config, model.hyperparameters), shop.data.pooled()
    again = onward(shop, model, find)
    if again is None or not data.fits(input_spec):
        return None
    job, steps = again
    cycle = cycle_of(shop.data.num_examples["train"], training, parts=shop.programs.layout.batch_parts)
    cycles = min(max(steps // cycle.steps, 1), training.validations)  # a manifest may say that it took for ever
    training = replace(
        training, batch_size=cycle.batch, min_steps=cycle.steps, samples_cap=cycle.examples, validations=cycles
    )
    pooled = replace(shop, data=data, preset=replace(shop.preset, training=training))
    bring_sources(shop, job.blueprint.layers)
    trainer, seed = pooled.trainer(input_spec), derive_seed(job.seed, REFIT)
    listener = Listener(
        on_steps=lambda _child, number, done, _loss: on_steps(number * cycle.steps + done),
        on_cycle=lambda _child, number, _quality: on_steps((number + 1) * cycle.steps),
    )
    on_start(data.num_examples["train"], cycles * cycle.steps)
    (trained,) = trainer.train([job], seed=seed, only=cycles - 1, listener=listener)
    return stored_refit(shop, member, job.blueprint, trained) if trained.finite else None


def _compile_ahead(shop: Workshop, groups: Sequence[Sequence[Draft]], compiler: Executor) -> None:
    """Compiles in the background what the groups need, in their order."""
    for place, group in enumerate(groups):
        shop.trainer(group[0].input_spec).compile_ahead(_jobs(shop, group), compiler, is_next=place == 0)


@contextmanager
def _background(meter: Meter) -> Iterator[tuple[Executor, Executor, Writer]]:
    """Gives threads that read, compile and store; what was not begun to compile is dropped at the end."""
    reader, compiler, writer = (
        ThreadPoolExecutor(1, "mu2net-read"),
        ThreadPoolExecutor(1, "mu2net-compile"),
        Writer(meter),
    )
    try:
        yield reader, compiler, writer
    finally:
        reader.shutdown()
        compiler.shutdown(wait=False, cancel_futures=True)
        writer.close()


def _train(shop: Workshop, group: list[Draft], writer: Writer, seed: int, listener: Listener) -> Iterator[ChildResult]:
    began = time.perf_counter()
    bring_sources(shop, [layer for one in group for layer in one.blueprint.layers])
    jobs, trainer = _jobs(shop, group), shop.trainer(group[0].input_spec)
    results = trainer.train(jobs, seed=seed, listener=listener.of([one.child for one in group]))
    wall_s = (time.perf_counter() - began) / len(group)
    for one, trained in zip(group, results, strict=False):
        yield _result(shop, one, trained, writer, wall_s)


def _jobs(shop: Workshop, group: Sequence[Draft]) -> list[Job]:
    """Returns the children's training, the last one repeated until they are as many as their program trains."""
    jobs, room = [one.job for one in group], shop.programs.layout.together
    return jobs if len(jobs) == 1 else jobs + jobs[-1:] * (room - len(jobs))


def _result(shop: Workshop, one: Draft, trained: Trained, writer: Writer, wall_s: float) -> ChildResult:
    quality = None
    if trained.finite:
        quality = max(trained.curve) if trained.best_cycle is None else trained.curve[trained.best_cycle]
    outcome: ChildOutcome = "nan" if quality is None else "score" if trained.best_cycle is None else "kept"
    return ChildResult(
        child=one.child,
        plan=one.plan,
        outcome=outcome,
        quality=quality,
        score=None if quality is None else score(quality, one.costs, shop.preset.scorer),
        curve=trained.curve,
        cost=float(one.costs.flops * trained.all_examples),
        storing=writer.submit(partial(stored, shop, one, trained), trained.size_bytes) if outcome == "kept" else None,
        wall_s=wall_s,
    )
