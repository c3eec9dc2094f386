"""What all encoded images of a data set have in common, gathered in the pass that fingerprints them."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from statistics import median

from mu2net_core.data.deep import UPPER_RANGE, Deep, ValueRange
from mu2net_core.data.images import decode
from mu2net_core.data.source import Stored
from mu2net_core.data.wording import counted, number, some
from mu2net_core.errors import DataError, InvalidInputError

__all__ = ["Survey"]

_WHITE = 255
_DARK = 0.25
"""Whole numbers that all stay below this share of what their bits can hold were most likely made with fewer bits."""
_SMALL = 16
"""Numbers up to here are no levels of grey of so and so many bits."""
_FAR_BELOW, _FAR_ABOVE = 2, 16
"""Times the greatest value, and times that of most images: beyond lie marks for missing values, and faults."""


class Survey:
    """Decodes images one by one and remembers what somebody should know of them.

    Args:
        values: the range that was asked for, if one was.
    """

    def __init__(self, values: ValueRange | None) -> None:
        self._values = values
        self._num_images = 0
        self._broken: list[DataError] = []
        self._transparent = 0
        self._blank = 0
        self._first_of_many = 0
        self._deep: list[tuple[str, Deep]] = []

    def look(self, stored: Stored) -> tuple[int, int, int] | None:
        """Returns height, width and channels of an example, None if its image is broken."""
        self._num_images += 1
        if not isinstance(stored.image, bytes):
            height, width = stored.image.shape[:2]
            return height, width, stored.image.shape[2] if stored.image.ndim == 3 else 1
        try:
            picture = decode(stored.image, stored.name, self._values)
        except DataError as exc:
            self._broken.append(exc)
            return None
        self._transparent += picture.transparent
        self._blank += picture.transparent and int(picture.pixels.min()) == _WHITE
        self._first_of_many += picture.first_of_many
        if picture.deep is not None:
            self._deep.append((stored.name, picture.deep))
        height, width, channels = picture.pixels.shape
        return height, width, channels

    def check(self, uri: str) -> None:
        """Checks that every image can be read as it is meant.

        Args:
            uri: of the data set.

        Raises:
            DataError: broken images, values that no rule reads, or that the rule would make all but black.
            InvalidInputError: a range for images that have none of the kind.
        """
        self._check_broken(can_skip=uri.startswith("folder:"))
        self._check_numbers()
        if self._values is None:
            self._check_fitting()
            self._check_dark()
        else:
            self._check_wanted(self._values, uri)

    def notes(self) -> Iterator[str]:
        """Yields what was decided about the images, a sentence each."""
        of_all = f"of {counted(self._num_images, 'image')}"
        if self._transparent:
            yield f"{self._transparent} {of_all} with transparent parts: white lies behind them"
        if self._blank:
            yield f"{self._blank} {of_all} are nothing but white then: put another colour behind them"
        if self._first_of_many:
            yield f"{self._first_of_many} {of_all} in files of several (animations, pages): the first of each is used"
        if self._deep:
            yield self._deep_note()
        if cut := [name for name, deep in self._deep if not deep.fits]:
            yield f"{len(cut)} {of_all} with values beyond the range, which are cut off: {some(sorted(cut))}"

    def _check_broken(self, *, can_skip: bool) -> None:
        if not self._broken:
            return
        first = self._broken[0]
        hint = self._broken_hint() if can_skip else first.hint
        if len(self._broken) == 1:
            raise DataError(first.message, hint=hint) from first
        reasons = sorted(error.message.removeprefix("Cannot read the image ").rstrip(".") for error in self._broken)
        raise DataError(
            f"Cannot read {len(reasons)} of {self._num_images} images: {some(reasons, between='; ')}.", hint=hint
        ) from first

    def _broken_hint(self) -> str:
        """Returns what helps: what each of the commonest ends says, and to leave the broken out if others remain."""
        helps = Counter(error.hint for error in self._broken if error.hint)
        ways = [f"{help_.rstrip('.')} ({counted(count, 'image')})" for help_, count in helps.most_common()]
        if sum(helps.values()) < len(self._broken):
            ways.append("Repair or remove it" if len(self._broken) == 1 else "Repair or remove them")
        skip = "leave broken images out: --skip-bad" if len(self._broken) < self._num_images else ""
        text = "; ".join(ways)
        return f"{text}, or {skip}" if skip else text

    def _check_numbers(self) -> None:
        if bad := [name for name, deep in self._deep if deep.num_bad]:
            values = sum(deep.num_bad for _, deep in self._deep)
            raise DataError(
                f"Expected numbers, found {counted(values, 'value')} infinite or not a number in "
                f"{len(bad)} of {self._num_images} images: {some(sorted(bad))}.",
                hint="Replace these values, or remove the images.",
            )

    def _check_wanted(self, values: ValueRange, uri: str) -> None:
        if not self._deep:
            raise InvalidInputError(
                f"A range of values is for images of more than 8 bits; {uri} has none.", hint="Leave --range out."
            )
        upper = [name for name, deep in self._deep if deep.upper_only]
        if upper and (values.low, values.high) != UPPER_RANGE:
            raise DataError(
                f"Colours of 16 bits are always read from 0 to 65535, not {values}: "
                f"{len(upper)} of {counted(self._num_images, 'image')}, {some(sorted(upper))}.",
                hint="Scale them to 8 bits first.",
            )

    def _check_fitting(self) -> None:
        """Checks that the rule reads all values."""
        beyond = [(name, deep) for name, deep in self._deep if not deep.fits]
        if beyond:
            deep = beyond[0][1]
            raise DataError(
                f"Expected values from {number(deep.read_from)} to {number(deep.read_to)}, found {self._found()} in "
                f"{len(beyond)} of {counted(self._num_images, 'image')}: {some(sorted(name for name, _ in beyond))}.",
                hint=f"Say which values are black and white: --range {self._suggested()}",
            )

    def _check_dark(self) -> None:
        """Checks that the rule does not make all images of whole numbers all but black."""
        whole = [deep for _, deep in self._deep if deep.whole]
        if not whole or max(deep.high / deep.read_to for deep in whole) >= _DARK:
            return
        dark = f"--range 0:{number(whole[0].read_to)}"
        if any(deep.upper_only for deep in whole):
            hint = f"Scale them to 8 bits first; if they are that dark: {dark}"
        else:
            hint = f"Say which values are black and white: --range {self._suggested()}; if they are that dark: {dark}"
        raise DataError(
            f"{len(whole)} of {counted(self._num_images, 'image')} would be all but black: of values from 0 to "
            f"{number(whole[0].read_to)} they have {self._found()}.",
            hint=hint,
        )

    def _found(self) -> str:
        low, high = self._extremes()
        return f"{number(low)} to {number(high)}"

    def _extremes(self) -> tuple[float, float]:
        return min(deep.low for _, deep in self._deep), max(deep.high for _, deep in self._deep)

    def _suggested(self) -> str:
        """Returns a range of the usual kind that holds all values, unless a few lie so far off that it is none."""
        low, high = self._extremes()
        if low < -_FAR_BELOW * max(high, 1) or high > _FAR_ABOVE * max(median(deep.high for _, deep in self._deep), 1):
            return "LOW:HIGH"
        if low < 0:
            return str(ValueRange(low=float(math.floor(low)), high=float(max(math.ceil(high), 0) or 1)))
        if high <= _SMALL:
            return str(ValueRange(low=0.0, high=float(math.ceil(high))))
        return str(ValueRange(low=0.0, high=float(2 ** max(8, math.ceil(high).bit_length()) - 1)))

    def _deep_note(self) -> str:
        ranges = sorted({(deep.read_from, deep.read_to) for _, deep in self._deep})
        rules = " or ".join(f"{number(low)} to {number(high)}" for low, high in ranges)
        return (
            f"{len(self._deep)} of {counted(self._num_images, 'image')} with more than 8 bits: values from {rules} "
            f"became 0 to 255 (found {self._found()})"
        )
