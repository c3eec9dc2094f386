"""``auto``: which preset serves a task, by what its examples are. A pure function: it is the same on every machine.

How many examples and classes there are changes how long models are trained and how large their heads are, not the
preset, but where a number is learned from few rows; nor does the device: what one person's machine computes, another's
must be able to go on with.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from mu2net_core.errors import InvalidInputError
from mu2net_core.objects import Image, Input, Number, Output, Table, Text
from mu2net_core.presets.tables import CURVES_PRESETS, TABLE_PRESETS, VALUES_A_COLUMN

__all__ = ["AUTO", "AUTO_PRESETS", "Choice", "choose"]

AUTO = "auto"
"""The name of the preset of repositories whose tasks each have their own."""

_BY_SIDE: Mapping[str, int | None] = {
    "convnet-8": 12,
    "convnet-16": 20,
    "convnet-32": 40,
    "convnet-64": 90,
    "convnet-128": None,
}
"""By preset the longest side, in pixels, of the typical image that it is for; the last is for all larger ones."""

_GREY, _GREY_SIDE = "convnet-32", 128
"""Grey images up to this side are characters, symbols and drawings far more often than photos: what is on them shows at
32 x 32, and there they share layers with smaller ones."""

_BY_LENGTH: Mapping[str, int | None] = {"text-128": 128, "text-256": None}
"""By preset the bytes that nine of ten of the texts that it is for do not exceed; the last is for all longer ones."""

_FEW_ROWS = 2_000
"""So many rows for training are few: a number is learned better from them by curves alone (docs/experiments.md)."""

AUTO_PRESETS = (*_BY_SIDE, *_BY_LENGTH, *TABLE_PRESETS.values(), *CURVES_PRESETS.values())
"""The presets that ``auto`` may choose."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """Which preset serves a task, and why, in words."""

    preset: str
    why: str


def choose(given: Input, output: Output, typical_size: tuple[int, ...] | None, num_examples: int) -> Choice:
    """Returns the preset for a task.

    Args:
        given: what goes into its models.
        output: what comes out.
        typical_size: of its examples, as their kind says it: (H, W) in pixels, (bytes,) of texts; None if it says none.
        num_examples: of its training split.

    Raises:
        InvalidInputError: no preset that comes with mu2net takes such examples.
    """
    match given, typical_size:
        case Image(), (height, width):
            return _for_images(given, height, width)
        case Text(), (length,):
            return Choice(preset=_first(_BY_LENGTH, length), why=f"nine of ten texts have at most {length} bytes")
        case Table(), _:
            return _for_table(given, output, num_examples)
    raise InvalidInputError(
        f"auto has no preset for examples of the kind {given.kind}.",
        hint="Name one, e.g. of the package that adds the kind: mu2net add-task DATASET --preset NAME",
    )


def _for_images(given: Image, height: int, width: int) -> Choice:
    side, typical = max(height, width), f"a typical image has {width} x {height} pixels"
    name, sides = _first(_BY_SIDE, side), list(_BY_SIDE)
    if given.channels == 1 and sides.index(name) > sides.index(_GREY) and side <= _GREY_SIDE:
        return Choice(preset=_GREY, why=f"{typical} of grey, as characters and drawings have")
    return Choice(preset=name, why=typical)


def _for_table(given: Table, output: Output, num_examples: int) -> Choice:
    columns, values = len(given.columns), given.num_values
    is_few = isinstance(output, Number) and num_examples <= _FEW_ROWS
    few = f"; a number is learned from {num_examples} rows" if is_few else ""
    for most, name in (CURVES_PRESETS if is_few else TABLE_PRESETS).items():
        if columns <= most and values <= VALUES_A_COLUMN * most:
            return Choice(preset=name, why=f"{columns} columns go in, with {values} values to be told apart{few}")
    raise InvalidInputError(
        f"No preset has room for {columns} columns with {values} values to be told apart.",
        hint="Leave some out: --leave-out COLUMN,COLUMN, or name those that go in: --columns COLUMN,COLUMN",
    )


def _first(presets: Mapping[str, int | None], size: int) -> str:
    """Returns the first preset that is for such a size."""
    return next(name for name, most in presets.items() if most is None or size <= most)
