"""Two runs of one iteration side by side: whether the same came out, and where they part."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from mu2net_core.objects import Children, Model, Run, Trial, to_json

__all__ = [
    "Difference",
    "Outcome",
    "Replayed",
    "first_difference",
    "first_other_child",
    "how_run",
    "line_of",
    "outcome_of",
    "surroundings",
]

Outcome = Literal["same", "parameters", "different"]
"""``same``: the same model, bit by bit; ``parameters``: one that computes the same, bit by bit; or ``different``."""

_MACHINE = ("processor", "cores")
_DECISIONS = ("seed", "mutations", "hyperparameters", "mutation_rates")
_RESULTS = ("validation_curve", "quality", "costs", "score", "test_quality")
_COMPUTED = ("components", "hyperparameters", "mutation_rates", "validation_curve", "test_quality")


@dataclass(frozen=True, slots=True, kw_only=True)
class Replayed:
    """What an iteration came to: its best model, None if there was none, and what became of the children."""

    model: str | None
    manifest: Model | None
    children: Children


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """Something that was ``then`` and is ``now``, as JSON has it."""

    what: str
    then: Any
    now: Any


def outcome_of(then: Replayed, now: Replayed) -> Outcome:
    """Returns whether the same came out, as far as the best model and the numbers of children tell."""
    if then.children == now.children and then.model == now.model:
        return "same"
    if then.manifest is None or now.manifest is None or then.model == now.model:
        return "different"
    is_alike = all(getattr(then.manifest, name) == getattr(now.manifest, name) for name in _COMPUTED)
    return "parameters" if is_alike else "different"


def line_of(model: Model | None, find: Callable[[str], Model | None]) -> tuple[Model, ...]:
    """Returns the models of one iteration that led to ``model``, oldest first, that one included.

    Args:
        model: the iteration's best.
        find: returns the manifest of a model, None if it is unknown.
    """
    line: list[Model] = []
    while model is not None:
        line.append(model)
        parent = None if model.parent is None else find(model.parent)
        model = None if parent is None or parent.is_retained else parent
    return tuple(reversed(line))


def first_difference(then: Sequence[Model], now: Sequence[Model]) -> tuple[int, tuple[Difference, ...]]:
    """Returns the place, from 1, where two lines of models part, and what differs there; 0 and nothing if nowhere."""
    for place, (before, after) in enumerate(zip(then, now, strict=False)):
        found = _compared(before, after, first=place == 0)
        if found:
            return place + 1, found
    if len(then) != len(now):
        return min(len(then), len(now)) + 1, (Difference(what="models in the line", then=len(then), now=len(now)),)
    return 0, ()


def first_other_child(then: Sequence[Trial], now: Sequence[Trial]) -> tuple[Difference, ...]:
    """Returns the first child of which something else became, the discarded ones included; nothing if there is none."""
    for number, (before, after) in enumerate(zip(then, now, strict=False), start=1):
        if before != after:
            return _differing([(f"child {number}", to_json(before), to_json(after))])
    return _differing([("children that are told of", len(then), len(now))])


def how_run(then: Run, now: Run) -> tuple[Difference, ...]:
    """Returns how all settings together, and the machine, differ."""
    pairs = [
        ("settings", then.digest, now.digest),
        *((name, getattr(then, name), getattr(now, name)) for name in _MACHINE),
    ]
    return _differing(pairs)


def surroundings(then: Replayed, now: Replayed) -> tuple[Difference, ...]:
    """Returns how device, libraries and numbers of children differ."""
    found = []
    if then.manifest is not None and now.manifest is not None:
        names = sorted({*then.manifest.versions, *now.manifest.versions})
        pairs = [(name, then.manifest.versions.get(name), now.manifest.versions.get(name)) for name in names]
        found = [("device", then.manifest.device_kind, now.manifest.device_kind), *pairs]
    return _differing((*found, ("children", to_json(then.children), to_json(now.children))))


def _compared(then: Model, now: Model, *, first: bool) -> tuple[Difference, ...]:
    """Returns what differs between two models, causes first; the names of their parents count in the ``first`` only."""
    names = (*(("parent",) if first else ()), *_DECISIONS)
    return (*_fields(then, now, names), *_components(then, now), *_fields(then, now, _RESULTS))


def _fields(then: Model, now: Model, names: Sequence[str]) -> tuple[Difference, ...]:
    return _differing([(name, to_json(getattr(then, name)), to_json(getattr(now, name))) for name in names])


def _components(then: Model, now: Model) -> tuple[Difference, ...]:
    """Returns the layers whose arrays differ, with the ids of these."""
    ids: list[Mapping[str, str]] = [{ref.name: ref.id for ref in model.components} for model in (then, now)]
    layers = sorted({*ids[0], *ids[1]})
    return _differing([(f"layer {name}", ids[0].get(name), ids[1].get(name)) for name in layers])


def _differing(pairs: Sequence[tuple[str, Any, Any]]) -> tuple[Difference, ...]:
    return tuple(Difference(what=what, then=then, now=now) for what, then, now in pairs if then != now)
