"""Pictures of more than 8 bits a value: which values become black and which white.

The rule is the same for every picture of a data set, so that two that differ in brightness still do: whole numbers are
read from 0 to the most that their bits can hold (65535, or what a TIFF of fewer bits a sample declares), other
numbers from 0 to 1. A ``ValueRange`` takes the place of both.

Dimension letters: H height, W width.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from mu2net_core.data.source import Options
from mu2net_core.errors import InvalidInputError

__all__ = ["RANGE", "UPPER_RANGE", "Deep", "ValueRange", "range_of", "to_bytes"]

RANGE = "range"
"""The option of a task that says which values are read."""
UPPER_RANGE = (0.0, 65535.0)
"""What colours of 16 bits are read from: of them the decoder gives the upper eight bits only."""
_UNIT = (0.0, 1.0)


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
    """What values a picture of more than 8 bits had, and how they were read.

    Attributes:
        low: the least value that is a number.
        high: the greatest.
        num_bad: values that are infinite or no number.
        read_from: what became black.
        read_to: what became white.
        whole: its values are whole numbers.
        upper_only: only the upper eight of sixteen bits could be read (colour); low and high are known that well.
    """

    low: float
    high: float
    num_bad: int = 0
    read_from: float
    read_to: float
    whole: bool
    upper_only: bool = False

    @property
    def fits(self) -> bool:
        """Whether no value was cut off, and each is a number."""
        return not self.num_bad and self.read_from <= self.low and self.high <= self.read_to


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
        num_bad=values.size - finite.size,
        read_from=low,
        read_to=high,
        whole=whole,
    )
    return np.rint(np.nan_to_num(scaled)).astype(np.uint8), deep


def _number(value: float) -> str:
    return str(int(value)) if value.is_integer() else repr(value)
