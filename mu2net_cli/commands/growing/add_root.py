"""``mu2net add-root``."""

from __future__ import annotations

from typing import Annotated

import typer

from mu2net_cli.parsing.options import JsonFlag, PresetOption, RootOption, RootSeedOption
from mu2net_cli.printing.render import print_json, quantity, short
from mu2net_cli.printing.transfers import transfer_progress
from mu2net_cli.session import session_of

__all__ = ["add_root"]


def add_root(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help="What to call the root.")],
    *,
    root: RootOption = "random",
    seed: RootSeedOption = 0,
    preset: PresetOption = None,
    as_json: JsonFlag = False,
) -> None:
    """Add a root model: one more beginning for first models.

    It has the sizes of the repository's preset; in one of the preset auto, of the one that --preset names. A checkpoint
    comes once from where it is and is then kept in the user's cache folder. A folder of Hugging Face or timm holds
    config.json and model.safetensors of a ViT, DeiT or DINOv2, or of a BERT, MiniLM or RoBERTa with its tokenizer.json;
    ORG/NAME is a model that Hugging Face's tools have in their cache. A root never changes, and goes along when heads
    are pushed, pulled and cloned.

    Example: mu2net add-root imagenet --root augreg:Ti_16
    """
    from mu2net_core.api.models.add_root import add_root as add_root_api

    session = session_of(ctx)
    repo = session.repo()
    with transfer_progress(session) as watch:
        result = add_root_api(repo, session.context, name, root=root, seed=seed, preset=preset, progress=watch)
    if as_json:
        print_json(result)
        return
    source = f" of {result.origin.source}" if result.origin is not None else ""
    size = f"{result.num_components} components, {quantity(result.num_params)} parameters"
    session.say(f"Added root {result.name} {short(result.root_id)}{source}: {size}")
    for remark in result.remarks:
        session.note(remark)
