"""Keeps typer from importing pydantic (0.2 s) for command lines that need no conversion.

Recent versions of typer convert each parameter by a pydantic adapter, which they build even for one that was not given,
or is a string anyway. Here those cases and plain numbers are answered at once, and every other one is left to typer.
A typer without this machinery is left as it is.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

from mu2net_cli.parsing.anywhere import global_line, global_params, take_global
from mu2net_cli.parsing.manual import Described
from mu2net_cli.printing.text import print_lines

__all__ = ["LightCommand", "LightGroup"]

_USAGE = 2
"""The exit code of a command line that lacks something."""


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


class _Light(Described):
    """What commands and groups have in common: quick conversion, our own help, global options anywhere."""

    def get_params(self: Any, ctx: Any) -> list[Any]:
        """Returns the parameters of the command, and the global options."""
        own = super().get_params(ctx)  # type: ignore[misc]
        return [*own, *global_params(ctx, own)]

    def parse_args(self: Any, ctx: Any, args: list[str]) -> list[str]:
        """Reads the command's arguments and options; a group that needs a command and got none explains itself."""
        if not args and getattr(self, "no_args_is_help", False) and not ctx.resilient_parsing:
            print_lines(ctx.get_help().splitlines(), err=True)
            raise typer.Exit(_USAGE)
        params = self.get_params(ctx)
        _lighten(params)
        rest: list[str] = super().parse_args(ctx, args)  # type: ignore[misc]
        take_global(ctx, [param for param in params if param not in self.params])
        return rest

    def format_epilog(self: Any, ctx: Any, formatter: Any) -> None:
        """Writes what comes last, and that there are global options."""
        super().format_epilog(ctx, formatter)  # type: ignore[misc]
        if line := global_line(ctx, self.params):
            formatter.write_paragraph()
            formatter.write_text(line)


class LightCommand(_Light, TyperCommand):
    """A command whose parameters convert themselves only where there is something to convert."""


class LightGroup(_Light, TyperGroup):
    """Likewise a group of commands."""


def _lighten(params: Iterable[Any]) -> None:
    for param in params:
        if hasattr(param, "type_descriptor") and getattr(param, "_runtime_param", False) is None:
            param._runtime_param = _LightConversion()
