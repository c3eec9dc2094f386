"""What goes into the models of a task and what comes out of them: one value for each kind.

A kind that this version does not define is kept as it came (``Other``): whoever carries such a task loses nothing of
it, and whoever must understand it, to train or to predict, finds out that he does not.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from typing import Any, Literal

import msgspec

__all__ = [
    "SHIPPED",
    "Classes",
    "Column",
    "Image",
    "Input",
    "Labels",
    "Number",
    "Other",
    "Output",
    "Table",
    "Text",
    "kind_of",
    "plain_kind",
]


class Input:
    """What goes in: a subclass for each kind, whose field ``kind`` is its name."""

    __slots__ = ()
    kind: str


class Output:
    """What comes out: a subclass for each kind, whose field ``kind`` is its name."""

    __slots__ = ()
    kind: str

    @property
    def size(self) -> int:
        """How many numbers a model gives for an example."""
        return len(self.labels)

    @property
    def labels(self) -> tuple[str, ...]:
        """What these numbers are called, if they have names."""
        return ()

    @property
    def label_shape(self) -> tuple[int, ...]:
        """The shape of one example's label."""
        return ()

    @property
    def label_dtype(self) -> str:
        """The type of the numbers in it."""
        return "float32"


@dataclass(frozen=True, slots=True, kw_only=True)
class Image(Input):
    """Images of uint8; height and width in pixels, None where they vary; channels 1 or 3."""

    kind: Literal["image"] = "image"
    height: int | None
    width: int | None
    channels: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Text(Input):
    """Unicode text.

    Attributes:
        kind: ``text``.
        max_length: characters of the longest example.
    """

    kind: Literal["text"] = "text"
    max_length: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A column of a table.

    Attributes:
        name: distinct from the others'.
        values: those that are told apart, in the order of their numbers; None where each cell is a number or a date.
        knots: of numbers and dates, ascending: quantiles of the training examples, as far apart from each other, the
            least and the greatest included. A date is the days from 1970 to it.
        date: how dates are written: ``iso``, or in the letters of strftime; None of what is no date.
    """

    name: str
    values: tuple[str, ...] | None
    knots: tuple[float, ...] = ()
    date: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Table(Input):
    """One row of a table; ``columns`` are those that go in, in order."""

    kind: Literal["table"] = "table"
    columns: tuple[Column, ...]

    @property
    def num_values(self) -> int:
        """How many values there are to be told apart: those of all columns, and of each one unknown and one missing."""
        return sum(2 + len(column.values or ()) for column in self.columns)


@dataclass(frozen=True, slots=True, kw_only=True)
class Classes(Output):
    """One of several classes; ``names`` are in label order."""

    kind: Literal["classes"] = "classes"
    names: tuple[str, ...]

    @property
    def labels(self) -> tuple[str, ...]:
        """What the classes are called."""
        return self.names

    @property
    def label_dtype(self) -> str:
        """A label is the number of its class."""
        return "int32"


@dataclass(frozen=True, slots=True, kw_only=True)
class Labels(Output):
    """Any number of several labels, none included; ``names`` are in label order."""

    kind: Literal["labels"] = "labels"
    names: tuple[str, ...]

    @property
    def labels(self) -> tuple[str, ...]:
        """What the labels are called."""
        return self.names

    @property
    def label_shape(self) -> tuple[int, ...]:
        """A label is 0 or 1 for each of them."""
        return (len(self.names),)

    @property
    def label_dtype(self) -> str:
        """A label is 0 or 1 for each of them."""
        return "uint8"


@dataclass(frozen=True, slots=True, kw_only=True)
class Number(Output):
    """A number.

    Attributes:
        kind: ``number``.
        mean: of the numbers of the training examples.
        deviation: their standard deviation, above 0: models give a number's distance from the mean in its units.
    """

    kind: Literal["number"] = "number"
    mean: float
    deviation: float

    @property
    def size(self) -> int:
        """How many numbers a model gives for an example."""
        return 1


class Other(Input, Output):
    """An input or output of a kind that this version does not define, as it came: a newer one's, or a package's.

    Of an output, ``size`` among the values is how many numbers a model gives for an example, and ``label_shape`` the
    shape of a label, whose numbers are float32; [] if it is not there.

    Attributes:
        kind: its name.
        values: all else that is said of it: plain JSON.
    """

    __slots__ = ("kind", "values")
    kind: str
    values: Mapping[str, Any]

    def __init__(self, *, kind: str, values: Mapping[str, Any]) -> None:
        object.__setattr__(self, "kind", kind)
        object.__setattr__(self, "values", values)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"cannot assign to {name!r}")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Other) and (self.kind, self.values) == (other.kind, other.values)

    __hash__ = None  # type: ignore[assignment]

    def __reduce__(self) -> tuple[Any, ...]:
        return _other, (self.kind, self.values)

    @property
    def size(self) -> int:
        """How many numbers a model gives for an example, 0 if that is not said."""
        size: Any = self.values.get("size")
        return int(size) if _is_count(size) else 0

    @property
    def label_shape(self) -> tuple[int, ...]:
        """The shape of one example's label."""
        shape: Any = self.values.get("label_shape")
        is_shape = isinstance(shape, list | tuple) and len(shape) <= _MOST_AXES and all(map(_is_count, shape))
        return tuple(shape) if is_shape and prod(shape) <= _MOST_NUMBERS else ()

    def __repr__(self) -> str:
        return f"Other(kind={self.kind!r}, values={self.values!r})"


def _other(kind: str, values: Mapping[str, Any]) -> Other:
    return Other(kind=kind, values=values)


def _is_count(number: object) -> bool:
    return isinstance(number, int) and not isinstance(number, bool) and 0 < number <= _MOST_NUMBERS


_MOST_AXES = 4
_MOST_NUMBERS = 2**20
"""What an output of an unknown kind may ask for is bounded: it came from whoever can push."""

SHIPPED: Mapping[type, Mapping[str, type]] = {
    Input: {"image": Image, "text": Text, "table": Table},
    Output: {"classes": Classes, "labels": Labels, "number": Number},
}
"""The kinds that this version defines, by base class and name."""


def kind_of(expected: type, plain: Any) -> Any:
    """Returns the input or output that ``plain`` JSON says; msgspec asks for it by the name of the base class.

    Raises:
        ValueError: it is none: it has no kind, or a known kind does not say what it must.
    """
    known = SHIPPED[expected]
    kind = plain.get("kind") if isinstance(plain, dict) else None
    if not isinstance(kind, str):
        raise ValueError(f"expected an {expected.__name__.lower()} with a kind")  # noqa: TRY004 - of what was read
    if kind in known:
        return msgspec.convert(plain, known[kind])
    return Other(kind=kind, values={name: value for name, value in plain.items() if name != "kind"})


def plain_kind(value: object) -> dict[str, Any]:
    """Returns plain JSON for what msgspec cannot turn into it by itself: an input or output of another kind."""
    if isinstance(value, Other):
        return {"kind": value.kind, **value.values}
    raise NotImplementedError(f"cannot encode {type(value).__name__}")
