"""The search space: for each hyperparameter the sorted list of values it may move along."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass
from random import Random

from mu2net_core.errors import InvalidInputError
from mu2net_core.objects import Hyperparameter

__all__ = ["COPY_ALL", "MU", "SearchSpace", "nearest", "neighbour"]

MU = "mu"
"""Name of the hyperparameter that every mutation probability starts from."""

COPY_ALL = "copy_all"
"""Name of the hyperparameter that says how often a child copies all layers at once, and not each by chance."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchSpace:
    """Values and defaults by hyperparameter name.

    Attributes:
        values: sorted, distinct values; a single one never moves.
        defaults: what a root model starts with; each is one of its values.
        structural: enabled kinds of changes of structure, of those that the architecture knows, sorted.
        merging: shares, sorted, that another model's layer may have in a merge with one of the parent's; layers are not
            merged if there are none.
        crossing: whether blocks of models of other architectures may take the place of the parent's where they are of
            one kind and size.
        shared: names of those that say how examples are prepared, in this space or not. All children of a generation
            have the same, and so share the prepared examples; which they are, the architecture and the kind of input
            say.
    """

    values: Mapping[str, tuple[Hyperparameter, ...]]
    defaults: Mapping[str, Hyperparameter]
    structural: tuple[str, ...] = ()
    merging: tuple[float, ...] = ()
    crossing: bool = False
    shared: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        if MU not in self.values or set(self.values) != set(self.defaults):
            raise InvalidInputError("A search space needs values and a default for each hyperparameter, 'mu' included.")
        for name, values in self.values.items():
            if not values or list(values) != sorted(set(values)):
                raise InvalidInputError(f"Hyperparameter {name}: expected sorted distinct values, got {list(values)}.")
            if self.defaults[name] not in values:
                raise InvalidInputError(
                    f"Hyperparameter {name}: the default {self.defaults[name]} is not one of {list(values)}.",
                    hint=f"Take it into space.{name}, or choose another: mu2net config set default.{name} VALUE",
                )
        if not all(isinstance(rate, int | float) and 0 <= rate <= 1 for rate in self.values[MU]):
            raise InvalidInputError(f"Hyperparameter mu: expected probabilities, got {list(self.values[MU])}.")
        if list(self.structural) != sorted(set(self.structural)):
            raise InvalidInputError(f"space.structural: expected sorted distinct kinds, got {list(self.structural)}.")
        if list(self.merging) != sorted(set(self.merging)) or not all(0 < share < 1 for share in self.merging):
            raise InvalidInputError(
                f"space.merging: expected sorted distinct shares above 0 and below 1, got {list(self.merging)}."
            )

    @property
    def movable(self) -> tuple[str, ...]:
        """Names of the hyperparameters a mutation can move, sorted; ``mu`` moves per mutation instead."""
        return tuple(sorted(name for name, values in self.values.items() if len(values) > 1 and name != MU))


def nearest(value: Hyperparameter, values: tuple[Hyperparameter, ...]) -> Hyperparameter:
    """Returns ``value`` if it is in ``values``, else the nearest of them; of words that is the next in the alphabet."""
    if value in values or isinstance(value, str):
        return value if value in values else values[min(bisect_left(values, value), len(values) - 1)]
    return min(values, key=lambda one: abs(float(one) - float(value)))


def neighbour(value: Hyperparameter, values: tuple[Hyperparameter, ...], rng: Random) -> Hyperparameter:
    """Returns the value one place up or down (an even chance) in ``values``, clipped at the ends.

    A ``value`` that is not in the list (it came from a repository with other lists) moves from where it would stand.
    """
    index = bisect_left(values, value)
    step = 1 if rng.random() < 0.5 else -1
    if step == 1 and (index == len(values) or values[index] != value):
        step = 0
    return values[min(max(index + step, 0), len(values) - 1)]
