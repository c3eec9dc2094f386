"""``auto``: which preset serves a task, by what its examples are. A pure function: it is the same on every machine.

How many examples and classes there are changes how long models are trained and how large their heads are, not the
preset; nor does the device: what one person's machine computes, another's must be able to go on with.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from mu2net_core.errors import InvalidInputError
from mu2net_core.objects import Image, Input

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

AUTO_PRESETS = tuple(_BY_SIDE)
"""The presets that ``auto`` may choose."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """Which preset serves a task, and why, in words."""

    preset: str
    why: str


def choose(given: Input, typical_size: tuple[int, int] | None) -> Choice:
    """Returns the preset for a task.

    Args:
        given: what goes into its models.
        typical_size: (H, W) of a typical image in pixels; None of what has no pixels.

    Raises:
        InvalidInputError: no preset that comes with mu2net takes such examples.
    """
    if not isinstance(given, Image) or typical_size is None:
        raise InvalidInputError(
            f"auto has no preset for examples of the kind {given.kind}.",
            hint="Name one, e.g. of the package that adds the kind: mu2net add-task DATASET --preset NAME",
        )
    height, width = typical_size
    side, typical = max(typical_size), f"a typical image has {width} x {height} pixels"
    name = next(name for name, most in _BY_SIDE.items() if most is None or side <= most)
    if given.channels == 1 and AUTO_PRESETS.index(name) > AUTO_PRESETS.index(_GREY) and side <= _GREY_SIDE:
        return Choice(preset=_GREY, why=f"{typical} of grey, as characters and drawings have")
    return Choice(preset=name, why=typical)
