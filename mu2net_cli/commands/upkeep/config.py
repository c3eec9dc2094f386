"""``mu2net config``."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

import typer

from mu2net_cli.parsing.completion import complete_own_setting, complete_settable, complete_setting, complete_value
from mu2net_cli.parsing.light import LightCommand, LightGroup
from mu2net_cli.parsing.options import JsonFlag
from mu2net_cli.printing.render import Column, print_json, print_table
from mu2net_cli.printing.text import print_line
from mu2net_cli.session import session_of, warn_of_wrong_settings

if TYPE_CHECKING:
    from mu2net_core.api.setup.config import DescribedSetting

__all__ = ["config"]

config = typer.Typer(cls=LightGroup, add_completion=False, rich_markup_mode=None, no_args_is_help=True)

_COLUMNS = (Column(title="setting", style="bold"), Column(title="value"), Column(title="what it is"))

Key = Annotated[
    str, typer.Argument(metavar="KEY", help="A setting, e.g. evolve.children.", autocompletion=complete_setting)
]


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
    from mu2net_core.api.setup.config import get

    session = session_of(ctx)
    setting = get(session.repo(), session.context, key)
    if as_json:
        print_json(setting)
        return
    print_line(_text(setting.value))


@config.command("set", cls=LightCommand)
def set_setting(
    ctx: typer.Context,
    key: Annotated[
        str, typer.Argument(metavar="KEY", help="A setting, e.g. evolve.children.", autocompletion=complete_settable)
    ],
    value: Annotated[str, typer.Argument(metavar="VALUE", help="As in TOML.", autocompletion=complete_value)],
    *,
    as_json: JsonFlag = False,
) -> None:
    """Set a value in this repository.

    What cannot be right is refused at once.

    Example: mu2net config set evolve.children 4
    """
    from mu2net_core.api.setup.config import set_

    session = session_of(ctx)
    repo = session.repo()
    setting = set_(repo, session.context, key, value)
    if key.startswith("default.") and repo.refs.roots():
        session.note(
            f"note: {key} is for root models made from now on; the root there is, and its offspring, keep theirs"
        )
    if setting.origin != "repository":
        session.note(f"warning: {key} is set, but the {setting.origin} says {_text(setting.value)}, which wins")
    if as_json:
        print_json(setting)


@config.command("unset", cls=LightCommand)
def unset_setting(
    ctx: typer.Context,
    key: Annotated[
        str,
        typer.Argument(metavar="KEY", help="A setting, e.g. evolve.children.", autocompletion=complete_own_setting),
    ],
    *,
    as_json: JsonFlag = False,
) -> None:
    """Remove a value from this repository.

    Example: mu2net config unset evolve.children
    """
    from mu2net_core.api.setup.config import unset

    session = session_of(ctx)
    setting = unset(session.repo(), session.context, key)
    if as_json:
        print_json(setting)
        return
    session.say(
        f"{key} is {_text(setting.value) or 'empty'} now ({setting.origin})" if setting else f"{key} is not set now"
    )


@config.command("list", cls=LightCommand)
def list_settings(
    ctx: typer.Context,
    prefix: Annotated[
        str,
        typer.Argument(metavar="PREFIX", help="Only what begins so, e.g. evolve.", autocompletion=complete_setting),
    ] = "",
    *,
    origin: Annotated[bool, typer.Option("--origin", help="Say where each value comes from.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """List the settings, their values in force, and what they are.

    With --origin, where each value comes from stands before what it is.

    Example: mu2net config list evolve
    """
    from mu2net_core.api.setup.config import list_

    session = session_of(ctx)
    repo = session.repo()
    found = list_(repo, session.context, prefix)
    warn_of_wrong_settings(session, repo)
    if as_json:
        print_json(found)
        return
    columns = (*_COLUMNS[:2], *([Column(title="origin")] * origin), *_COLUMNS[2:])
    print_table(session, columns, ((s.key, _text(s.value), *([s.origin] * origin), _described(s)) for s in found))


def _described(setting: DescribedSetting) -> str:
    return setting.description + (f" ({', '.join(setting.choices)})" if setting.choices else "")


def _text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)
