"""Objects in words: what ``log`` and ``show`` print of a commit, a model, a task, a snapshot, a component."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from mu2net_cli.printing.render import counted, percent, quantity, short

if TYPE_CHECKING:
    from mu2net_core.api.looking.log import HowRun, LogEntry
    from mu2net_core.api.looking.show import Shown, ShownComponent
    from mu2net_core.objects import Agent, Image, Input, Merge, Model, Mutation, Snapshot, Task, Training, Trials

__all__ = ["access_text", "commit_lines", "component_lines", "named", "output_text", "shown_lines"]


def access_text(task: str, readers: tuple[str, ...] | None) -> str:
    """Returns who may read what was learned from a task, in a word or two."""
    if readers is None:
        return "public"
    return "private" if readers == (task,) else f"readers {','.join(readers) or 'nobody'}"


def named(agent: Agent) -> str:
    """Returns who made a commit, and on which machine if that is said."""
    return f"{agent.id[:8]} on {agent.host}" if agent.host else agent.id[:8]


def commit_lines(entry: LogEntry) -> Iterator[str]:
    """Yields a commit as the log shows it, in git's manner."""
    yield f"commit {entry.commit}"
    if len(entry.parents) > 1:
        yield f"Merge:  {' '.join(map(short, entry.parents))}"
    yield f"Task:   {entry.task}"
    if entry.agent is not None:
        device = "" if entry.agent.device == "none" else f" ({entry.agent.device})"
        yield f"Agent:  {named(entry.agent)}{device}"
    yield f"Date:   {entry.finished_at[:19].replace('T', ' ')} UTC"
    yield ""
    yield f"    {entry.message}"
    if entry.model is not None:
        quality = f": validation {percent(entry.validation)}, test {percent(entry.test)}"
        yield f"    model {short(entry.model)}{quality if entry.event == 'merge' else ''}"
    if entry.sampled:
        reasons = ", ".join(f"{count} {reason}" for reason, count in sorted(entry.discarded.items()) if count)
        discarded = f"; discarded: {reasons}" if reasons else ""
        found = "; none better than before" if entry.improved is False else ""
        yield f"    {counted(entry.sampled, 'child')} sampled, {entry.kept} kept{discarded}{found}"
    if entry.run is not None:
        yield f"    {_how_run(entry.run)}"


def _how_run(run: HowRun) -> str:
    """Returns how an iteration was run, in one line."""
    cycles = "" if run.validations is None else f", {counted(run.validations, 'cycle')} each"
    cut = f" (time was up after {run.done})" if run.done < run.generations else ""
    amount = f"{counted(run.generations, 'generation')}{cut} of {counted(run.children, 'child')}{cycles}"
    return f"seed {run.seed}, {run.method or 'an unknown method'}, {amount}"


def shown_lines(shown: Shown) -> Iterator[str]:
    """Yields what ``show`` prints of an object."""
    if shown.entry is not None:
        yield from commit_lines(shown.entry)
    else:
        yield f"{shown.kind} {shown.id}"
    if shown.kind == "model" and shown.retained_by:
        yield _field("head of", ", ".join(shown.retained_by))
    if shown.commit is not None and shown.commit.trials is not None:
        yield from _trial_lines(shown.commit.trials)
    if shown.task_object is not None:
        yield from _task_lines(shown.task_object, shown.data_here, purged=shown.purged)
    if shown.model is not None:
        yield from _model_lines(shown.model)
    if shown.snapshot is not None:
        yield from _snapshot_lines(shown.snapshot)
    if shown.component is not None:
        yield from component_lines(shown.component)


def _trial_lines(trials: Trials) -> Iterator[str]:
    """Yields what an iteration tried, one child a line: what became of it, whose child it is, how it differs."""
    yield ""
    if trials.shared:
        yield _field("all children", _values(trials.shared))
    for number, trial in enumerate(trials.each, start=1):
        outcome = {"kept": "kept", "score": "discarded", "nan": "not finite"}[trial.outcome]
        score = "-" if trial.score is None else f"{trial.score:.6f}"
        told = [f"from {short(trial.parent)}", *([f"copies {', '.join(trial.clones)}"] if trial.clones else [])]
        line = "; ".join([*told, *([_values(trial.values)] if trial.values else [])])
        yield f"  child {number:<4}{short(trial.model):<12}{outcome:<11}{score:>9}  {line}"


def _values(values: Mapping[str, object]) -> str:
    return ", ".join(f"{name}={value}" for name, value in sorted(values.items()))


def _field(name: str, value: str) -> str:
    return f"{name + ':':<17}{value}"


def _task_lines(task: Task, data_here: str | None, *, purged: bool) -> Iterator[str]:
    yield ""
    yield _field("task", f"{task.name} ({access_text(task.name, task.access.readers)})")
    if purged:
        yield _field("data", "purged: nothing tells of it any more")
        return
    yield _field("data", task.source)
    if data_here is not None:
        yield _field("here", data_here)
    yield _field("input", _input_text(task.input))
    names = task.output.labels
    listed = f": {', '.join(names[:12])}{', ...' * (len(names) > 12)}" if names else ""
    yield _field("output", output_text(task.output.kind, task.output.size) + listed)
    yield _field("metric", task.metric)
    if task.class_weights is not None:
        yield _field("class weights", _weights_text(names, task.class_weights))
    yield from _unknown_lines(task)
    for name, split in task.splits.items():
        yield _field(name, f"{split.num_examples} examples, {split.spec}")


