"""What came of iterations: values for whoever asked for them, and for those who watch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from mu2net_core.api.evolving.publish import Published
from mu2net_core.api.evolving.pushing import Pushed
from mu2net_core.api.evolving.runner import Runner
from mu2net_core.engine import IterationState, Tally, schedule_of
from mu2net_core.events import IterationFinished, Schedule
from mu2net_core.objectives import Classify, objective_of
from mu2net_core.objects import Task
from mu2net_core.search import Member

__all__ = ["EvolveResult", "IterationResult", "Outcome", "finished", "result_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class IterationResult:
    """What one task iteration came to.

    Attributes:
        task: that was improved.
        iteration: its number.
        seed: that every random decision derived from.
        generations: how many there were to be.
        done: how many there were: fewer if time ran out.
        schedule: how each child was trained.
        commit: where the head stands.
        model: the retained one.
        validation: its accuracy, in [0, 1].
        test: likewise on the test split.
        improved: whether it is better than the one there was.
        only_class: the one class that a new model at chance says of every test example; None if it says several.
        at_chance: whether a new model is, on the test split and by the task's metric, no better than always saying one
            class.
        sampled: children.
        kept: of these.
        discarded: of these, by reason.
        wall_s: how long it took in this process.
    """

    task: str
    iteration: int
    seed: int
    generations: int
    done: int
    schedule: Schedule
    commit: str
    model: str
    validation: float
    test: float
    improved: bool
    only_class: str | None
    at_chance: bool
    sampled: int
    kept: int
    discarded: Mapping[str, int]
    wall_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class EvolveResult:
    """What one evolution came to.

    Attributes:
        seed: of the iterations that began now.
        iterations: all that were finished, in order; of one that watches the last 1,000.
        not_begun: the tasks whose turn never came, since time was up; each as often as that is so.
        left_out: the tasks that could not be improved, or not as often as asked.
        held: the tasks that other agents worked on whenever their turn came.
        pushes: what became of every push that was asked for, in order; likewise.
        stopped: whether it ended since that was asked for from outside; what is unfinished can go on.
    """

    seed: int
    iterations: tuple[IterationResult, ...]
    not_begun: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()
    held: tuple[str, ...] = ()
    pushes: tuple[Pushed, ...] = ()
    stopped: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of an iteration's best model: where it was stored, and what it says of the test split."""

    winner: Member
    published: Published
    test: float
    tally: Tally | None


def result_of(runner: Runner, state: IterationState, task: Task, outcome: Outcome, wall_s: float) -> IterationResult:
    """Returns what an iteration on ``task`` came to."""
    model, tally = outcome.winner.model, outcome.tally
    objective = objective_of(task)
    at_chance = (
        tally is not None
        and isinstance(objective, Classify)
        and objective.is_chance(tally.hits, tally.truth, tally.said, outcome.test)
    )
    label = tally.only_label if tally is not None and at_chance else None
    num_examples, parts = task.splits["train"].num_examples, runner.programs.layout.batch_parts
    return IterationResult(
        task=state.task,
        iteration=state.iteration,
        seed=state.seed,
        generations=state.generations,
        done=state.generation,
        schedule=schedule_of(num_examples, runner.preset.training, parts=parts),
        commit=outcome.published.commit_id,
        model=outcome.published.model_id or outcome.winner.id,
        validation=model.quality or 0.0,
        test=outcome.test,
        improved=outcome.published.improved,
        only_class=None if label is None else task.output.labels[label],
        at_chance=at_chance,
        sampled=state.counts.sampled,
        kept=state.counts.kept,
        discarded=state.counts.discarded,
        wall_s=wall_s,
    )


def finished(result: IterationResult) -> IterationFinished:
    """Returns the event that tells of ``result``."""
    return IterationFinished(
        task=result.task,
        iteration=result.iteration,
        generations=result.generations,
        done=result.done,
        validation=result.validation,
        test=result.test,
        improved=result.improved,
        only_class=result.only_class,
        at_chance=result.at_chance,
        schedule=result.schedule,
        commit_id=result.commit,
        model_id=result.model,
        wall_s=result.wall_s,
    )
