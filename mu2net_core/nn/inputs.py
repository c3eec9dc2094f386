"""What a model takes: of what kind its examples are, and of what shape."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

import numpy as np

__all__ = ["InputSpec"]


@dataclass(frozen=True, slots=True, kw_only=True)
class InputSpec:
    """One example as a model takes it, before anything is computed with it.

    Attributes:
        kind: as a task's input calls it: ``image``, ``text``, ``table``.
        shape: of one example: [H, W, C] of an image, [L] of a text, [F] of a row of a table.
        dtype: of its numbers: ``uint8`` of an image, ``int32`` of a text's tokens, ``float32`` of a table.
        tokenizer: the hash of what makes a text's tokens; empty where they are its bytes, and of all else.
    """

    kind: str
    shape: tuple[int, ...]
    dtype: str
    tokenizer: str = ""

    def __post_init__(self) -> None:
        if not self.shape or any(size < 1 for size in self.shape):
            raise ValueError(f"input: expected a shape of numbers above 0, got {self.shape}")
        np.dtype(self.dtype)

    @classmethod
    def image(cls, side: int, channels: int = 3) -> InputSpec:
        """Returns what a model of square images of ``side`` pixels takes."""
        return cls(kind="image", shape=(side, side, channels), dtype="uint8")

    @property
    def size_bytes(self) -> int:
        """How much memory one example takes."""
        return prod(self.shape) * np.dtype(self.dtype).itemsize

    def __str__(self) -> str:
        """Returns it in words, for messages."""
        if self.kind == "image":
            return f"images of {self.shape[0]} x {self.shape[1]} pixels"
        return f"{self.kind} of {' x '.join(map(str, self.shape))} numbers"
