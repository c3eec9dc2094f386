"""How much of what a model knows was taught by each task: shares of gradient steps."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from mu2net_core.objects import ComponentRef, Model

__all__ = ["ComponentTransfer", "Transfer", "transfer"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ComponentTransfer:
    """Shares of the gradient steps that the lineage of one layer saw, by task; empty if nothing ever trained it."""

    layer: str
    num_params: int
    shares: Mapping[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Transfer:
    """What each task taught a model.

    Attributes:
        components: per layer, in the model's order.
        by_params: shares of the whole model, each trained layer counting as many times as it has parameters.
        by_layer: shares of the whole model, each trained layer counting once.
        untrained: share of the parameters that no task ever trained (as the root made them).
    """

    components: tuple[ComponentTransfer, ...]
    by_params: Mapping[str, float]
    by_layer: Mapping[str, float]
    untrained: float


def transfer(model: Model) -> Transfer:
    """Returns what each task taught ``model``; shares sum to 1 over the tasks, if any trained it."""
    components = tuple(_component(ref) for ref in model.components)
    total = sum(component.num_params for component in components)
    untrained = sum(component.num_params for component in components if not component.shares)
    return Transfer(
        components=components,
        by_params=_mean((component, component.num_params) for component in components),
        by_layer=_mean((component, 1) for component in components),
        untrained=untrained / total if total else 0.0,
    )


def _component(ref: ComponentRef) -> ComponentTransfer:
    steps = {task: training.steps for task, training in sorted(ref.training.items()) if training.steps}
    total = sum(steps.values())
    shares = {task: count / total for task, count in steps.items()}
    return ComponentTransfer(layer=ref.name, num_params=ref.num_params, shares=shares)


def _mean(weighted: Iterable[tuple[ComponentTransfer, int]]) -> dict[str, float]:
    """Returns the mean of the shares of all trained layers, by weight, largest first."""
    trained = [(component, weight) for component, weight in weighted if component.shares and weight]
    total = sum(weight for _, weight in trained)
    sums: dict[str, float] = {}
    for component, weight in trained:
        for task, share in component.shares.items():
            sums[task] = sums.get(task, 0.0) + share * weight / total
    return dict(sorted(sums.items(), key=lambda item: (-item[1], item[0])))
