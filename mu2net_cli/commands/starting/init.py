"""``mu2net init``."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mu2net_cli.parsing.completion import complete_preset
from mu2net_cli.parsing.options import FolderArgument, JsonFlag, RootOption, RootSeedOption
from mu2net_cli.parsing.program import program_in
from mu2net_cli.printing.render import print_json, quantity, short
from mu2net_cli.printing.transfers import transfer_progress
from mu2net_cli.session import session_of

if TYPE_CHECKING:
    from mu2net_core.api.setup.init import InitResult

__all__ = ["init"]

_PRESETS = (
    "auto: each task gets what its data asks for. Or a model family and defaults for all: vit-mini, vit-ti0, vit-ti3, "
    "vit-b, vit-l, convnet-8, convnet-16, convnet-32, convnet-64, convnet-128, bert-s, bert-b, text-128, "
    "text-256, table-8, table-16, table-32, table-64, table-128, table-256, curves-8, curves-16, curves-32, curves-64, "
    "curves-128, curves-256, or one of your own."
)


def init(
    ctx: typer.Context,
    folder: FolderArgument = None,
    *,
    preset: Annotated[
        str,
        typer.Option("--preset", metavar="NAME", help=_PRESETS, autocompletion=complete_preset),
    ] = "auto",
    root: RootOption = "random",
    seed: RootSeedOption = 0,
    bare: Annotated[bool, typer.Option("--bare", help="Make a repository to share, with no working folder.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """Make a new repository.

    With the preset auto, roots come with tasks: add-task looks at the data, says which preset it chose, and makes its
    root. With any other, all tasks have that, and its root is made now. The root's numbers are random, or those of a
    public model: an AugReg checkpoint (.npz) of the preset's width and patch size, of which the first blocks are taken
    and the positions fitted to the preset's images; or a folder of Hugging Face or timm, as add-root takes.

    Example: mu2net init chars
    """
    from mu2net_core.api.setup.init import init as init_api

    session = session_of(ctx)
    where = session.path(folder or Path())
    with transfer_progress(session) as watch:
        result = init_api(where, session.context, preset=preset, root=root, seed=seed, bare=bare, progress=watch)
    if as_json:
        print_json(result)
        return
    session.say(f"Initialised an empty mu2net repository in {result.path} ({_made(result)})")
    for remark in result.remarks:
        session.note(remark)
    if bare:
        session.note(f"Next, in a working copy: mu2net remote add origin {shlex.quote(str(result.path))}")
        return
    program = program_in(ctx.find_root().params.get("directory"), folder)
    session.note(f"Next: {program} add-task sklearn:digits  # or another: folder:PATH, npz:PATH, cmaterdb/bangla ...")


def _made(result: InitResult) -> str:
    """Returns the preset and the root of a new repository."""
    if result.root_id is None:
        return f"preset {result.preset}: each task brings what it needs"
    source = f" of {result.origin.source}" if result.origin is not None else ""
    size = f"{result.num_components} components, {quantity(result.num_params)} parameters"
    return f"preset {result.preset}, root {short(result.root_id)}{source}: {size}"
