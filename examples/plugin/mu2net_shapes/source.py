"""``shapes:turned``: drawn outlines with one bulge, and in which direction it is; the same ones everywhere."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from mu2net_core.data import Options, Source, SourceInfo, Stored
from mu2net_core.errors import NotFoundError
from mu2net_core.objects import Limits, Other, Slice
from mu2net_core.seeds import derive_seed

_SPLITS, _POINTS = {"train": 256, "test": 64}, 16
_ANGLE = Other(kind="angle", values={"size": 2})  # models give two numbers for one


class Turned(Source):
    """Which outline it is follows from its split and its number alone."""

    uri = "shapes:turned"

    def info(self) -> SourceInfo:
        return SourceInfo(splits=_SPLITS, input="outline", output=_ANGLE, metric="near")

    def read(self, slices: Sequence[Slice]) -> Iterator[Stored]:
        for part in slices:
            for number in range(part.start, part.stop):
                yield _draw(part.split, number)


def _draw(split: str, number: int) -> Stored:
    rng = np.random.Generator(np.random.PCG64(derive_seed(0, split, number)))
    angle = rng.uniform(-np.pi, np.pi)
    bulge = np.cos(np.linspace(0, 2 * np.pi, _POINTS, endpoint=False) - angle)
    distances = np.round(1 + bulge / 2 + rng.uniform(-0.2, 0.2, _POINTS), 3)
    return Stored(name=f"{split}[{number}]", input=distances.astype(np.float32), label=round(angle, 3))


def open_shapes(rest: str, *, options: Options, data_dir: str | None, limits: Limits) -> Source:
    """Returns the source that the URI ``shapes:<rest>`` names."""
    del options, data_dir, limits  # there is nothing to choose, and nothing lies anywhere
    if rest != "turned":
        raise NotFoundError(f"There are no shapes {rest!r}.", hint="Try: shapes:turned")
    return Turned()
