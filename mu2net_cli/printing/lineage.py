"""A model's ancestry as text: a tree of layers, or rows for a table."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from mu2net_cli.printing.render import percent, quantity, short

if TYPE_CHECKING:
    from mu2net_core.api.looking.ancestry import Ancestry
    from mu2net_core.insight import ComponentLineage, Step

__all__ = ["layer_rows", "shares_text", "transfer_lines", "tree_lines"]


def tree_lines(ancestry: Ancestry, *, transfer: bool) -> Iterator[str]:
    """Yields the tree: the model, its layers, and under each layer the components it descends from."""
    yield f"{ancestry.task or 'root model'} [{short(ancestry.model)}]"
    shares = {part.layer: part.shares for part in ancestry.transfer.components}
    for number, layer in enumerate(ancestry.components, 1):
        last = number == len(ancestry.components)
        taught = f"  ({shares_text(shares[layer.layer])})" if transfer else ""
        yield f"{'└── ' if last else '├── '}{layer.layer}  {quantity(layer.num_params)} parameters{taught}"
        for place, step in enumerate(layer.steps, 1):
            end = place == len(layer.steps) and layer.complete
            yield f"{'    ' if last else '│   '}{'└── ' if end else '├── '}{_step_text(step)}"
        if not layer.complete:
            yield f"{'    ' if last else '│   '}└── ... (older manifests are not here)"
    line = (f"{model.task or 'root'} [{short(model.model)}]" for model in ancestry.ancestors)
    yield f"models: {' <- '.join(line)}"


def transfer_lines(ancestry: Ancestry) -> Iterator[str]:
    """Yields what each task taught the whole model."""
    taught = ancestry.transfer
    yield f"taught by, counting parameters: {shares_text(taught.by_params)}"
    yield f"taught by, counting layers:     {shares_text(taught.by_layer)}"
    yield f"never trained:                  {percent(taught.untrained)} of the parameters"


def layer_rows(ancestry: Ancestry, *, transfer: bool) -> Iterator[tuple[str, ...]]:
    """Yields a row per layer: name, size, trained or frozen, who made it and how, the line, and its teachers."""
    shares = {part.layer: part.shares for part in ancestry.transfer.components}
    for layer in ancestry.components:
        newest = layer.steps[0]
        state = "trained" if layer.trainable else "frozen" if ancestry.task else "root"
        cells = (layer.layer, quantity(layer.num_params), state)
        made = (newest.task or "root", newest.operation, _line(layer), short(newest.component))
        yield (*cells, *made, *([shares_text(shares[layer.layer])] if transfer else []))


def shares_text(shares: Mapping[str, float]) -> str:
    """Returns shares by task, the largest first, e.g. ``digits 75.0%, digits/parity 25.0%``."""
    ordered = sorted(shares.items(), key=lambda item: (-item[1], item[0]))
    return ", ".join(f"{task} {100 * share:.1f}%" for task, share in ordered) or "nobody"


def _step_text(step: Step) -> str:
    trained = ", ".join(f"+{steps} steps on {task}" for task, steps in step.added.items())
    made = f"{step.operation} by {step.task}" if step.task else "root"
    return f"{made} [{short(step.component)}]{_merged(step)}{'  ' + trained if trained else ''}"


def _merged(step: Step) -> str:
    """Returns what else a component was merged from, and which share of it that is; or whose layer it was."""
    if step.merged is None:
        return ""
    whose = step.merged_task or "a model"
    if step.operation == "cross":
        return f" from {whose}"
    return f" with {percent(step.merged.weight)} of {whose} [{short(step.merged.component)}]"


def _line(layer: ComponentLineage) -> str:
    names = [(step.task or "root") + _second(step) for step in layer.steps]
    return " <- ".join(names) + ("" if layer.complete else " <- ...")


def _second(step: Step) -> str:
    is_merged = step.merged is not None and step.operation != "cross"
    return f" + {step.merged_task or '?'}" if is_merged else ""
