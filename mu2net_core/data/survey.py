"""What all encoded images of a data set have in common, gathered in the pass that fingerprints them."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator
from itertools import accumulate
from statistics import median

from mu2net_core.data.catalogue import is_of_images, is_of_rows
from mu2net_core.data.deep import RANGE, UPPER_RANGE, Deep, ValueRange, usual_range
from mu2net_core.data.images import decode
from mu2net_core.data.modality import Survey
from mu2net_core.data.notices import Notices
from mu2net_core.data.source import Options, Stored
from mu2net_core.data.wording import counted, number, some
from mu2net_core.errors import DataError, InvalidInputError
from mu2net_core.objects import Image

__all__ = ["ImageSurvey"]

_DARK = 0.25
"""Values that mostly stay below this share of the range were most likely meant for a smaller one, of fewer bits."""
_FAR_BELOW, _FAR_ABOVE = 2, 16
"""Times the greatest value, and times that of most images: beyond lie marks for missing values, and faults."""


class ImageSurvey(Survey):
    """Decodes images one by one and remembers what somebody should know of them.

    Args:
        values: the range that was asked for, if one was.
    """

    def __init__(self, values: ValueRange | None) -> None:
        super().__init__("image")
        self._values = values
        self._sizes: Counter[tuple[int, int, int]] = Counter()
        self._num_images = 0
        self._broken: list[DataError] = []
        self._notices = Notices()
        self._deep: list[tuple[str, Deep]] = []

    def look(self, stored: Stored, split: str = "train") -> bool:
        """Returns whether an image can be read; takes it in if so."""
        del split
        shape = self._look(stored)
        if shape is not None:
            self._sizes[shape] += 1
        return shape is not None

    def input(self) -> Image:
        """Returns what goes into models: sizes that are always the same, and the most channels."""
        heights, widths, channels = ({shape[axis] for shape in self._sizes} for axis in range(3))
        return Image(
            height=heights.pop() if len(heights) == 1 else None,
            width=widths.pop() if len(widths) == 1 else None,
            channels=max(channels),
        )

    def options(self) -> Options:
        """Returns the range of values that was asked for, if one was."""
        return {} if self._values is None else {RANGE: str(self._values)}

    def typical_size(self) -> tuple[int, int]:
        """Returns (H, W): half of the images are lower, half are narrower."""
        return self._median(0), self._median(1)

    def _median(self, axis: int) -> int:
        sides: Counter[int] = Counter()
        for shape, count in self._sizes.items():
            sides[shape[axis]] += count
        values = sorted(sides)
        below = list(accumulate(sides[value] for value in values))
        return values[bisect_right(below, below[-1] // 2)]

    def _look(self, stored: Stored) -> tuple[int, int, int] | None:
        """Returns height, width and channels of an example, None if its image is broken."""
        self._num_images += 1
        if not isinstance(stored.input, bytes):
            height, width = stored.input.shape[:2]
            return height, width, stored.input.shape[2] if stored.input.ndim == 3 else 1
        try:
            picture = decode(stored.input, stored.name, self._values)
        except DataError as exc:
            self._broken.append(exc)
            return None
        self._notices.see(stored.name, picture)
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
        self._check_broken(can_skip=is_of_images(uri) or is_of_rows(uri))
        self._check_numbers()
        if self._values is None:
            self._check_fitting()
            self._check_dark()
        else:
            self._check_wanted(self._values, uri)

    def notes(self) -> Iterator[str]:
        """Yields what was decided about the images, a sentence each."""
        yield from self._notices.of_shape(self._num_images)
        if self._deep:
            yield self._deep_note()
        yield from self._notices.of_values(self._num_images)

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
        """Checks that the rule does not make most images all but black; a fault of some pixels hides it from nobody."""
        dark = [deep for _, deep in self._deep if deep.brightness < _DARK]
        if 2 * len(dark) <= len(self._deep):
            return
        rule = ValueRange(low=0.0, high=max(deep.read_to for deep in dark))
        low = min(deep.low for deep in dark)
        high = max([deep.high for deep in dark if deep.high < _DARK * rule.high] or [deep.bright for deep in dark])
        fitting = usual_range(low, high, whole=dark[0].whole)
        beyond = [deep.high for _, deep in self._deep if deep.high > fitting.high]
        faults = f", but for some up to {number(max(beyond))} in {counted(len(beyond), 'image')}" if beyond else ""
        hint = [f"Say which values are black and white: --range {self._with_cut(fitting)}"] if fitting != rule else []
        if any(deep.upper_only for deep in dark):
            hint = ["Scale them to 8 bits first"]
        raise DataError(
            f"{len(dark)} of {counted(self._num_images, 'image')} would be all but black: of values from 0 to "
            f"{number(rule.high)} they have {number(low)} to {number(high)}{faults}.",
            hint="; ".join([*hint, f"{'if' if hint else 'If'} they are that dark: --range {rule}"]),
        )

    def _found(self) -> str:
        low, high = self._extremes()
        return f"{number(low)} to {number(high)}"

    def _extremes(self) -> tuple[float, float]:
        return min(deep.low for _, deep in self._deep), max(deep.high for _, deep in self._deep)

    def _suggested(self) -> str:
        """Returns a range of the usual kind for all values, or for most images if a few have some that lie far off."""
        low, high = self._extremes()
        images = [deep for _, deep in self._deep]
        most = max(median(deep.high for deep in images), 1)
        if low < -_FAR_BELOW * max(high, 1) or high > _FAR_ABOVE * most:
            images = [deep for deep in images if -_FAR_BELOW * most <= deep.low and deep.high <= _FAR_ABOVE * most]
            if 2 * len(images) <= len(self._deep):
                return "LOW:HIGH"
        low, high = min(deep.low for deep in images), max(deep.high for deep in images)
        return self._with_cut(usual_range(low, high, whole=all(deep.whole for deep in images)))

    def _with_cut(self, values: ValueRange) -> str:
        """Returns a range, and in how many images it would cut off what lies beyond."""
        num_cut = sum(deep.low < values.low or deep.high > values.high for _, deep in self._deep)
        return f"{values} (cuts off what lies beyond, in {counted(num_cut, 'image')})" if num_cut else str(values)

    def _deep_note(self) -> str:
        ranges = sorted({(deep.read_from, deep.read_to) for _, deep in self._deep})
        rules = " or ".join(f"{number(low)} to {number(high)}" for low, high in ranges)
        kind = "signed bytes" if all(deep.signed_bytes for _, deep in self._deep) else "more than 8 bits"
        return (
            f"{len(self._deep)} of {counted(self._num_images, 'image')} with {kind}: values from {rules} "
            f"became 0 to 255 (found {self._found()})"
        )
