"""Distributions that layers begin with."""

from __future__ import annotations

import math

import numpy as np

__all__ = ["fan_in_normal", "glorot_uniform", "truncated_normal", "usual"]

_TRUNCATED_STD = 0.87962566103423978
"""Standard deviation of a normal distribution that is cut off at two of its standard deviations."""


def fan_in_normal(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Returns truncated normal numbers for a kernel whose last axis are outputs, with LeCun's variance."""
    return truncated_normal(rng, shape, std=math.sqrt(1.0 / math.prod(shape[:-1])))


def usual(name: str, shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray | float:
    """Returns what an array begins with by its name: a kernel with normal numbers, a scale with ones, else zeros."""
    if name.endswith("kernel"):
        return fan_in_normal(rng, shape)
    return 1.0 if name.endswith("scale") else 0.0


def glorot_uniform(rng: np.random.Generator, shape: tuple[int, ...], *, num_inputs: int) -> np.ndarray:
    """Returns uniform numbers with the variance of Glorot and Bengio (2010) for a kernel of so many inputs."""
    limit = math.sqrt(6.0 / (num_inputs + math.prod(shape) // num_inputs))
    return rng.uniform(-limit, limit, shape)


def truncated_normal(rng: np.random.Generator, shape: tuple[int, ...], *, std: float) -> np.ndarray:
    """Returns normal numbers without those beyond two standard deviations; what is left has the deviation ``std``."""
    drawn = rng.standard_normal(shape)
    while (beyond := np.abs(drawn) > 2.0).any():
        drawn[beyond] = rng.standard_normal(int(beyond.sum()))
    return drawn * (std / _TRUNCATED_STD)
