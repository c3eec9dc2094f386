"""Pictures of other values than bytes: which values become black and which white.

The rule is the same for every picture of a data set, so that two that differ in brightness still do: whole numbers are
read from 0 to the most that their bits can hold (65535, or what a TIFF of fewer bits a sample declares), other
numbers from 0 to 1. A ``ValueRange`` takes the place of both. Signed bytes are read in the same way, from 0 to 127.

Dimension letters: H height, W width.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from mu2net_core.data.source import Options
from mu2net_core.errors import InvalidInputError

__all__ = ["RANGE", "UPPER_RANGE", "Deep", "ValueRange", "bright", "range_of", "to_bytes", "usual_range"]

RANGE = "range"
"""The option of a task that says which values are read."""
UPPER_RANGE = (0.0, 65535.0)
"""What colours of 16 bits are read from: of them the decoder gives the upper eight bits only."""
_UNIT = (0.0, 1.0)
_BRIGHT = 0.999
"""The share of a picture's values above which faults lie, such as a camera's hot pixels."""
_BLACK = 1 / 16
"""What stays below this share of the range is all but black: 12 bits read as 16."""
_USUAL_TOPS = (1.0, 100.0, 255.0)
"""What is white in most files of floating point."""
_OVERSHOT = 0.1
"""How far values may lie beyond such a range, or stay below its top, after resampling."""
_DIGITS = 12
_SMALL = 16
"""Numbers up to here are no levels of grey of so and so many bits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ValueRange:
    """The values that become 0 (black) and 255 (white); what lies beyond them is cut off."""

    low: float
    high: float

    def __post_init__(self) -> None:
        if not (math.isfinite(self.low) and math.isfinite(self.high) and self.low < self.high):
            raise InvalidInputError(f"A range goes from a lower to a higher number, got {self}.")

    def __str__(self) -> str:
        return f"{_number(self.low)}:{_number(self.high)}"

    @classmethod
    def parse(cls, text: object) -> ValueRange:
        """Returns the range that ``LOW:HIGH`` says.

        Raises:
            InvalidInputError: it says none.
        """
        try:
            low, high = (float(part) for part in str(text).split(":"))
        except ValueError as exc:
            raise InvalidInputError(f"Not a range of values: {text!r}.", hint="Example: 0:4095") from exc
        return cls(low=low, high=high)


@dataclass(frozen=True, slots=True, kw_only=True)
class Deep:
    """What values a picture had that are no bytes, and how they were read.

    Attributes:
        low: the least value that is a number.
        high: the greatest.
        bright: the greatest but for a thousandth of them, which may be faults.
        num_bad: values that are infinite or no number.
        read_from: what became black.
        read_to: what became white.
        whole: its values are whole numbers.
        upper_only: only the upper eight of sixteen bits could be read (colour); low and high are known that well.
        signed_bytes: its values are 8 bits from -128 to 127.
    """

    low: float
    high: float
    bright: float
    num_bad: int = 0
    read_from: float
    read_to: float
    whole: bool
    upper_only: bool = False
    signed_bytes: bool = False

    @property
    def fits(self) -> bool:
        """Whether no value was cut off, and each is a number."""
        return not self.num_bad and self.read_from <= self.low and self.high <= self.read_to

    @property
    def brightness(self) -> float:
        """The level of its bright parts, from 0 (black) to 1 (white)."""
        return (self.bright - self.read_from) / (self.read_to - self.read_from)

    @property
    def all_but_black(self) -> bool:
        """Whether no more of it can be seen than of 12 bits that are read as 16."""
        return self.brightness < _BLACK


def bright(values: np.ndarray) -> float:
    """Returns the greatest value but for a thousandth of them; 0 of none."""
    place = int(_BRIGHT * (values.size - 1)) if values.size else 0
    return float(np.partition(values, place, axis=None)[place]) if values.size else 0.0


def range_of(options: Options) -> ValueRange | None:
    """Returns the range that a task's options name, or None.

    Raises:
        InvalidInputError: it is none.
    """
    return ValueRange.parse(options[RANGE]) if RANGE in options else None


def to_bytes(values: np.ndarray, *, bits: int, wanted: ValueRange | None) -> tuple[np.ndarray, Deep]:
    """Returns the values as uint8 [H, W], and how that was done.

    Args:
        values: [H, W], whole numbers or floats.
        bits: of a whole number, as the file declares.
        wanted: the range to read; None for the rule.
    """
    whole = bool(np.issubdtype(values.dtype, np.integer))
    rule = (0.0, float(2**bits - 1)) if whole else _UNIT
    low, high = (wanted.low, wanted.high) if wanted is not None else rule
    finite = values if whole else values[np.isfinite(values)]
    scaled = np.clip((values.astype(np.float64) - low) * (255 / (high - low)), 0, 255)
    deep = Deep(
        low=float(finite.min()) if finite.size else 0.0,
        high=float(finite.max()) if finite.size else 0.0,
        bright=bright(finite),
        num_bad=values.size - finite.size,
        read_from=low,
        read_to=high,
        whole=whole,
        signed_bytes=values.dtype == np.int8,
    )
    return np.rint(np.nan_to_num(scaled)).astype(np.uint8), deep


def usual_range(low: float, high: float, *, whole: bool) -> ValueRange:
    """Returns the range that values from ``low`` to ``high`` most likely were made for.

    Args:
        low: the least of them.
        high: the greatest.
        whole: they are whole numbers.
    """
    far_from_zero = not whole and 2 * low > high
    for top in () if whole or far_from_zero else _USUAL_TOPS:
        if low >= -_OVERSHOT * top and (1 - _OVERSHOT) * top <= high <= (1 + _OVERSHOT) * top:
            return ValueRange(low=0.0, high=top)
    if low < 0 or far_from_zero:
        return _enclosing(low, max(high, 0.0), whole=whole)
    if high < 1 and not whole:
        return _enclosing(0.0, high, whole=False)
    if high <= _SMALL:
        return ValueRange(low=0.0, high=float(math.ceil(high) or 1))
    return ValueRange(low=0.0, high=float(2 ** max(8, math.ceil(high).bit_length()) - 1))


def _enclosing(low: float, high: float, *, whole: bool) -> ValueRange:
    """Returns a range around the values with few digits: steps are 1, or a tenth of what they span or less."""
    step = 1.0 if whole or high <= low else min(1.0, 10.0 ** (math.floor(math.log10(high - low)) - 1))
    bottom, top = round(math.floor(low / step) * step, _DIGITS), round(math.ceil(high / step) * step, _DIGITS)
    return ValueRange(low=bottom, high=top if top > bottom else bottom + 1)


def _number(value: float) -> str:
    return str(int(value)) if value.is_integer() else repr(value)
