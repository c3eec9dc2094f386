"""The command line that is running, as it can be said once more."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from typing import Any

import typer

__all__ = ["again"]


def again(ctx: typer.Context, *more: str) -> str:
    """Returns the running command with all that was given to it, and ``more``: to be pasted as it is."""
    chain: list[Any] = [ctx]
    while chain[0].parent is not None:
        chain.insert(0, chain[0].parent)
    words = [word for each in chain for word in (str(each.info_name), *_given(each))]
    return shlex.join([*words, *(option for option in more if option not in words)])


def _given(ctx: Any) -> Iterator[str]:
    """Yields the options and arguments that the user gave to one command of the line."""
    for param in sorted(ctx.command.params, key=lambda param: param.param_type_name == "argument"):
        source, value = ctx.get_parameter_source(param.name), ctx.params.get(param.name)
        if source is None or source.name != "COMMANDLINE":
            continue
        values = list(value) if isinstance(value, (list, tuple)) else [value]
        if param.param_type_name == "argument":
            yield from map(str, values)
        elif getattr(param, "is_flag", False):
            yield (param.opts if value else param.secondary_opts or param.opts)[-1]
        else:
            yield from (word for each in values for word in (param.opts[-1], str(each)))
