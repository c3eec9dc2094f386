"""``mu2net eval``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from mu2net_cli.parsing.completion import complete_split
from mu2net_cli.parsing.options import JsonFlag, RevisionArgument
from mu2net_cli.printing.render import Column, percent, print_fields, print_json, print_table, short
from mu2net_cli.printing.text import print_line
from mu2net_cli.printing.transfers import transfer_progress
from mu2net_cli.session import Session, session_of

if TYPE_CHECKING:
    from mu2net_core.api.models.evaluate import EvalResult

__all__ = ["evaluate"]

_NUMBERS = ("examples", "taken for it", "correct", "precision", "recall")
_CLASSES = (Column(title="class", style="bold"), *(Column(title=title, align="right") for title in _NUMBERS))
_CONFUSED = (Column(title="class", style="bold"), Column(title="taken for"), Column(title="times", align="right"))
_WRONG = (
    *(Column(title="example"), Column(title="class", style="bold"), Column(title="taken for")),
    Column(title="probability", align="right"),
)
_MOST = 10
"""So many pairs of classes are told that are confused most; ``--json`` tells all."""


def evaluate(
    ctx: typer.Context,
    revision: RevisionArgument,
    *,
    split: Annotated[
        str, typer.Option("--split", metavar="NAME", help="train, validation or test.", autocompletion=complete_split)
    ] = "test",
    by_class: Annotated[
        bool, typer.Option("--by-class", help="Precision and recall per class; what is confused.")
    ] = False,
    wrong: Annotated[bool, typer.Option("--wrong", help="List the examples that are wrong, the surest first.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """Measure a model on a split of its task.

    The interval (Wilson's, 95%) is where the accuracy on all data like these may lie, given how few were tried: of two
    models whose intervals overlap widely, it is not known which is better. A model that is no better than always saying
    the most frequent class is said to be so.

    Example: mu2net eval cmaterdb/bangla --split validation --by-class
    """
    from mu2net_core.api.models.evaluate import evaluate as evaluate_api

    session = session_of(ctx)
    repo = session.repo()
    with transfer_progress(session) as watch:
        result = evaluate_api(
            repo, session.context, revision, split=split, by_class=by_class, wrong=wrong, progress=watch
        )
    if as_json:
        print_json(result)
        return
    _print(session, result)


def _print(session: Session, result: EvalResult) -> None:
    fields = {"task": result.task, "model": short(result.model)}
    examples = f"{result.num_examples} examples of split {result.split}"
    if result.accuracy is None or result.interval is None:
        print_fields({**fields, "measured on": examples, result.metric: percent(result.quality)})
        return
    low, high = map(percent, result.interval)
    fields["correct"] = f"{result.correct} of {examples}"
    print_fields({**fields, "accuracy": percent(result.accuracy), "95% interval": f"{low} to {high}"})
    if result.at_chance and result.most_frequent is not None:
        session.note(f"warning: no better than always saying the most frequent class, {percent(result.most_frequent)}")
    if result.by_class is not None:
        print_line("")
        print_table(
            session,
            _CLASSES,
            (
                (c.label, str(c.num_examples), str(c.num_said), str(c.correct), percent(c.precision), percent(c.recall))
                for c in result.by_class
            ),
        )
    if result.confused:
        print_line("")
        print_table(session, _CONFUSED, ((c.label, c.said, str(c.count)) for c in result.confused[:_MOST]))
        if len(result.confused) > _MOST:
            session.note(f"{len(result.confused) - _MOST} more pairs of classes are confused; --json tells all")
    if result.wrong:
        print_line("")
        print_table(session, _WRONG, ((w.name, w.label, w.said, percent(w.probability)) for w in result.wrong))
