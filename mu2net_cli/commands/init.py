"""``mu2net init``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mu2net_cli.options import FolderArgument, JsonFlag
from mu2net_cli.render import print_json, quantity, short
from mu2net_cli.session import session_of

__all__ = ["init"]


def init(
    ctx: typer.Context,
    folder: FolderArgument = None,
    *,
    preset: Annotated[str, typer.Option("--preset", metavar="NAME", help="Model family and defaults.")] = "vit-ti0",
    root: Annotated[str, typer.Option("--root", metavar="random", help="Where the root model comes from.")] = "random",
    seed: Annotated[int, typer.Option("--seed", metavar="N", help="Seed of a random root model.")] = 0,
    bare: Annotated[bool, typer.Option("--bare", help="Make a repository to share, with no working folder.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """Make a new repository with a root model.

    Example: mu2net init chars --preset vit-ti0
    """
    from mu2net_core.api.init import init as init_api

    session = session_of(ctx)
    where = session.path(folder or Path())
    result = init_api(where, session.context, preset=preset, root=root, seed=seed, bare=bare)
    if as_json:
        print_json(result)
        return
    session.say(
        f"Initialised an empty mu2net repository in {result.path} (preset {result.preset}, root "
        f"{short(result.root_id)}: {result.num_components} components, {quantity(result.num_params)} parameters)"
    )
    session.note("Next: mu2net add-task DATASET, e.g. sklearn:digits or cmaterdb/bangla")