def output_text(kind: str, size: int) -> str:
    """Returns what comes out of a task's models in words: ``10 classes``, ``3 labels``, ``number``."""
    return f"{size} {kind}" if kind in {"classes", "labels"} else kind


def _weights_text(names: Sequence[str], weights: Sequence[float]) -> str:
    """Returns how much examples of classes count in the loss, of many classes the least and the greatest."""
    pairs = sorted(zip(weights, names, strict=True))
    listed = [f"{name} {weight:.4g}" for weight, name in pairs]
    return ", ".join(listed) if len(listed) <= 6 else f"{listed[0]} ... {listed[-1]}"


def _unknown_lines(value: Task | Model) -> Iterator[str]:
    """Yields what of a task or model this version does not know, if there is anything."""
    from mu2net_core.objects import unknown_in

    if (unknown := unknown_in(value)) is not None:
        yield _field("made by", f"a newer mu2net: {unknown}")


def _input_text(given: Input) -> str:
    """Returns what goes into a task's models in words."""
    from mu2net_core.objects import Image, Table, Text

    if isinstance(given, Image):
        return f"images {_size(given)}, {counted(given.channels, 'channel')}"
    if isinstance(given, Text):
        return f"text of up to {counted(given.max_length, 'character')}"
    if isinstance(given, Table):
        some = ", ".join(column.name for column in given.columns[:12]) + ", ..." * (len(given.columns) > 12)
        return f"rows of {counted(len(given.columns), 'column')}: {some}"
    return given.kind


def _size(images: Image) -> str:
    """Returns the size of a task's images in words."""
    if images.height is None and images.width is None:
        return "of several sizes"
    if images.height is None or images.width is None:
        same, other = ("high", "widths") if images.width is None else ("wide", "heights")
        return f"{images.height or images.width} pixels {same}, of several {other}"
    return f"{images.height}x{images.width}"


def _model_lines(model: Model) -> Iterator[str]:
    yield ""
    yield _field("model of", model.task or "no task: a root")
    yield from _unknown_lines(model)
    if model.origin is not None:
        yield _field("made from", f"{model.origin.source} (BLAKE3 {short(model.origin.blake3)})")
    yield _field("architecture", model.architecture.name + _in_brackets(model.architecture.config))
    if model.parent is not None:
        yield _field("parent", short(model.parent))
        yield _field("root", short(model.root))
        yield _field("mutations", ", ".join(map(_mutation, model.mutations)) or "none")
        yield _field("validation", " ".join(map(percent, model.validation_curve)))
        score = "-" if model.score is None else f"{model.score:.6f}"
        yield _field("score", f"{score} (validation {percent(model.quality)}, test {percent(model.test_quality)})")
    if model.costs is not None:
        share = f"{quantity(model.costs.params)} parameters, {quantity(model.costs.accounted_params)} accounted"
        yield _field("costs", f"{share}, {quantity(model.costs.flops)} FLOPs")
    yield _field("hyperparameters", _values(model.hyperparameters))
    if model.seed is not None:
        yield _field("seed", f"{model.seed} on {model.device_kind or 'an unknown device'}")
    yield ""
    merges = model.merges or {}
    for ref in model.components:
        state = "trained" if ref.trainable else "frozen" if model.task else "root"
        size = quantity(ref.num_params).rjust(8)
        made = f"{ref.operation}{_from(ref.parent, merges.get(ref.name))}"
        yield f"  {short(ref.id)}  {ref.name:<20}{size}  {state:<8}{made}"


def _from(parent: str | None, merge: Merge | None) -> str:
    """Returns what a component came from."""
    if parent is None:
        return ""
    if merge is None:
        return f" of {short(parent)}"
    if merge.component == parent:
        return f" of {short(parent)} in model {short(merge.model)}"
    second = f"with {percent(merge.weight)} of {short(merge.component)} in model {short(merge.model)}"
    return f" of {short(parent)} {second}"


def _in_brackets(config: Mapping[str, object]) -> str:
    return f" ({', '.join(f'{name} {value}' for name, value in sorted(config.items()))})" if config else ""


def _mutation(mutation: Mutation) -> str:
    if mutation.before is None and mutation.after is None:
        return mutation.name
    return f"{mutation.name} {mutation.before}->{mutation.after}"


def _snapshot_lines(snapshot: Snapshot) -> Iterator[str]:
    yield ""
    for task, commit in sorted(snapshot.heads.items()):
        yield f"  {short(commit)}  head of {task}"
    for name, model in sorted(snapshot.roots.items()):
        yield f"  {short(model)}  root {name}"


def component_lines(component: ShownComponent) -> Iterator[str]:
    """Yields what manifests say of a component."""
    yield ""
    if component.num_params is not None:
        yield _field("size", f"{quantity(component.num_params)} parameters, {quantity(component.size_bytes)}B")
        yield _field("made by", f"{component.operation}{_from(component.parent, component.merge)}")
        yield _field("trained by", _training_text(component.training) or "nothing yet")
    yield _field("present", "yes" if component.present else "no: it is fetched when something needs it")
    for use in component.used_by:
        how = "trained" if use.trainable else "frozen" if use.task else "root"
        head = ", a head's model" if use.retained and use.task else ""
        yield f"  {short(use.model)}  {how} as {use.layer} by {use.task or 'a root'}{head}"


def _training_text(training: Mapping[str, Training]) -> str:
    return ", ".join(f"{task} ({one.steps} steps, {one.examples} examples)" for task, one in sorted(training.items()))
