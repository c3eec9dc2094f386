"""Some training examples of a task that is previewed, as people read them."""

from __future__ import annotations

import io
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image as PILImage

from mu2net_core.api.tasks.previewed import PreviewSample
from mu2net_core.data import Described, Stored, checked_label, decode_whole, range_of
from mu2net_core.objects import Image, Labels, Output, Text

__all__ = ["Shown", "some_of"]

_LOOKED_AT, _MOST = 400, 96
"""Examples from the beginning of the training split, and how many of them are shown at most."""
_EACH, _FEW = 8, 8
_SIDE, _TEXT = 96, 400


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """One training example.

    Attributes:
        sample: as it reads.
        row: the cells of a table's row by their columns.
        picture: of an image a small PNG.
    """

    sample: PreviewSample
    row: dict[str, str]
    picture: bytes | None


def some_of(described: Described) -> tuple[Shown, ...]:
    """Returns examples of as many classes, or sets of labels, as there is room for, sorted by these; else a few."""
    task = described.task
    split = task.splits["train"]
    examples = described.source.examples(split.slices)
    found, counts = list[tuple[Stored, np.ndarray]](), Counter[str]()
    each = max(1, min(_EACH, _MOST // max(1, task.output.size))) if task.output.labels else _FEW
    for stored in examples.take(range(min(split.num_examples, _LOOKED_AT))):
        label = checked_label(stored, task.output)
        name = _label(label, task.output)
        counts[name] += 1
        if counts[name] <= each and len(found) < _MOST:
            found.append((stored, label))
        if not task.output.labels and len(found) == _FEW:
            break
    found.sort(key=lambda one: np.asarray(one[1]).tolist() if task.output.labels else 0)
    return tuple(_shown(stored, label, described) for stored, label in found)


def _shown(stored: Stored, label: np.ndarray, described: Described) -> Shown:
    task = described.task
    row, picture, text = dict[str, str](), None, ""
    if isinstance(task.input, Image):
        pixels = _pixels(stored, described)
        text, picture = f"{pixels.shape[1]} x {pixels.shape[0]}", _thumbnail(pixels)
    elif isinstance(stored.input, bytes) and isinstance(task.input, Text):
        text = stored.input.decode("utf-8", "replace")[:_TEXT]
    elif isinstance(stored.input, bytes):
        row = {name: "" if cell is None else str(cell)[:_TEXT] for name, cell in _cells(stored.input).items()}
        text = ", ".join(f"{name} {cell}" for name, cell in row.items())[:_TEXT]
    else:
        text = f"an array of the shape {list(np.shape(stored.input))}"
    return Shown(
        sample=PreviewSample(name=stored.name, label=_label(label, task.output), text=text), row=row, picture=picture
    )


def _cells(data: bytes) -> dict[str, object]:
    found = json.loads(data)
    return found if isinstance(found, dict) else {}


def _pixels(stored: Stored, described: Described) -> np.ndarray:
    if isinstance(stored.input, bytes):
        return decode_whole(stored.input, stored.name, range_of(described.task.options)).pixels
    return stored.input if stored.input.ndim == 3 else stored.input[:, :, None]


def _thumbnail(pixels: np.ndarray) -> bytes:
    image = PILImage.fromarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels)
    scale = _SIDE / max(image.size)
    size = tuple(max(1, round(scale * side)) for side in image.size)
    how = PILImage.Resampling.NEAREST if scale > 1 else PILImage.Resampling.BILINEAR
    file = io.BytesIO()
    image.resize((size[0], size[1]), how, reducing_gap=2.0 if scale < 1 else None).save(file, "png")
    return file.getvalue()


def _label(label: np.ndarray, output: Output) -> str:
    names: Sequence[str] = output.labels
    if isinstance(output, Labels):
        return ", ".join(name for name, has in zip(names, label.tolist(), strict=True) if has) or "none"
    if names:
        return names[int(label)]
    return str(label.tolist()) if label.ndim else f"{float(label):g}"
