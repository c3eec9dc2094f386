"""Values of images that lie far from those of all others: hot pixels, marks for missing values, one image too many.

A conversion that held them would leave nothing of the rest.

Dimension letters: N examples.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

__all__ = ["Usual", "usual_values"]

_FAR = 16
"""Times the greatest value of most images: 12 bits among 16."""
_BRIGHT = 0.999
"""The share of an image's values above which faults lie."""
_CHUNK_VALUES = 2**23


@dataclass(frozen=True, slots=True, kw_only=True)
class Usual:
    """Where the values of most images lie.

    Attributes:
        least: of them.
        greatest: of them.
        far: the images with values far beyond, by number.
    """

    least: float
    greatest: float
    far: tuple[int, ...]


def usual_values(array: np.ndarray) -> Usual:
    """Returns where the values of most images lie; ``array`` is [N, ...], numbers that are all finite, not empty."""
    least, dim, bright, greatest = _extremes(array)
    reach = np.maximum(np.abs(least), np.abs(greatest))
    most = float(np.median(np.maximum(np.abs(dim), np.abs(bright))))
    near = reach <= _FAR * most if most else np.ones(len(reach), bool)
    if not near.any():  # some pixels in every image
        least, greatest, kept = dim, bright, np.ones(len(reach), bool)
    else:
        kept = near
    return Usual(
        least=float(least[kept].min()),
        greatest=float(greatest[kept].max()),
        far=tuple(np.flatnonzero(~near).tolist()),
    )


def _extremes(array: np.ndarray) -> np.ndarray:
    """Returns float64 [4, N]: the least, and the least and greatest but for a thousandth, and the greatest of each."""
    num_values = array[0].size
    top = int(_BRIGHT * (num_values - 1))
    found = []
    step = max(1, _CHUNK_VALUES // num_values)
    for start in range(0, len(array), step):
        part = array[start : start + step].reshape(-1, num_values)
        part = np.partition(part, (num_values - 1 - top, top), axis=1)
        columns = (part.min(axis=1), part[:, num_values - 1 - top], part[:, top], part.max(axis=1))
        found.append(np.stack([column.astype(np.float64) for column in columns]))
    return np.concatenate(found, axis=1)
