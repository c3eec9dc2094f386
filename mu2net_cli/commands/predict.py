"""``mu2net predict``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mu2net_cli.options import JsonFlag, RevisionArgument
from mu2net_cli.render import Column, percent, print_json, print_table
from mu2net_cli.session import session_of
from mu2net_cli.transfers import transfer_progress

__all__ = ["predict"]

_COLUMNS = (Column(title="image"), Column(title="label", style="bold"), Column(title="probability", align="right"))


def predict(
    ctx: typer.Context,
    revision: RevisionArgument,
    images: Annotated[list[Path], typer.Argument(metavar="IMAGE...", help="Image files.")],
    *,
    top: Annotated[int, typer.Option("--top", min=1, metavar="N", help="Show the N likeliest labels.")] = 1,
    resize: Annotated[bool, typer.Option("--resize", help="Accept images of another size or mode.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """Classify images with a model.

    Example: mu2net predict cmaterdb/bangla scan1.png scan2.png --top 3
    """
    from mu2net_core.api.predict import predict as predict_api

    session = session_of(ctx)
    paths = [session.path(image) for image in images]
    repo = session.repo()
    with transfer_progress(session) as watch:
        results = predict_api(repo, session.context, revision, paths, top=top, resize=resize, progress=watch)
    if as_json:
        print_json(results)
        return
    named = zip(images, results, strict=True)
    rows = ((str(image), label, percent(share)) for image, result in named for label, share in result.top)
    print_table(session, _COLUMNS, rows)
