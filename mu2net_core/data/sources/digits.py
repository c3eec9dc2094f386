"""``sklearn:NAME``: handwritten digits that come inside scikit-learn, and two related tasks on the same images.

1,797 grey images of 8×8 pixels from the UCI "Optical Recognition of Handwritten Digits" test set. Pixels 0…16 become
0…255.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from difflib import get_close_matches
from functools import cache

import numpy as np

from mu2net_core.data.order import fair_permutation
from mu2net_core.data.source import Options, SourceInfo, Stored, StoredExamples
from mu2net_core.errors import NotFoundError
from mu2net_core.objects import Classes, Limits, Slice

__all__ = ["DigitsSource", "check_digits", "open_digits"]

_CLASSES: dict[str, tuple[str, ...]] = {
    "digits": tuple("0123456789"),
    "digits/parity": ("even", "odd"),
    "digits/five-or-more": ("below-five", "five-or-more"),
}
_LABELS: dict[str, Callable[[int], int]] = {
    "digits": lambda digit: digit,
    "digits/parity": lambda digit: digit % 2,
    "digits/five-or-more": lambda digit: int(digit >= 5),
}


class DigitsSource:
    """The digits under one of three labellings, as one split ``all`` in a fixed pseudo-random order."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.uri = f"sklearn:{name}"
        self._images, self._digits = _load()

    def info(self) -> SourceInfo:
        """Returns the one split and the classes of this labelling."""
        return SourceInfo(splits={"all": len(self._digits)}, output=Classes(names=_CLASSES[self.name]))

    def read(self, slices: Sequence[Slice]) -> Iterator[Stored]:
        """Yields 8×8 grey images."""
        return iter(self.examples(slices))

    def examples(self, slices: Sequence[Slice]) -> StoredExamples:
        """Returns the same images by number."""
        label = _LABELS[self.name]
        return StoredExamples(
            slices,
            lambda _, index: Stored(
                name=f"all[{index}]", input=self._images[index], label=label(int(self._digits[index]))
            ),
        )


@cache
def _load() -> tuple[np.ndarray, np.ndarray]:
    """Returns uint8 [N, 8, 8] images and [N] digits, in the fixed order; 130 kB that are read once."""
    from sklearn.datasets import load_digits

    bunch = load_digits()
    order = np.asarray(fair_permutation(len(bunch.target)))
    images, digits = np.rint(bunch.images * (255 / 16)).astype(np.uint8)[order], bunch.target[order]
    images.flags.writeable = digits.flags.writeable = False
    return images, digits


def check_digits(rest: str) -> None:
    """Checks that there is a data set ``sklearn:<rest>``.

    Raises:
        NotFoundError: there is no such labelling.
    """
    if rest not in _CLASSES:
        near = get_close_matches(rest, _CLASSES, n=1)
        raise NotFoundError(
            f"Unknown data set sklearn:{rest}; known: {', '.join(f'sklearn:{name}' for name in _CLASSES)}.",
            hint=f"Did you mean sklearn:{near[0]}?" if near else None,
        )


def open_digits(rest: str, *, options: Options, data_dir: str | None, limits: Limits) -> DigitsSource:  # noqa: ARG001
    """Returns the source ``sklearn:<rest>``.

    Raises:
        NotFoundError: there is no such labelling.
    """
    check_digits(rest)
    return DigitsSource(rest)
