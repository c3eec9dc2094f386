"""Position embeddings of another image size: the grid of one size, interpolated to that of another.

``D`` is the width; a grid of g x g patches has g * g positions, or 1 + g * g, that of the class token first.
"""

from __future__ import annotations

from math import isqrt
from typing import Literal

import numpy as np

from mu2net_core.errors import InvalidInputError

__all__ = ["Interpolation", "resize_positions"]

Interpolation = Literal["linear", "cubic", "antialiased"]
"""``linear``: bilinear with aligned corners, as the public vision_transformer code does with ``scipy.ndimage.zoom`` of
order 1. ``cubic``: bicubic, as the ``transformers`` library does. ``antialiased``: bicubic, a larger grid made smooth
first, as the ``timm`` library does."""


def resize_positions(embedding: np.ndarray, tokens: int, how: Interpolation = "linear") -> np.ndarray:
    """Returns ``embedding`` [1, c + g * g, D] as float32 [1, tokens, D], ``tokens`` being c + h * h.

    The class token's position, where c is 1 and not 0, is kept. The others are interpolated.

    Raises:
        InvalidInputError: there are positions on no square grid, or only one of both has that of a class token.
    """
    if embedding.ndim != 3 or embedding.shape[0] != 1:
        raise InvalidInputError(f"Position embedding: expected the shape [1, tokens, width], got {embedding.shape}.")
    (first, old), (kept, new) = _grid(embedding.shape[1]), _grid(tokens)
    if first != kept:
        raise _no_grid(tokens)
    if old == new:
        return embedding.astype(np.float32)
    weights = _weights(old, new) if how == "linear" else _cubic_weights(old, new, smooth=how == "antialiased")
    grid = embedding[0, first:].reshape(old, old, -1).astype(np.float64)
    grid = np.einsum("ia,jb,abd->ijd", weights, weights, grid, optimize=True).reshape(new * new, -1)
    return np.concatenate([embedding[:, :first], grid[None]], axis=1).astype(np.float32)


def _grid(tokens: int) -> tuple[int, int]:
    """Returns how many positions are of class tokens, and the side of the others' grid."""
    for first in (0, 1):
        side = isqrt(max(tokens - first, 0))
        if side >= 1 and first + side * side == tokens:
            return first, side
    raise _no_grid(tokens)


def _no_grid(tokens: int) -> InvalidInputError:
    return InvalidInputError(
        f"Position embedding: expected a class token and a square grid of patches (2, 5, 10, 17, ... positions), or "
        f"such a grid alone on both sides (1, 4, 9, 16, ...), got {tokens}."
    )


def _weights(old: int, new: int) -> np.ndarray:
    """Returns how much each of ``old`` points has of each of ``new`` points between the same ends: [new, old]."""
    places = np.arange(new) * ((old - 1) / (new - 1) if new > 1 else 0.0)
    weights: np.ndarray = np.maximum(0.0, 1.0 - np.abs(places[:, None] - np.arange(old)[None, :]))
    return weights


def _cubic_weights(old: int, new: int, *, smooth: bool) -> np.ndarray:
    """Returns the same for a cubic kernel and points in the middle of equal parts: [new, old].

    What lies beyond an end is the point at that end; with ``smooth``, left out, and the kernel as wide as a new part.
    """
    scale = old / new
    width, sharpness = (max(scale, 1.0), -0.5) if smooth else (1.0, -0.75)
    places = (np.arange(new) + 0.5) * scale - 0.5
    reach = int(np.ceil(2 * width)) + 1
    points = np.floor(places)[:, None] + np.arange(-reach, reach + 1)
    each = _cubic((points - places[:, None]) / width, sharpness)
    if smooth:
        each[(points < 0) | (points >= old)] = 0.0
    weights = np.zeros((new, old))
    np.add.at(weights, (np.arange(new)[:, None], np.clip(points, 0, old - 1).astype(int)), each)
    weights /= weights.sum(axis=1, keepdims=True)
    return weights


def _cubic(x: np.ndarray, a: float) -> np.ndarray:
    """Returns the kernel of cubic convolution (Keys, 1981) at ``x``."""
    x = np.abs(x)
    near = ((a + 2) * x - (a + 3)) * x * x + 1
    far = ((a * x - 5 * a) * x + 8 * a) * x - 4 * a
    return np.where(x < 1, near, np.where(x < 2, far, 0.0))
