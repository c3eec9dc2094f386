"""``eval``: the quality of a stored model on one of its task's splits."""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import partial

import numpy as np

from mu2net_core.api.context import Context
from mu2net_core.api.machine.runtime import example_names, split_at
from mu2net_core.api.models.cache import keep_bounded
from mu2net_core.api.models.loading import load_model
from mu2net_core.api.models.scores import ClassScore, Confusion, class_scores, confusions, wilson
from mu2net_core.engine import Answers, answers, measure
from mu2net_core.errors import InvalidInputError
from mu2net_core.objectives import Classify
from mu2net_core.objects import SPLITS, Task
from mu2net_core.repo import Repository
from mu2net_core.repo.remotes import Watch

__all__ = ["ClassScore", "Confusion", "EvalResult", "WrongExample", "evaluate"]


@dataclass(frozen=True, slots=True, kw_only=True)
class WrongExample:
    """An example that the model takes for another class.

    Attributes:
        name: what its source calls it: a file's path, or e.g. ``train[17]``.
        label: the class it is of.
        said: the class the model takes it for.
        probability: that the model gives to ``said``, in [0, 1].
    """

    name: str
    label: str
    said: str
    probability: float


@dataclass(frozen=True, slots=True, kw_only=True)
class EvalResult:
    """What a model is worth, and on what.

    Attributes:
        task: the model's.
        model: its id.
        split: of the task.
        num_examples: of the split.
        metric: the task's.
        quality: by that, in [0, 1].
        correct: how many of them the model gets right; None where not classes come out.
        accuracy: their share, in [0, 1]; likewise.
        interval: Wilson's 95 % interval: what the accuracy on all data like these may be, for all that so many show;
            likewise.
        most_frequent: the accuracy of always saying the class that is most frequent in the split; likewise.
        at_chance: whether the model is no better than that, as far as so many examples can tell; likewise.
        by_class: a score per class; None if it was not asked for.
        confused: which classes are taken for which, the most frequent first; likewise.
        wrong: every example that is not right, those the model is surest of first; likewise.
        wall_s: what it took.
    """

    task: str
    model: str
    split: str
    num_examples: int
    metric: str
    quality: float
    correct: int | None = None
    accuracy: float | None = None
    interval: tuple[float, float] | None = None
    most_frequent: float | None = None
    at_chance: bool | None = None
    by_class: tuple[ClassScore, ...] | None = None
    confused: tuple[Confusion, ...] | None = None
    wrong: tuple[WrongExample, ...] | None = None
    wall_s: float


def evaluate(
    repo: Repository,
    context: Context,
    revision: str,
    *,
    split: str = "test",
    by_class: bool = False,
    wrong: bool = False,
    progress: Watch | None = None,
) -> EvalResult:
    """Measures the model that ``revision`` names on every example of ``split``.

    Args:
        repo: whose model; what a partial clone lacks of it is brought.
        context: of the call.
        revision: a task, commit or model.
        split: of the task: ``train``, ``validation`` or ``test``.
        by_class: tell precision and recall of every class, and which are taken for which.
        wrong: tell every example that the model gets wrong.
        progress: told of every component that is brought.

    Raises:
        InvalidInputError: no such split, or the revision is a root model, which solves no task.
        NotFoundError: no such revision, or the task has no model yet.
    """
    if split not in SPLITS:
        raise InvalidInputError(f"No split {split!r}: expected one of {', '.join(SPLITS)}.")
    began = time.perf_counter()
    used = load_model(repo, context, revision, "measure", progress)
    task, objective = used.stored.task, used.objective
    feed = split_at(repo, context, task, split, used.loaded.input_spec)
    measured = partial(
        EvalResult,
        task=task.name,
        model=used.stored.model_id,
        split=split,
        num_examples=feed.num_examples,
        metric=task.metric,
    )
    if not isinstance(objective, Classify):
        if by_class or wrong:
            raise InvalidInputError(f"Only of classes can be told which are wrong; {task.output.kind} come out here.")
        quality = measure(used.loaded, objective, feed).quality
        keep_bounded(repo, context)
        return measured(quality=quality, wall_s=time.perf_counter() - began)
    found = answers(used.loaded, objective, feed)
    classes, tally = task.output.labels, found.tally(task.output.size)
    keep_bounded(repo, context)
    return measured(
        quality=found.quality,
        correct=tally.right,
        accuracy=tally.accuracy,
        interval=wilson(tally.right, feed.num_examples),
        most_frequent=tally.most_frequent,
        at_chance=tally.is_chance,
        by_class=class_scores(found.labels, found.said, classes) if by_class else None,
        confused=confusions(found.labels, found.said, classes) if by_class else None,
        wrong=_wrong(repo, context, task, split, found) if wrong else None,
        wall_s=time.perf_counter() - began,
    )


def _wrong(repo: Repository, context: Context, task: Task, split: str, found: Answers) -> tuple[WrongExample, ...]:
    """Returns the examples that are not right, those the model is surest of first."""
    numbers = np.flatnonzero(found.said != found.labels)
    names = example_names(repo, context, task, split, numbers.tolist())
    examples = [
        WrongExample(
            name=name,
            label=task.output.labels[found.labels[number]],
            said=task.output.labels[found.said[number]],
            probability=float(found.probability[number]),
        )
        for number, name in zip(numbers, names, strict=True)
    ]
    return tuple(sorted(examples, key=lambda example: -example.probability))
