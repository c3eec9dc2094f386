"""Global options anywhere: what may stand before the verb may stand after it, too."""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from typing import Any

__all__ = ["global_line", "global_params", "take_global"]

_PLACE = "mu2net_cli.parsing.anywhere"


def global_params(ctx: Any, own: Sequence[Any]) -> list[Any]:
    """Returns the options of the whole command line that ``own``, a verb's parameters, leave free; not in its help."""
    if ctx.parent is None:
        return []
    taken = {name for param in own for name in (param.name, *param.opts, *param.secondary_opts)}
    return [param for param in _all(ctx) if not taken & {param.name, *param.opts}]


def take_global(ctx: Any, params: Sequence[Any]) -> None:
    """Moves what was given of ``params`` after the verb to where the command line keeps what was given before it."""
    for param in params:
        value = ctx.params.pop(param.name, None)
        source = ctx.get_parameter_source(param.name)
        if source is not None and source.name == "COMMANDLINE":
            ctx.find_root().params[param.name] = value


def global_line(ctx: Any, own: Sequence[Any]) -> str:
    """Returns one line that names the global options a verb has besides ``own``; empty at the top, which lists them."""
    params = global_params(ctx, own)
    names = (min(param.opts, key=len) + ("" if param.is_flag else f" {param.metavar}") for param in params)
    return f"Global options: {', '.join(names)}" if params else ""


def _all(ctx: Any) -> list[Any]:
    """Returns copies of the global options that no help lists, the same ones each time."""
    root = ctx.find_root()
    if _PLACE not in ctx.meta:
        ctx.meta[_PLACE] = [
            _hidden(param) for param in root.command.params if param.expose_value and not param.is_eager
        ]
    found: list[Any] = ctx.meta[_PLACE]
    return found


def _hidden(param: Any) -> Any:
    twin = copy(param)
    twin.hidden = True
    return twin
