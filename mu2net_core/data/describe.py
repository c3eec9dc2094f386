"""A task from a data set: exact splits, counts, classes and fingerprints, every example read once and checked."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from mu2net_core.data.catalogue import default_name, open_source
from mu2net_core.data.census import Census, Shape
from mu2net_core.data.labels import checked_label
from mu2net_core.data.load import Fingerprint
from mu2net_core.data.modality import Modality, Survey, modality_of
from mu2net_core.data.source import Options, Source
from mu2net_core.data.splits import resolve_splits
from mu2net_core.data.wording import counted
from mu2net_core.errors import DataError
from mu2net_core.objects import PUBLIC, AccessRule, Classes, Output, Slice, Split, Task

__all__ = ["Described", "describe_task"]


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
        cut_off: returns what a model that takes examples of a shape reads nothing of, in a sentence, if there is any.
    """

    task: Task
    skipped: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    typical_size: tuple[int, ...] | None
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

    Raises:
        InvalidInputError: a name or split that cannot be read.
        NotFoundError: no such data set.
        DataError: fewer than two classes, an empty split, examples that cannot be read or a label out of range.
        PluginError: nobody here works with inputs of its kind.
    """
    source = open_source(uri, options=options, data_dir=data_dir)
    info = source.info()
    is_classes = isinstance(info.output, Classes)
    if is_classes and len(info.classes) < 2:
        left = f" without the {counted(len(info.skipped), 'broken image')}" if info.skipped else ""
        raise DataError(f"Expected at least two classes in {source.uri}, found {len(info.classes)}{left}.")
    modality = modality_of(info.input)
    survey, census = modality.survey({**info.options, **(options or {})}), Census(modality.plural)
    splits = {
        split: _describe_split(source, info.output, split, spec, slices, modality, survey, partial(census.add, split))
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
    )
    return Described(
        task=task,
        skipped=info.skipped,
        notes=(*info.notes, *survey.notes(), *(census.notes(info.classes) if is_classes else ())),
        typical_size=survey.typical_size(),
        cut_off=survey.cut_off,
    )


def _describe_split(
    source: Source,
    output: Output,
    split: str,
    spec: str,
    slices: Sequence[Slice],
    modality: Modality,
    survey: Survey,
    count: Callable[[int, Shape, bytes], None],
) -> Split:
    fingerprint = Fingerprint(modality)
    num_examples = 0
    for stored in source.read(slices):
        label = checked_label(stored, output)
        shape, data = fingerprint.add(stored, label)
        if survey.look(stored, split) and isinstance(output, Classes):
            count(int(label), shape, data)
        num_examples += 1
    return Split(spec=spec, slices=tuple(slices), num_examples=num_examples, fingerprint=fingerprint.hexdigest())
