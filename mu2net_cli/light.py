"""Keeps typer from importing pydantic (0.2 s) for command lines that need no conversion.

Recent versions of typer convert each parameter by a pydantic adapter, which they build even for one that was not given,
or is a string anyway. Here those cases and plain numbers are answered at once, and every other one is left to typer.
A typer without this machinery is left as it is.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from typer.core import TyperCommand, TyperGroup

__all__ = ["LightCommand", "LightGroup"]


class _LightConversion:
    """Stands in for typer's own conversion of one parameter until it is needed."""

    def coerce(self, value: Any, param: Any, ctx: Any) -> Any:
        """Returns ``value`` converted for ``param``."""
        if value is None:
            return () if param.multiple or param.nargs == -1 else None
        kind = getattr(param.type_descriptor, "annotation", None)
        if kind is str or kind == list[str]:
            return value
        if kind is int and _is_in_range(value, param.type_descriptor.parameter_info):
            return int(value)
        param._runtime_param = None
        return param.get_runtime_param().coerce(value, param=param, ctx=ctx)


def _is_in_range(value: Any, info: Any) -> bool:
    """Returns whether ``value`` certainly is a whole number within the limits; typer words the error if it is not."""
    if not str(value).isdecimal():
        return False
    return (info.min is None or int(value) >= info.min) and (info.max is None or int(value) <= info.max)


class LightCommand(TyperCommand):
    """A command whose parameters convert themselves only where there is something to convert."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Reads the command's arguments and options."""
        _lighten(self.get_params(ctx))
        return super().parse_args(ctx, args)


class LightGroup(TyperGroup):
    """Likewise a group of commands."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Reads the group's own options."""
        _lighten(self.get_params(ctx))
        return super().parse_args(ctx, args)


def _lighten(params: Iterable[Any]) -> None:
    for param in params:
        if hasattr(param, "type_descriptor") and getattr(param, "_runtime_param", False) is None:
            param._runtime_param = _LightConversion()
