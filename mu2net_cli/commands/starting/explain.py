"""``mu2net help``."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from mu2net_cli.parsing.completion import complete_verb
from mu2net_cli.printing.text import print_lines

__all__ = ["explain"]


def explain(
    ctx: typer.Context,
    verb: Annotated[
        list[str] | None,
        typer.Argument(metavar="[VERB]...", help="E.g. evolve, or remote add.", autocompletion=complete_verb),
    ] = None,
) -> None:
    """Explain a verb, as --help after it does.

    Example: mu2net help evolve
    """
    place: Any = ctx.find_root()
    for word in verb or ():
        if not hasattr(place.command, "resolve_command"):
            ctx.fail(f"{place.command_path} has no commands of its own, so no {word!r}.")
        name, command, _ = place.command.resolve_command(place, [word])
        place = type(place)(command, info_name=name, parent=place)
    print_lines(place.get_help().splitlines())
