"""The top-level command group: it knows every verb by name and loads only the one that runs."""

from __future__ import annotations

from difflib import get_close_matches
from functools import cache
from importlib import import_module
from typing import Any, cast

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command

from mu2net_cli.parsing.light import LightCommand, LightGroup
from mu2net_cli.parsing.program import as_called, program_in
from mu2net_cli.parsing.verbs import SECTIONS, VERBS
from mu2net_core.errors import Mu2netError

__all__ = ["VerbGroup", "load_verb"]


@cache
def load_verb(name: str) -> TyperCommand | TyperGroup:
    """Returns the command behind the verb ``name``, importing its module; the same one each time."""
    verb = VERBS[name]
    entry = getattr(import_module(f"mu2net_cli.commands.{verb.path}"), verb.module)
    app = entry if isinstance(entry, typer.Typer) else _single(verb.name, entry)
    command = cast(TyperCommand | TyperGroup, get_command(app))
    command.name = verb.name
    return command


def _single(name: str, function: Any) -> typer.Typer:
    app = typer.Typer(add_completion=False, rich_markup_mode=None)
    app.command(name, cls=LightCommand)(function)
    return app


class VerbGroup(LightGroup):
    """Lists verbs from the table and imports a command when it is called for."""

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002
        """Returns the verbs in the order of ``--help``."""
        return list(VERBS)

    def get_command(self, ctx: Any, cmd_name: str) -> TyperCommand | TyperGroup | None:  # noqa: ARG002
        """Returns the command, or None for a name that is no verb."""
        return load_verb(cmd_name) if cmd_name in VERBS else None

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Returns what the group class returns; an unknown verb gets the nearest ones named."""
        if args and args[0] not in VERBS and not args[0].startswith("-") and not ctx.resilient_parsing:
            near = get_close_matches(args[0], VERBS, n=3, cutoff=0.6)
            ctx.fail(f"{args[0]!r} is not a mu2net command." + (f" Did you mean {' or '.join(near)}?" if near else ""))
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: Any) -> Any:
        """Runs the verb; commands that an error names are called as the user called this one."""
        try:
            return super().invoke(ctx)
        except Mu2netError as exc:
            program = program_in(ctx.params.get("directory"))
            exc.message, exc.hint = as_called(exc.message, program), exc.hint and as_called(exc.hint, program)
            raise

    def format_commands(self, ctx: Any, formatter: Any) -> None:  # noqa: ARG002
        """Writes the verbs section by section, from the table alone."""
        width = max(map(len, VERBS)) + 2
        for section in SECTIONS:
            with formatter.section(section):
                rows = [(v.name.ljust(width), v.help) for v in VERBS.values() if v.section == section]
                formatter.write_dl(rows, col_spacing=0)
