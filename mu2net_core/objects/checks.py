"""What the values of a decoded object must keep that their types do not say. Everything raises ValueError."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from math import isfinite

from mu2net_core.objects.commit import Commit, HeadEntry, Snapshot
from mu2net_core.objects.component import ComponentRef
from mu2net_core.objects.kinds import Classes, Image, Input, Labels, Number, Output, Table, Text
from mu2net_core.objects.model import Costs, Merge, Model
from mu2net_core.objects.names import is_name
from mu2net_core.objects.newer import is_version
from mu2net_core.objects.run import Run
from mu2net_core.objects.task import Task
from mu2net_core.objects.trial import Trial

__all__ = ["LARGEST_COUNT", "check_values"]

_OID = re.compile(r"[0-9a-f]{64}")
_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{6}\+00:00")
_WORD = re.compile(r"[a-z][a-z0-9-]{0,63}")
_MOST_KNOTS, _LONGEST_DATE = 256, 64
_HEAVIEST = 1e6
"""The largest weight of a class."""
_MOST = 2**53
"""The largest count: beyond it, floats and other readers' numbers are no longer exact."""
LARGEST_COUNT = 2**40
"""The largest count that honest work comes to. What counts further stays at it, far below what can be read."""


def check_values(value: object) -> None:
    """Checks the ids, names, counts, shares and times in a model, task, commit, snapshot or head's entry.

    Raises:
        ValueError: one of them cannot be right.
    """
    if isinstance(value, Model):
        _check_model(value)
    elif isinstance(value, Task):
        _check_task(value)
    elif isinstance(value, Commit):
        _check_commit(value)
    elif isinstance(value, Snapshot):
        _names("task", value.heads)
        _names("root", value.roots)
        _ids("head", value.heads.values())
        _ids("root and base", (*value.roots.values(), value.base))
    elif isinstance(value, HeadEntry):
        _ids("commit and previous", (value.commit, value.previous))


def _check_task(task: Task) -> None:
    _check_input(task.input)
    _check_output(task.output)
    _words("metric", [task.metric])
    if task.needs is not None and not is_version(task.needs):
        raise ValueError(f"needs: expected a version like 1.2.3, got {task.needs[:80]!r}")
    _counts("num_examples", (split.num_examples for split in task.splits.values()), least=1)
    _counts("slice", (part.stop for split in task.splits.values() for part in split.slices))
    _names("reader", task.access.readers or ())
    _names("preset", [] if task.preset is None else [task.preset])
    _check_weights(task)


def _check_weights(task: Task) -> None:
    weights = task.class_weights
    if weights is None:
        return
    size = task.output.size if isinstance(task.output, Classes | Labels) else 0
    if len(weights) != size or not all(0 < weight <= _HEAVIEST for weight in weights):
        raise ValueError(f"class_weights: expected {size} numbers above 0, up to {_HEAVIEST:g}, of {task.output.kind}")


def _check_input(given: Input) -> None:
    _words("kind of input", [given.kind])
    if isinstance(given, Image):
        if given.channels not in {1, 3}:
            raise ValueError(f"channels: expected 1 or 3, got {given.channels}")
        _counts("image side", (side for side in (given.height, given.width) if side is not None), least=1)
    elif isinstance(given, Text):
        _counts("max_length", [given.max_length], least=1)
    elif isinstance(given, Table):
        names = [column.name for column in given.columns]
        if not names or len(set(names)) != len(names):
            raise ValueError("a table needs columns with distinct names")
        for column in given.columns:
            if column.values is not None:
                _check_labels(f"the column {column.name[:80]!r}", "value", column.values)
            if len(column.knots) > _MOST_KNOTS or not all(map(isfinite, column.knots)):
                raise ValueError(f"the column {column.name[:80]!r}: expected at most {_MOST_KNOTS} knots, all finite")
            if column.date is not None and len(column.date) > _LONGEST_DATE:
                raise ValueError(f"the column {column.name[:80]!r}: expected dates in up to {_LONGEST_DATE} letters")
            if list(column.knots) != sorted(column.knots):
                raise ValueError(f"the column {column.name[:80]!r}: expected ascending knots")


def _check_output(given: Output) -> None:
    _words("kind of output", [given.kind])
    if isinstance(given, Classes):
        _check_labels("a task", "class", given.names)
    elif isinstance(given, Labels):
        _check_labels("a task", "label", given.names)
    elif isinstance(given, Number) and not (isfinite(given.mean) and 0 < given.deviation < float("inf")):
        raise ValueError(f"number: expected a mean and a deviation above 0, got {given.mean} and {given.deviation}")


def _check_labels(whose: str, what: str, names: Sequence[str]) -> None:
    if not names:
        raise ValueError(f"{whose} needs at least one {what}")


def _check_model(model: Model) -> None:
    if len({model.task is None, model.task_id is None, model.root is None}) != 1:
        raise ValueError("exactly the root models have neither task nor task object nor root")
    _names("task", [] if model.task is None else [model.task])
    _ids("task object, root and parent", (model.task_id, model.root, model.parent))
    _ids("origin", (model.origin.blake3,) if model.origin is not None else ())
    for ref in model.components:
        _check_ref(ref)
    for name, merge in (model.merges or {}).items():
        _ids("merged component and its model", (merge.component, merge.model))
        _check_merge(model.component(name), merge)
    _check_values({**model.hyperparameters, **model.architecture.config})
    _shares("µ", model.mutation_rates.values())
    _shares("validation curve", model.validation_curve)
    _shares("quality and test quality", (model.quality, model.test_quality))
    _counts("validation examples", [] if model.validation_examples is None else [model.validation_examples], least=1)
    if model.score is not None and not isfinite(model.score):
        raise ValueError(f"score: expected a number, got {model.score}")
    if model.costs is not None:
        _check_costs(model.costs)


