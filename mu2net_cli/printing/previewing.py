"""A data set as it would be as a task, on a terminal."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from mu2net_cli.printing.describe import output_text

if TYPE_CHECKING:
    from mu2net_core.api.tasks.preview import Preview, PreviewSplit

__all__ = ["preview_lines"]

_MOST_CLASSES, _MOST_SAMPLES, _LONGEST = 20, 8, 100


def preview_lines(preview: Preview) -> Iterator[str]:
    """Yields lines: what goes in and comes out, the splits, the classes or labels in each, and some examples."""
    size = "" if preview.typical_size is None else f", typically {_size(preview)}"
    output = output_text(preview.output.kind, preview.output.size)
    yield f"{preview.name}: {preview.input.kind}{size}; {output}, {preview.metric}; from {preview.source}"
    if preview.preset is not None:
        yield f"It would get the preset {preview.preset}"
    for split in preview.splits:
        yield f"  {split.name:<10} {split.num_examples:>9} examples  {split.spec}{_numbers(split)}"
    yield from _classes(preview)
    samples = preview.samples[:: max(1, len(preview.samples) // _MOST_SAMPLES)][:_MOST_SAMPLES]
    for sample in samples:
        text = sample.text if len(sample.text) <= _LONGEST else f"{sample.text[:_LONGEST]} ..."
        yield f"  {sample.name}: {text} -> {sample.label}"


def _size(preview: Preview) -> str:
    size = preview.typical_size or ()
    return " x ".join(map(str, reversed(size))) + (" pixels" if len(size) > 1 else " bytes or less")


def _numbers(split: PreviewSplit) -> str:
    if split.least is None or split.mean is None or split.most is None:
        return ""
    return f": {split.least:g} to {split.most:g}, mean {split.mean:g}"


def _classes(preview: Preview) -> Iterator[str]:
    names = preview.output.labels
    for label, name in enumerate(names[:_MOST_CLASSES]):
        counts = ", ".join(f"{split.counts[label]} {split.name}" for split in preview.splits)
        weight = "" if preview.class_weights is None else f"; weight {preview.class_weights[label]:.4g}"
        yield f"  {name}: {counts}{weight}"
    if len(names) > _MOST_CLASSES:
        yield f"  and {len(names) - _MOST_CLASSES} more {preview.output.kind}"
