"""What a data source must offer. Other packages add one through the entry point group ``mu2net.sources``.

Dimension letters: N examples, H height, W width, C channels.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from mu2net_core.objects import Slice

__all__ = ["Examples", "Options", "Source", "SourceFactory", "SourceInfo", "Stored"]

Options = Mapping[str, int | str | bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """One example as the source keeps it.

    Attributes:
        name: says which one it is in messages: a relative path, or ``train[17]``.
        image: an encoded file's bytes, or a uint8 array [H, W] or [H, W, C].
        label: index into the source's classes; not checked yet.
    """

    name: str
    image: bytes | np.ndarray
    label: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceInfo:
    """What a source holds.

    Attributes:
        splits: number of examples by the source's own split names.
        classes: label names, in label order.
        options: those that change what is read, to be kept with the task.
        skipped: names of broken examples left out on request.
    """

    splits: Mapping[str, int]
    classes: tuple[str, ...]
    options: Options = field(default_factory=dict)
    skipped: tuple[str, ...] = ()


class Source(Protocol):
    """A data set that can be read: a canonical URI, what is in it, and its examples in a fixed order."""

    @property
    def uri(self) -> str:
        """The canonical URI, its version pinned where there are versions."""
        ...

    def info(self) -> SourceInfo:
        """Returns what the source holds."""
        ...

    def read(self, slices: Sequence[Slice]) -> Iterator[Stored]:
        """Yields the examples of ``slices``, one slice after the other, as they are stored."""
        ...


class SourceFactory(Protocol):
    """What an entry point of ``mu2net.sources`` names: a function or class that opens a source."""

    def __call__(self, rest: str, *, options: Options, data_dir: str | None) -> Source:
        """Returns the source for the URI ``<scheme>:<rest>``."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Examples:
    """Examples ready for a model.

    Attributes:
        images: [N, H, W, C] uint8.
        labels: [N] int32.
    """

    images: np.ndarray
    labels: np.ndarray

    def __post_init__(self) -> None:
        if self.images.dtype != np.uint8 or self.images.ndim != 4:
            raise ValueError(f"images: expected uint8 [N, H, W, C], got {self.images.dtype} {self.images.shape}")
        if self.labels.dtype != np.int32 or self.labels.shape != self.images.shape[:1]:
            raise ValueError(f"labels: expected int32 [N], got {self.labels.dtype} {self.labels.shape}")

    def __len__(self) -> int:
        return len(self.labels)
