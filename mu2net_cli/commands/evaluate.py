"""``mu2net eval``."""

from __future__ import annotations

from typing import Annotated

import typer

from mu2net_cli.completion import complete_split
from mu2net_cli.options import JsonFlag, RevisionArgument
from mu2net_cli.render import percent, print_fields, print_json, short
from mu2net_cli.session import session_of
from mu2net_cli.transfers import transfer_progress

__all__ = ["evaluate"]


def evaluate(
    ctx: typer.Context,
    revision: RevisionArgument,
    *,
    at: Annotated[
        str | None, typer.Option("--at", metavar="ID", help="This model instead of the task's newest.")
    ] = None,
    split: Annotated[
        str, typer.Option("--split", metavar="NAME", help="train, validation or test.", autocompletion=complete_split)
    ] = "test",
    as_json: JsonFlag = False,
) -> None:
    """Measure a model on a split of its task.

    Example: mu2net eval cmaterdb/bangla --split validation
    """
    from mu2net_core.api.evaluate import evaluate as evaluate_api

    session = session_of(ctx)
    repo = session.repo()
    with transfer_progress(session) as watch:
        result = evaluate_api(repo, session.context, at or revision, split=split, progress=watch)
    if as_json:
        print_json(result)
        return
    correct = f"{result.correct} of {result.num_examples} examples of split {result.split}"
    fields = {"task": result.task, "model": short(result.model), "correct": correct}
    print_fields({**fields, "accuracy": percent(result.accuracy)})
