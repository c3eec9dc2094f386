"""Position embeddings of another image size: the grid of one size, interpolated to that of another.

``D`` is the width; a grid of g x g patches has 1 + g * g positions, that of the class token first.
"""

from __future__ import annotations

from math import isqrt

import numpy as np

from mu2net_core.errors import InvalidInputError

__all__ = ["resize_positions"]


def resize_positions(embedding: np.ndarray, tokens: int) -> np.ndarray:
    """Returns ``embedding`` [1, 1 + g * g, D] as float32 [1, tokens, D], ``tokens`` being 1 + h * h.

    The class token's position is kept. The others are interpolated bilinearly with aligned corners, as the public
    vision_transformer code does with ``scipy.ndimage.zoom(order=1)``.

    Raises:
        InvalidInputError: there are positions on no square grid.
    """
    if embedding.ndim != 3 or embedding.shape[0] != 1:
        raise InvalidInputError(f"Position embedding: expected the shape [1, tokens, width], got {embedding.shape}.")
    old, new = _side(embedding.shape[1]), _side(tokens)
    if old == new:
        return embedding.astype(np.float32)
    weights = _weights(old, new)
    grid = embedding[0, 1:].reshape(old, old, -1).astype(np.float64)
    grid = np.einsum("ia,jb,abd->ijd", weights, weights, grid, optimize=True).reshape(new * new, -1)
    return np.concatenate([embedding[:, :1], grid[None]], axis=1).astype(np.float32)


def _side(tokens: int) -> int:
    side = isqrt(max(tokens - 1, 0))
    if side < 1 or 1 + side * side != tokens:
        raise InvalidInputError(
            f"Position embedding: expected a class token and a square grid of patches (2, 5, 10, 17, ... positions), "
            f"got {tokens}."
        )
    return side


def _weights(old: int, new: int) -> np.ndarray:
    """Returns how much each of ``old`` points has of each of ``new`` points between the same ends: [new, old]."""
    places = np.arange(new) * ((old - 1) / (new - 1) if new > 1 else 0.0)
    weights: np.ndarray = np.maximum(0.0, 1.0 - np.abs(places[:, None] - np.arange(old)[None, :]))
    return weights
