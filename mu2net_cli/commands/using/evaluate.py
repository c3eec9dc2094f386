"""``mu2net eval``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from mu2net_cli.parsing.completion import complete_split
from mu2net_cli.parsing.options import JsonFlag, RevisionArgument
from mu2net_cli.printing.evaluation import print_details
from mu2net_cli.printing.render import percent, print_fields, print_json, short
from mu2net_cli.printing.transfers import transfer_progress
from mu2net_cli.session import Session, session_of

if TYPE_CHECKING:
    from mu2net_core.api.models.evaluate import EvalResult

__all__ = ["evaluate"]


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
    report: Annotated[
        bool,
        typer.Option("--report", help="By class or label, calibration or residuals, and the worst examples."),
    ] = False,
    stored: Annotated[
        bool, typer.Option("--stored", help="Tell the report that is stored, whoever measured it; measure nothing.")
    ] = False,
    as_json: JsonFlag = False,
) -> None:
    """Measure a model on a split of its task.

    The interval (Wilson's, 95%) is where the accuracy on all data like these may lie, given how few were tried: of two
    models whose intervals overlap widely, it is not known which is better. A model that is no better than always saying
    the most frequent class is said to be so. A report tells whether probabilities mean what they say (in the bin of 0.9
    to 1 about 95 of 100 should be right; ECE is how far they are off), or how far numbers are from the truth.
    It is stored beside the model's commit and travels with it, or later (pull origin TASK);
    --stored tells it without measuring anything.

    Example: mu2net eval cmaterdb/bangla --report

    Example: mu2net eval cmaterdb/bangla --split validation --by-class
    """
    from mu2net_core.api.models.evaluate import evaluate as evaluate_api

    session = session_of(ctx)
    repo = session.repo()
    with transfer_progress(session) as watch:
        result = evaluate_api(
            repo,
            session.context,
            revision,
            split=split,
            by_class=by_class,
            wrong=wrong,
            report=report,
            stored=stored,
            progress=watch,
        )
    if as_json:
        print_json(result)
        return
    _print(session, result)
    if result.stored:
        session.note("As somebody stored it beside the commit: a claim, until `mu2net eval` measures it")


def _print(session: Session, result: EvalResult) -> None:
    fields = {"task": result.task, "model": short(result.model)}
    examples = f"{result.num_examples} examples of split {result.split}"
    if result.accuracy is None or result.interval is None:
        print_fields({**fields, "measured on": examples, result.metric: percent(result.quality)})
        print_details(session, result)
        return
    low, high = map(percent, result.interval)
    fields["correct"] = f"{result.correct} of {examples}"
    print_fields({**fields, "accuracy": percent(result.accuracy), "95% interval": f"{low} to {high}"})
    if result.at_chance and result.most_frequent is not None:
        frequent = f"the most frequent class, {percent(result.most_frequent)}"
        said = frequent if result.metric == "accuracy" else f"one class, by {result.metric}"
        session.note(f"warning: no better than always saying {said}")
    print_details(session, result)
