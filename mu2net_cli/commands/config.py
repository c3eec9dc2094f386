"""``mu2net config``."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from mu2net_cli.light import LightCommand, LightGroup
from mu2net_cli.options import JsonFlag
from mu2net_cli.render import Column, print_json, print_table
from mu2net_cli.session import session_of, warn_of_unknown_variables
from mu2net_cli.text import print_line

__all__ = ["config"]

config = typer.Typer(cls=LightGroup, add_completion=False, rich_markup_mode=None, no_args_is_help=True)

Key = Annotated[str, typer.Argument(metavar="KEY", help="A setting, e.g. evolve.children.")]


@config.callback()
def settings() -> None:
    """Get and set the settings.

    A value comes from an option, else from the environment, else from the repository, else from the user's settings,
    else from the preset.
    """


@config.command("get", cls=LightCommand)
def get_setting(ctx: typer.Context, key: Key, *, as_json: JsonFlag = False) -> None:
    """Print the value in force.

    Example: mu2net config get evolve.children
    """
    from mu2net_core.api.config import get

    session = session_of(ctx)
    setting = get(session.repo(), session.context, key)
    if as_json:
        print_json(setting)
        return
    print_line(_text(setting.value))


@config.command("set", cls=LightCommand)
def set_setting(
    ctx: typer.Context, key: Key, value: Annotated[str, typer.Argument(metavar="VALUE", help="As in TOML.")]
) -> None:
    """Set a value in this repository.

    Example: mu2net config set evolve.children 4
    """
    from mu2net_core.api.config import set_

    session = session_of(ctx)
    repo = session.repo()
    setting = set_(repo, session.context, key, value)
    if key.startswith("default.") and repo.refs.roots():
        session.note(
            f"note: {key} is for root models made from now on; the root there is, and its offspring, keep theirs"
        )
    if setting.origin != "repository":
        session.note(f"warning: {key} is set, but the {setting.origin} says {_text(setting.value)}, which wins")


@config.command("unset", cls=LightCommand)
def unset_setting(ctx: typer.Context, key: Key) -> None:
    """Remove a value from this repository.

    Example: mu2net config unset evolve.children
    """
    from mu2net_core.api.config import unset

    session = session_of(ctx)
    setting = unset(session.repo(), session.context, key)
    session.say(
        f"{key} is {_text(setting.value) or 'empty'} now ({setting.origin})" if setting else f"{key} is not set now"
    )


@config.command("list", cls=LightCommand)
def list_settings(
    ctx: typer.Context,
    *,
    origin: Annotated[bool, typer.Option("--origin", help="Say where each value comes from.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """List all values in force.

    Example: mu2net config list --origin
    """
    from mu2net_core.api.config import list_

    session = session_of(ctx)
    repo = session.repo()
    found = list_(repo, session.context)
    warn_of_unknown_variables(session, repo)
    if as_json:
        print_json(found)
        return
    columns = (Column(title="setting", style="bold"), Column(title="value"), *([Column(title="origin")] * origin))
    print_table(session, columns, ((s.key, _text(s.value), *([s.origin] * origin)) for s in found))


def _text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)
