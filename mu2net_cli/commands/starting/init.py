"""``mu2net init``."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import typer

from mu2net_cli.parsing.completion import complete_preset
from mu2net_cli.parsing.options import FolderArgument, JsonFlag, RootOption, RootSeedOption
from mu2net_cli.parsing.program import program_in
from mu2net_cli.printing.render import print_json, quantity, short
from mu2net_cli.printing.transfers import transfer_progress
from mu2net_cli.session import session_of

__all__ = ["init"]

_PRESETS = (
    "Model family and defaults: vit-mini, vit-ti0, vit-ti3, vit-b, vit-l, convnet-8, convnet-16, convnet-32, "
    "convnet-64, convnet-128, or one of your own."
)


def init(
    ctx: typer.Context,
    folder: FolderArgument = None,
    *,
    preset: Annotated[
        str,
        typer.Option("--preset", metavar="NAME", help=_PRESETS, autocompletion=complete_preset),
    ] = "vit-ti0",
    root: RootOption = "random",
    seed: RootSeedOption = 0,
    bare: Annotated[bool, typer.Option("--bare", help="Make a repository to share, with no working folder.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """Make a new repository with a root model.

    The root's numbers are random, or those of a public vision transformer: an AugReg checkpoint (.npz) of the preset's
    width and patch size, of which the first blocks are taken and the positions fitted to the preset's images.

    Example: mu2net init chars --preset vit-ti0
    """
    from mu2net_core.api.setup.init import init as init_api

    session = session_of(ctx)
    where = session.path(folder or Path())
    with transfer_progress(session) as watch:
        result = init_api(where, session.context, preset=preset, root=root, seed=seed, bare=bare, progress=watch)
    if as_json:
        print_json(result)
        return
    source = f" of {result.origin.source}" if result.origin is not None else ""
    size = f"{result.num_components} components, {quantity(result.num_params)} parameters"
    session.say(
        f"Initialised an empty mu2net repository in {result.path} (preset {result.preset}, root "
        f"{short(result.root_id)}{source}: {size})"
    )
    for remark in result.remarks:
        session.note(remark)
    if bare:
        session.note(f"Next, in a working copy: mu2net remote add origin {shlex.quote(str(result.path))}")
        return
    program = program_in(ctx.find_root().params.get("directory"), folder)
    session.note(f"Next: {program} add-task sklearn:digits  # or another: folder:PATH, npz:PATH, cmaterdb/bangla ...")
