"""A task: a data set with exact splits, what goes in and out, and who may read what is learned from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Literal

from mu2net_core.objects.access import PUBLIC, AccessRule
from mu2net_core.objects.kinds import Input, Output
from mu2net_core.objects.names import check_name
from mu2net_core.version import FORMAT

__all__ = ["SPLITS", "Slice", "Split", "Task"]

SPLITS = ("train", "validation", "test")


@dataclass(frozen=True, slots=True, kw_only=True)
class Slice:
    """Examples ``start`` (included) to ``stop`` (excluded) of one of the source's own splits."""

    split: str
    start: int
    stop: int

    def __post_init__(self) -> None:
        if not 0 <= self.start < self.stop:
            raise ValueError(f"slice of {self.split}: expected 0 <= start < stop, got {self.start}:{self.stop}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """One split of a task: as written, as exact slices, its size, and the fingerprint of its examples."""

    spec: str
    slices: tuple[Slice, ...]
    num_examples: int
    fingerprint: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """A task as it is stored.

    Attributes:
        name: unique in the repository, e.g. ``cmaterdb/bangla``.
        source: URI with pinned version, e.g. ``tfds:cmaterdb/bangla:1.0.0``; of a file or folder only the last part of
            its path, ``folder:cats``: where that lies each machine knows for itself.
        options: of the source, e.g. ``{"depth": 2}``.
        splits: exactly ``train``, ``validation`` and ``test``.
        input: what goes in.
        output: what comes out.
        metric: how quality, in [0, 1], is measured; which there are depends on the output.
        access: who may read what is learned from this task.
        preset: what serves it where tasks have presets of their own (repositories of ``auto``); None elsewhere.
        class_weights: how much an example of each class counts in the loss, in label order; of several labels, how much
            the examples that have one count in its loss, against 1 of the others. None: all the same.
        needs: the oldest version of mu2net that knows all kinds and keys in it, if that is not the first one.
        unknown_keys: dotted names of keys that were there when it was read, and that this version does not know.
    """

    OMITTED_IF_NONE: ClassVar[tuple[str, ...]] = ("class_weights", "needs", "preset")

    format: int = FORMAT
    kind: Literal["task"] = "task"
    name: str
    source: str
    options: Mapping[str, int | str | bool] = field(default_factory=dict)
    splits: Mapping[str, Split]
    input: Input
    output: Output
    metric: str
    access: AccessRule = PUBLIC
    preset: str | None = None
    class_weights: tuple[float, ...] | None = None
    needs: str | None = None
    unknown_keys: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        check_name(self.name, "task name")
        if set(self.splits) != set(SPLITS):
            raise ValueError(f"a task needs the splits {SPLITS}, got {sorted(self.splits)}")
        if any(key.startswith("access.") for key in self.unknown_keys):  # a rule that nobody understands grants nothing
            object.__setattr__(self, "access", AccessRule.only(()))
