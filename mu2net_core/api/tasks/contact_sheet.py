"""Some images of a task on one sheet, a row for each class, or set of labels."""

from __future__ import annotations

import io
from collections.abc import Sequence
from itertools import groupby
from textwrap import wrap

from PIL import Image, ImageDraw

from mu2net_core.api.tasks.previewed import Preview
from mu2net_core.api.tasks.sampling import Shown
from mu2net_core.objects import Classes

__all__ = ["contact_sheet"]

_CELL, _GAP, _LINE, _LONGEST = 96, 6, 16, 90


def contact_sheet(preview: Preview, shown: Sequence[Shown]) -> bytes:
    """Returns a PNG: the task, its splits, then images below their class and its counts, or their labels."""
    rows = [(label, list(group)) for label, group in groupby(shown, key=lambda one: _heading(one, preview))]
    columns = max((len(group) for _, group in rows), default=1)
    counts = ", ".join(f"{split.num_examples} {split.name}" for split in preview.splits)
    told = [f"{preview.name}: {counts}", *(f"! {remark}" for remark in preview.remarks)]
    lines = [line for one in told for line in wrap(one, _LONGEST, subsequent_indent="  ")]
    width = max(columns * (_CELL + _GAP) + _GAP, 640)
    height = len(lines) * _LINE + len(rows) * (_LINE + _CELL + _GAP) + 2 * _GAP
    sheet = Image.new("RGB", (width, height), "white")
    pen, top = ImageDraw.Draw(sheet), _GAP
    for line in lines:
        pen.text((_GAP, top), _drawable(line), fill="black")
        top += _LINE
    for label, group in rows:
        pen.text((_GAP, top), _drawable(label), fill="black")
        top += _LINE
        for place, one in enumerate(group):
            if one.picture is not None:
                with Image.open(io.BytesIO(one.picture)) as picture:
                    sheet.paste(picture.convert("RGB"), (_GAP + place * (_CELL + _GAP), top))
        top += _CELL + _GAP
    file = io.BytesIO()
    sheet.save(file, "png")
    return file.getvalue()


def _heading(one: Shown, preview: Preview) -> str:
    """Returns what stands above images: a class and how many there are in each split; labels; nothing of numbers."""
    names = preview.output.labels
    if not isinstance(preview.output, Classes):
        return one.sample.label if names else ""
    label = names.index(one.sample.label)
    return f"{one.sample.label}  ({', '.join(f'{split.counts[label]} {split.name}' for split in preview.splits)})"


def _drawable(text: str) -> str:
    """Returns a text in letters that the drawing library always has."""
    return (
        "".join(char if char.isprintable() else "?" for char in text[:_LONGEST])
        .encode("latin-1", "replace")
        .decode("latin-1")
    )
