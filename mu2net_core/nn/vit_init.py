"""What the layers of a vision transformer begin with, and how one becomes larger without computing anything else.

Drawn by NumPy on the host: no program is compiled for a beginning, and it is the same whatever the device is.
"""

from __future__ import annotations

import math

import numpy as np

from mu2net_core.errors import InvalidInputError
from mu2net_core.nn.architecture import Arrays, Shapes

__all__ = ["begin", "enlarged"]

# A random root must learn where a patch lies before it can learn what it means. With the usual beginnings (LeCun's for
# patches, 0.02 for positions) content drowns position tenfold, and blocks evolved on top of frozen embeddings see a bag
# of patches. These give both about the same size; docs/experiments.md has the measurement.
_PATCH_VARIANCE = 0.1
_POSITION_STD = 0.3
_BIAS_STD = 1e-6
_TRUNCATED_STD = 0.87962566103423978
"""Standard deviation of a normal distribution that is cut off at two of its standard deviations."""

_LAST = ("attention/out/kernel", "dense_1/kernel")
"""What a residual layer multiplies last: while it is zero, the layer adds nothing."""


def begin(kind: str, shapes: Shapes, rng: np.random.Generator, *, identity: bool = False) -> Arrays:
    """Returns first float32 arrays of a layer of ``kind``; with ``identity`` a residual layer adds nothing.

    Dense kernels are Glorot-uniform, those of a head and the last one of an adapter zero, norms one, biases zero but
    for those of an MLP.
    """
    still = identity or kind == "adapter"
    return {name: _draw(kind, name, shape, rng, still=still) for name, (shape, _) in sorted(shapes.items())}


def enlarged(arrays: Arrays, shapes: Shapes, start: Arrays) -> Arrays:
    """Returns ``arrays`` in larger ``shapes``: what is new comes from ``start``, and what multiplies it last is zero.

    So a wider MLP and further attention heads leave what the block computes as it was (Net2Net, Chen et al., 2016).

    Raises:
        InvalidInputError: an array is larger than it should become.
    """
    grown: dict[str, np.ndarray] = {}
    for name, (shape, _) in shapes.items():
        old = arrays[name]
        if any(size > room for size, room in zip(old.shape, shape, strict=True)):
            raise InvalidInputError(f"ViT: {name} {old.shape} does not fit into {shape}: blocks never shrink.")
        new = np.zeros(shape, np.float32) if name in _LAST else np.array(start[name], np.float32)
        new[tuple(slice(0, size) for size in old.shape)] = old
        grown[name] = new
    return grown


def _draw(kind: str, name: str, shape: tuple[int, ...], rng: np.random.Generator, *, still: bool) -> np.ndarray:
    drawn: np.ndarray | float = 0.0
    if kind == "patch_embedding" and name == "kernel":
        drawn = _truncated(rng, shape) * (math.sqrt(_PATCH_VARIANCE / math.prod(shape[:-1])) / _TRUNCATED_STD)
    elif kind == "position_embedding":
        drawn = rng.standard_normal(shape) * _POSITION_STD
    elif name.endswith("scale"):
        drawn = 1.0
    elif name.startswith(("attention/", "dense_")) and name.endswith("kernel") and not (still and name in _LAST):
        drawn = _glorot(name, shape, rng)
    elif kind == "encoder_block" and name.startswith("dense_") and not still:
        drawn = rng.standard_normal(shape) * _BIAS_STD
    return np.full(shape, drawn, np.float32)


def _glorot(name: str, shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
    inputs = math.prod(shape[:-1]) if name.endswith("out/kernel") else shape[0]
    limit = math.sqrt(6.0 / (inputs + math.prod(shape) // inputs))
    return rng.uniform(-limit, limit, shape)


def _truncated(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Returns standard normal numbers of which none is beyond two."""
    drawn = rng.standard_normal(shape)
    while (beyond := np.abs(drawn) > 2.0).any():
        drawn[beyond] = rng.standard_normal(int(beyond.sum()))
    return drawn
