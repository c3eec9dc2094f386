"""A task from a data set: exact splits, counts, classes and fingerprints, every example read once and checked."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from mu2net_core.data.catalogue import default_name, open_source
from mu2net_core.data.census import Census, LabelCensus
from mu2net_core.data.labels import checked_label
from mu2net_core.data.load import Fingerprint
from mu2net_core.data.modality import Modality, Survey, modality_of
from mu2net_core.data.source import Options, Source
from mu2net_core.data.splits import resolve_splits
from mu2net_core.data.tally import Tally
from mu2net_core.data.wording import counted
from mu2net_core.errors import DataError, InvalidInputError
from mu2net_core.objects import LIMITS, PUBLIC, SPLITS, AccessRule, Classes, Labels, Limits, Output, Slice, Split, Task

__all__ = ["Described", "describe_task"]


BALANCED = "balanced"
"""The weights with which rare classes count as much as frequent ones."""


def _nothing(_shape: tuple[int, ...]) -> str | None:
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Described:
    """A task, and what whoever adds it should know.

    Attributes:
        task: its source says where the data lies on this machine.
        skipped: the names of the broken examples left out on request.
        notes: how the data was read and what is remarkable about it, one sentence each.
        typical_size: (H, W) in pixels: half of the images are lower, half are narrower; of texts the bytes that nine of
            ten do not exceed; None of what has no size.
        tallies: the labels of each split.
        source: that was read.
        cut_off: returns what a model that takes examples of a shape reads nothing of, in a sentence, if there is any.
    """

    task: Task
    skipped: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    typical_size: tuple[int, ...] | None
    tallies: Mapping[str, Tally]
    source: Source
    cut_off: Callable[[tuple[int, ...]], str | None] = _nothing


def describe_task(
    uri: str,
    *,
    name: str | None = None,
    train: str | None = None,
    validation: str | None = None,
    test: str | None = None,
    access: AccessRule = PUBLIC,
    options: Options | None = None,
    data_dir: str | None = None,
    class_weights: str | None = None,
    limits: Limits = LIMITS,
    check: Callable[[Output], None] = lambda _: None,
) -> Described:
    """Returns the task for a data set.

    Args:
        uri: of the data set; file paths absolute.
        name: of the task; None for the URI's own.
        train: split specification, None for the default.
        validation: likewise.
        test: likewise.
        access: who may read what is learned from it.
        options: of the source.
        data_dir: where prepared catalogue data lies.
        class_weights: ``balanced`` lets rare classes and labels count as much in the loss as frequent ones.
        limits: of this machine.
        check: called with what comes out of models before any example is read: what it raises ends it.

    Raises:
        InvalidInputError: a name or split that cannot be read, or weights where there are neither classes nor labels.
        NotFoundError: no such data set.
        DataError: fewer than two classes, an empty split, examples that cannot be read or a label out of range.
        PluginError: nobody here works with inputs of its kind.
    """
    source = open_source(uri, options=options, data_dir=data_dir, limits=limits)
    info = source.info()
    if isinstance(info.output, Classes) and len(info.classes) < 2:
        left = f" without the {counted(len(info.skipped), 'broken image')}" if info.skipped else ""
        raise DataError(f"Expected at least two classes in {source.uri}, found {len(info.classes)}{left}.")
    check(info.output)
    if class_weights is not None:
        _check_weights(class_weights, info.output)
    modality = modality_of(info.input)
    survey, census = modality.survey({**info.options, **(options or {})}), _census_of(info.output, modality.plural)
    tallies = {split: Tally(info.output) for split in SPLITS}
    splits = {
        split: _describe_split(source, info.output, split, spec, slices, modality, survey, census, tallies[split])
        for split, (spec, slices) in resolve_splits(info, source.uri, train, validation, test).items()
    }
    survey.check(source.uri)
    task = Task(
        name=name if name is not None else default_name(uri),
        source=source.uri,
        options={**info.options, **survey.options()},
        splits=splits,
        input=survey.input(),
        output=info.output,
        metric=info.metric,
        access=access,
        class_weights=None if class_weights is None or census is None else census.weights(info.output.size),
    )
    return Described(
        task=task,
        skipped=info.skipped,
        notes=(
            *info.notes,
            *survey.notes(),
            *(() if census is None else census.notes(info.classes, weighed=class_weights is not None)),
        ),
        typical_size=survey.typical_size(),
        tallies=tallies,
        source=source,
        cut_off=survey.cut_off,
    )


def _census_of(output: Output, plural: str) -> Census | LabelCensus | None:
    """Returns what counts examples of such an output; None where numbers or something else come out."""
    if isinstance(output, Labels):
        return LabelCensus(output.size, plural)
    return Census(plural) if isinstance(output, Classes) else None


def _check_weights(wanted: str, output: Output) -> None:
    if wanted != BALANCED:
        raise InvalidInputError(f"No such weights of classes: {wanted!r}.", hint=f"Example: --class-weights {BALANCED}")
    if not isinstance(output, Classes | Labels):
        raise InvalidInputError(f"Weights are for classes and labels; {output.kind} comes out here.")


def _describe_split(
    source: Source,
    output: Output,
    split: str,
    spec: str,
    slices: Sequence[Slice],
    modality: Modality,
    survey: Survey,
    census: Census | LabelCensus | None,
    tally: Tally,
) -> Split:
    fingerprint = Fingerprint(modality)
    num_examples = 0
    for stored in source.read(slices):
        label = checked_label(stored, output)
        shape, data = fingerprint.add(stored, label)
        tally.add(label)
        if survey.look(stored, split) and census is not None:
            census.add(split, label, shape, data)
        num_examples += 1
    return Split(spec=spec, slices=tuple(slices), num_examples=num_examples, fingerprint=fingerprint.hexdigest())
