"""``eval``: the quality of a stored model on one of its task's splits."""

from __future__ import annotations

import time
from dataclasses import replace
from shlex import quote

import numpy as np

from mu2net_core.api.context import Context
from mu2net_core.api.machine.runtime import example_names, split_at
from mu2net_core.api.models.cache import keep_bounded
from mu2net_core.api.models.judging import Judge, judge_of
from mu2net_core.api.models.loading import load_model
from mu2net_core.api.models.report import EvalResult, Report, WorstExample, WrongExample
from mu2net_core.api.models.reporting import store_report, stored_report
from mu2net_core.api.models.scores import ClassScore, Confusion, wilson
from mu2net_core.engine import Answers, answers, measure
from mu2net_core.errors import InvalidInputError
from mu2net_core.objectives import Classify, Objective
from mu2net_core.objects import SPLITS, Task
from mu2net_core.repo import Repository
from mu2net_core.repo.remotes import Watch

__all__ = ["ClassScore", "Confusion", "EvalResult", "Report", "WrongExample", "evaluate"]

_MOST_WORST = 20
"""Examples that a report tells of."""


def evaluate(
    repo: Repository,
    context: Context,
    revision: str,
    *,
    split: str = "test",
    by_class: bool = False,
    wrong: bool = False,
    report: bool = False,
    stored: bool = False,
    progress: Watch | None = None,
) -> EvalResult:
    """Measures the model that ``revision`` names on every example of ``split``.

    Args:
        repo: whose model; what a partial clone lacks of it is brought.
        context: of the call.
        revision: a task, commit or model.
        split: of the task: ``train``, ``validation`` or ``test``.
        by_class: tell precision and recall of every class or label, and which classes are taken for which.
        wrong: tell every example that the model gets wrong, of classes.
        report: tell the same by class, whether probabilities mean what they say, how far numbers are from the truth,
            and the examples that the model is most wrong about. It is stored beside the commit.
        stored: tell the report that is stored, as whoever measured it left it, and measure nothing.
        progress: told of every component that is brought.

    Raises:
        InvalidInputError: no such split, the revision is a root model, which solves no task, or what is to be told
            cannot be told of what comes out.
        NotFoundError: no such revision, the task has no model yet, or no report of it is stored.
    """
    if split not in SPLITS:
        raise InvalidInputError(f"No split {split!r}: expected one of {', '.join(SPLITS)}.")
    began = time.perf_counter()
    if stored and wrong:
        raise InvalidInputError("A stored report does not list what is wrong: leave out one of the two.")
    if stored:
        return stored_report(repo, context, revision, split)
    used = load_model(repo, context, revision, "measure", progress)
    task, objective = used.stored.task, used.objective
    judge = _judge(task, objective, by_class=by_class, wrong=wrong, report=report)
    if split == "validation" and (basis := used.stored.model.refit_of) is not None:
        context.warn(
            f"The model of {task.name} has learned from its validation examples, too: what it says of them tells "
            f"nothing of others. The one it is a refit of has not: mu2net eval {basis[:10]} --split validation"
        )
    feed = split_at(repo, context, task, split, used.loaded.input_spec)
    see = None if judge is None else judge.add
    found = answers(used.loaded, objective, feed, see=see) if isinstance(objective, Classify) else None
    quality = measure(used.loaded, objective, feed, see=see).quality if found is None else found.quality
    keep_bounded(repo, context)
    result = EvalResult(
        task=task.name,
        model=used.stored.model_id,
        split=split,
        num_examples=feed.num_examples,
        metric=task.metric,
        quality=quality,
        by_class=None if judge is None else judge.by_class,
        confused=None if judge is None else judge.confused,
        report=_report(repo, context, task, split, judge) if judge is not None and report else None,
        wall_s=time.perf_counter() - began,
    )
    if found is not None and isinstance(objective, Classify):
        result = _of_classes(result, found, task, objective)
    if found is not None and wrong:
        result = replace(result, wrong=_wrong(repo, context, task, split, found))
    if report:
        store_report(repo, context, revision, result)
    return result


def _of_classes(result: EvalResult, found: Answers, task: Task, objective: Classify) -> EvalResult:
    """Returns a result that also tells how many classes are right, and how far to trust that."""
    tally = found.tally(task.output.size)
    return replace(
        result,
        correct=tally.right,
        accuracy=tally.accuracy,
        interval=wilson(tally.right, result.num_examples),
        most_frequent=tally.most_frequent,
        at_chance=objective.is_chance(tally.hits, tally.truth, tally.said, found.quality),
    )


def _judge(task: Task, objective: Objective, *, by_class: bool, wrong: bool, report: bool) -> Judge | None:
    """Returns what takes in all that is to be told beside quality, if something is.

    Raises:
        InvalidInputError: it cannot be told of what comes out.
    """
    judge = judge_of(objective, task.output.labels)
    if wrong and not isinstance(objective, Classify):
        raise InvalidInputError(
            f"Only of classes can be told which are wrong; {task.output.kind} come out here.",
            hint=None if judge is None else f"What is most wrong: mu2net eval {quote(task.name)} --report",
        )
    if not (by_class or report):
        return None
    if by_class and not report and not task.output.labels:
        raise InvalidInputError(f"Only classes and labels can be told one by one; {task.output.kind} come out here.")
    if judge is None:
        raise InvalidInputError(f"Of outputs of the kind {task.output.kind} nothing but the quality can be told.")
    return judge


def _report(repo: Repository, context: Context, task: Task, split: str, judge: Judge) -> Report:
    """Returns what is to be told of a model, once all outputs were seen."""
    worst = judge.worst(_MOST_WORST)
    names = example_names(repo, context, task, split, [place for place, _ in worst])
    return Report(
        calibration=judge.calibration,
        residuals=judge.residuals,
        worst=tuple(
            WorstExample(name=name, label=label, said=said, loss=loss)
            for (place, loss), name in zip(worst, names, strict=True)
            for label, said in [judge.text(place)]
        ),
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
