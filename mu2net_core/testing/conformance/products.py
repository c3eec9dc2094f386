"""The dense products that a function of arrays computes: how many, and how exact."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from math import prod
from typing import Any

import jax

__all__ = ["dense_flops", "precisions"]


def dense_flops(function: Callable[..., Any], *args: Any) -> int:
    """Returns 2 per multiply-add of the dense products and convolutions in what ``function`` does with ``args``."""
    return _counted(jax.make_jaxpr(function)(*args).jaxpr)


def precisions(function: Callable[..., Any], *args: Any) -> list[Any]:
    """Returns how exact each dense product and convolution is asked to be, as JAX has it; None for its default."""
    return [
        equation.params["precision"]
        for equation, _times in _equations(jax.make_jaxpr(function)(*args).jaxpr)
        if equation.primitive.name in {"dot_general", "conv_general_dilated"}
    ]


def _counted(jaxpr: Any) -> int:
    return sum(times * 2 * prod(one.outvars[0].aval.shape) * _depth(one) for one, times in _equations(jaxpr))


def _equations(jaxpr: Any, times: int = 1) -> Iterator[tuple[Any, int]]:
    """Yields all equations, those within others too, and how often each is computed."""
    for equation in jaxpr.eqns:
        yield equation, times
        within = times * (equation.params.get("length", 1) if equation.primitive.name == "scan" else 1)
        for value in jax.tree.leaves(tuple(equation.params.values()), is_leaf=lambda one: hasattr(one, "jaxpr")):
            inner = getattr(value, "jaxpr", value)
            yield from _equations(inner, within) if hasattr(inner, "eqns") else ()


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
