"""``shapes:bars``: drawn pictures of 8 x 8 pixels with a bar that lies or stands, the same ones everywhere."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from mu2net_core.data.source import Options, Source, SourceInfo, Stored
from mu2net_core.errors import NotFoundError
from mu2net_core.objects import Classes, Slice
from mu2net_core.seeds import derive_seed

_SPLITS, _SIDE = {"train": 256, "test": 64}, 8


class Bars(Source):
    """Which picture it is follows from its split and its number alone."""

    uri = "shapes:bars"

    def info(self) -> SourceInfo:
        return SourceInfo(splits=_SPLITS, output=Classes(names=("lying", "standing")))

    def read(self, slices: Sequence[Slice]) -> Iterator[Stored]:
        for part in slices:
            for number in range(part.start, part.stop):
                yield _draw(part.split, number)


def _draw(split: str, number: int) -> Stored:
    rng = np.random.Generator(np.random.PCG64(derive_seed(0, split, number)))
    image, label, place = rng.integers(0, 100, (_SIDE, _SIDE)), number % 2, rng.integers(_SIDE)
    image[(slice(None), place) if label else place] += 150
    return Stored(name=f"{split}[{number}]", input=image.astype(np.uint8), label=label)


def open_shapes(rest: str, *, options: Options, data_dir: str | None) -> Source:
    """Returns the source that the URI ``shapes:<rest>`` names."""
    del options, data_dir  # there is nothing to choose, and nothing lies anywhere
    if rest != "bars":
        raise NotFoundError(f"There are no shapes {rest!r}.", hint="Try: shapes:bars")
    return Bars()