def _check_merge(made: ComponentRef | None, merge: Merge) -> None:
    if made is not None and made.operation == "cross":
        if merge.weight != 1 or merge.component != made.parent:
            raise ValueError("a layer that was taken over: expected all of the component that it came from")
    elif not 0 < merge.weight < 1:
        raise ValueError(f"the weight of a merge: expected a number above 0 and below 1, got {merge.weight}")


def _check_ref(ref: ComponentRef) -> None:
    _ids("component", (ref.id, ref.parent))
    _counts("num_params and size_bytes", (ref.num_params, ref.size_bytes))
    _names("task", ref.training)
    _counts("steps and examples", (count for one in ref.training.values() for count in (one.steps, one.examples)))


def _check_costs(costs: Costs) -> None:
    _counts("costs", (costs.params, costs.flops), most=2**63)
    if not 0 <= costs.accounted_params < float("inf"):
        raise ValueError(f"accounted_params: expected a number of parameters, got {costs.accounted_params}")


def _check_commit(commit: Commit) -> None:
    _ids("task object, model and snapshot", (commit.task_id, commit.model, commit.snapshot))
    _ids("parent, reset_to and refit_of", (*commit.parents, commit.reset_to, commit.refit_of))
    _ids("selected model", commit.selections)
    _counts("slot", [] if commit.agent is None else [commit.agent.slot])
    _counts("selections", (times for agents in commit.selections.values() for times in agents.values()))
    children = commit.children
    _counts("children", (commit.iteration, children.sampled, children.kept, *children.discarded.values()))
    for moment in (commit.started_at, commit.finished_at):
        if not _is_time(moment):
            raise ValueError(f"expected a time like 2026-01-02T03:04:05.000000+00:00, got {moment[:80]!r}")
    if commit.run is not None:
        _check_run(commit.run)
    if commit.trials is not None:
        _check_values(commit.trials.shared)
        for trial in commit.trials.each:
            _check_trial(trial)


def _check_trial(trial: Trial) -> None:
    _check_values(trial.values)
    _ids("parent and model of a trial", (trial.parent, trial.model))
    if list(trial.clones) != sorted(set(trial.clones)):
        raise ValueError("clones of a trial: expected sorted distinct names")
    if not 0 <= trial.cost < float("inf") or not isfinite(trial.score or 0.0):
        raise ValueError(f"a trial: expected numbers, got the score {trial.score} and the cost {trial.cost}")


def _check_values(values: Mapping[str, object]) -> None:
    for name, value in values.items():
        for one in value if isinstance(value, tuple) else (value,):
            if isinstance(one, int) and abs(one) > _MOST:
                raise ValueError(f"{name[:80]!r} is absurd")


def _check_run(run: Run) -> None:
    _ids("digest and snapshots", (run.digest, *(later.snapshot for later in run.seen)))
    _counts("generations and children", (run.generations, run.children), least=1)
    _counts("cores", [run.cores], least=1)
    if run.device_s is not None and not 0 <= run.device_s <= _MOST:
        raise ValueError(f"device_s: expected seconds, got {run.device_s}")
    _counts("done", [run.done], most=run.generations)
    _counts("seed", [run.seed], least=-_MOST)
    generations = [later.generation for later in run.seen]
    _counts("generations of snapshots", generations, most=run.done - 1)
    if generations != sorted(set(generations)):
        raise ValueError("the generations of snapshots must rise")
    _check_values(run.settings)


def _is_time(text: str) -> bool:
    if not _TIME.fullmatch(text):
        return False
    try:
        datetime.fromisoformat(text)
    except ValueError:  # the 99th of a month
        return False
    return True


def _ids(what: str, found: Iterable[str | None]) -> None:
    for oid in found:
        if oid is not None and not _OID.fullmatch(oid):
            raise ValueError(f"{what}: expected ids of 64 hex digits, got {oid[:80]!r}")


def _names(what: str, found: Iterable[str] | Mapping[str, object]) -> None:
    for name in found:
        if not is_name(name):
            raise ValueError(f"{what}: not a name: {name[:120]!r}")


def _counts(what: str, found: Iterable[int], *, least: int = 0, most: int = _MOST) -> None:
    for count in found:
        if not least <= count <= most:
            raise ValueError(f"{what}: expected a number from {least} to {most}, got {str(count)[:40]}")


def _words(what: str, found: Iterable[str]) -> None:
    for word in found:
        if not _WORD.fullmatch(word):
            raise ValueError(f"{what}: expected a word of a-z, 0-9 and -, got {word[:80]!r}")


def _shares(what: str, found: Iterable[float | None]) -> None:
    for share in found:
        if share is not None and not 0 <= share <= 1:
            raise ValueError(f"{what}: expected a share from 0 to 1, got {share}")
