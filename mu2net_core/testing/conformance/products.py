"""Counting the dense products that a function of arrays computes."""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Any

import jax

__all__ = ["dense_flops"]


def dense_flops(function: Callable[..., Any], *args: Any) -> int:
    """Returns 2 per multiply-add of the dense products and convolutions in what ``function`` does with ``args``."""
    return _counted(jax.make_jaxpr(function)(*args).jaxpr)


def _counted(jaxpr: Any) -> int:
    total = 0
    for equation in jaxpr.eqns:
        times = equation.params.get("length", 1) if equation.primitive.name == "scan" else 1
        for value in equation.params.values():
            inner = getattr(value, "jaxpr", value)
            total += times * _counted(inner) if hasattr(inner, "eqns") else 0
        total += 2 * prod(equation.outvars[0].aval.shape) * _depth(equation)
    return total


def _depth(equation: Any) -> int:
    """Returns how many products each number that an equation returns adds up; 0 if it multiplies no matrices."""
    shapes: list[list[int]] = [[int(size) for size in value.aval.shape] for value in equation.invars]
    match equation.primitive.name:
        case "dot_general":
            ((contracted, _), _) = equation.params["dimension_numbers"]
            return prod(shapes[0][axis] for axis in contracted)
        case "conv_general_dilated":
            outputs = int(equation.params["dimension_numbers"].rhs_spec[0])
            return prod(shapes[1]) // shapes[1][outputs]
    return 0
