"""From quality and costs to the score that evolution maximises, and the one order that scores put models in.

A scorer is a pure function of a quality, the model's costs, and the numbers in the ``Scorer`` that a manifest names it
by. All whose work is joined must come to the same score, to the last bit, or they would not agree on what wins.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Context, Decimal, localcontext
from math import isfinite, sqrt
from typing import Protocol

from mu2net_core.errors import SearchError
from mu2net_core.objects import ComponentRef, Costs, Model, Scorer
from mu2net_core.plugins import Registry

__all__ = ["SCORERS", "SURE", "ScorerFn", "account", "accounted_params", "decay", "is_chance", "rank_key", "score"]

SURE = 1.645
"""So many standard deviations above what chance gives happen to it once in 20 times."""

_EXACT = Context(prec=40, traps=[])


class ScorerFn(Protocol):
    """A formula (entry point group ``mu2net.scorers``)."""

    def __call__(self, quality: float, costs: Costs, scorer: Scorer, /) -> float:
        """Returns the score of ``quality``, in [0, 1], at ``costs``; ``scorer`` has the numbers of the formula."""
        ...


SCORERS: Registry[ScorerFn] = Registry(
    group="mu2net.scorers", what="scorer", shipped={"decay": "mu2net_core.scoring:decay"}, offers=("__call__",)
)
"""The formulas there are, by the name a ``Scorer`` has."""


def is_chance(right: float, total: int, share: float) -> bool:
    """Returns whether ``right`` of ``total`` examples are no more than one who knows nothing may have right.

    Args:
        right: how many are.
        total: how many there are.
        share: of these that is right on average if one label is always said, or any at random.
    """
    return share < 1 and right <= total * share + SURE * sqrt(total * share * (1 - share))


def score(quality: float, costs: Costs, scorer: Scorer) -> float:
    """Returns what a model of this quality and costs is worth under ``scorer``.

    Raises:
        PluginError: no installed package offers that scorer.
        SearchError: it gives no finite number.
    """
    function = SCORERS.load(scorer.name)
    try:
        value = float(function(quality, costs, scorer))
    except (ArithmeticError, TypeError, ValueError) as exc:
        raise _useless(scorer, quality, costs, f"{type(exc).__name__}: {exc}") from exc
    if not isfinite(value):
        raise _useless(scorer, quality, costs, str(value))
    return value


def rank_key(score: float | None) -> tuple[bool, float]:
    """Returns what models are sorted by, wherever the better of them is asked for: one without a score is the worst.

    Among models that tie, who asks decides: evolution takes the newest, so does a merge.
    """
    return (score is not None, 0.0 if score is None else score)


def decay(quality: float, costs: Costs, scorer: Scorer) -> float:
    """Returns ``quality × factor^(accounted_params / params_scale) × factor^(flops / flops_scale)``.

    The same to the last bit on every machine: mathematical libraries differ in that of a power, decimals do not.
    """
    exponent = costs.accounted_params / scorer.params_scale + costs.flops / scorer.flops_scale
    with localcontext(_EXACT):
        power = float(Decimal(scorer.factor) ** Decimal(exponent))
    return quality * power


def accounted_params(components: Iterable[ComponentRef], users: Mapping[str, frozenset[str]], task: str) -> float:
    """Returns the task's share of the numbers in ``components``.

    A component's size is shared equally among the tasks whose retained models use it.

    Args:
        components: of the task's model.
        users: by component id, the tasks whose retained models use it.
        task: the model's own task, counted whether or not it is in ``users``.
    """
    return sum(ref.num_params / len(users.get(ref.id, frozenset()) | {task}) for ref in components)


def account(retained: Iterable[Model]) -> dict[str, frozenset[str]]:
    """Returns, by component id, the tasks whose models among ``retained`` use it."""
    users: dict[str, set[str]] = {}
    for model in retained:
        if model.task is not None:
            for ref in model.components:
                users.setdefault(ref.id, set()).add(model.task)
    return {oid: frozenset(tasks) for oid, tasks in users.items()}


def _useless(scorer: Scorer, quality: float, costs: Costs, found: str) -> SearchError:
    return SearchError(
        f"The scorer {scorer.name!r} gives no finite number for quality {quality} and {costs}: {found}.",
        hint="Ask whoever wrote it, or choose another: mu2net config set scorer.name decay",
    )
