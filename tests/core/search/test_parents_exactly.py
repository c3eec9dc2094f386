"""The distribution of parents, enumerated: every branch of the sampling against Algorithm 1 in closed form."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from itertools import permutations, product
from math import factorial
from random import Random

import pytest

from mu2net_core.search import Member, sample_parent
from mu2net_core.testing.building.systems import sample_member, sample_ref

TINY = Fraction(1, 2**40)


def member(task: str | None, name: str, score: float = 0.5) -> Member:
    return Member(id=name, model=sample_member(task, [sample_ref(name)], score=score).model)


class Scripted(Random):
    """Gives the numbers it was told, and fails if it is asked for more."""

    def __init__(self, numbers: Sequence[float]) -> None:
        super().__init__(0)
        self.left = list(numbers)

    def random(self) -> float:
        return self.left.pop(0)


def algorithm_1(
    active: Sequence[Member], others: Sequence[Member], selections: Mapping[str, int]
) -> dict[str, Fraction]:
    """Returns the probability of each parent: lines 6 to 16 of Algorithm 1, over all orders of the others."""
    found: dict[str, Fraction] = defaultdict(Fraction)
    by_score = [active[i] for i in sorted(range(len(active)), key=lambda i: (-(active[i].model.score or 0), -i))]
    usable = [*active, *others]
    for order in permutations(others):
        nobody = Fraction(1, factorial(len(others)))
        for candidate in (*by_score, *order):
            accepts = Fraction(1, 2 ** selections.get(candidate.id, 0))
            found[candidate.id] += nobody * accepts
            nobody *= 1 - accepts
        for candidate in usable:
            found[candidate.id] += nobody / len(usable)
    return {name: probability for name, probability in found.items() if probability}


def enumerated(
    active: Sequence[Member], others: Sequence[Member], selections: Mapping[str, int]
) -> dict[str, Fraction]:
    """Returns the probability of each parent by driving ``sample_parent`` through every decision it can take."""
    found: dict[str, Fraction] = defaultdict(Fraction)
    usable = len(active) + len(others)
    for ranks, order_weight in _orders(len(others)):
        in_turn = [active[i] for i in sorted(range(len(active)), key=lambda i: (active[i].model.score or 0, i))][::-1]
        in_turn += [others[i] for i in sorted(range(len(others)), key=ranks.__getitem__)]
        accepts = [Fraction(1, 2 ** selections.get(candidate.id, 0)) for candidate in in_turn]
        for decisions in _decisions(len(in_turn)):
            weight, numbers = order_weight, list(ranks)
            for accepted, probability in zip(decisions, accepts, strict=False):
                weight *= probability if accepted else 1 - probability
                numbers.append(float(probability - TINY) if accepted else float(probability))  # either side of the edge
            if not weight:
                continue
            lasts = [()] if decisions and decisions[-1] else [((i + 0.5) / usable,) for i in range(usable)]
            for last in lasts:
                rng = Scripted([*numbers, *last])
                parent = sample_parent(active, others, selections, rng)
                assert rng.left == []
                found[parent.id] += weight / len(lasts)
    return dict(found)


def _orders(count: int) -> Iterator[tuple[tuple[float, ...], Fraction]]:
    for ranks in permutations(range(count)):
        yield tuple((rank + 0.5) / count for rank in ranks), Fraction(1, factorial(count))


def _decisions(count: int) -> Iterator[tuple[bool, ...]]:
    for index in range(count):
        yield (*(False for _ in range(index)), True)
    yield tuple(False for _ in range(count))


ACTIVE = [member("a", "low", 0.2), member("a", "older", 0.7), member("a", "newer", 0.7)]
OTHERS = [member("b", "b"), member(None, "root"), member("c", "c")]


@pytest.mark.parametrize(("num_active", "num_others"), [pair for pair in product(range(4), repeat=2) if any(pair)])
def test_every_parent_has_exactly_the_probability_of_algorithm_1(num_active: int, num_others: int) -> None:
    active, others = ACTIVE[:num_active], OTHERS[:num_others]
    names = [candidate.id for candidate in (*active, *others)]
    for counts in product((0, 1, 3), repeat=len(names)):
        selections = dict(zip(names, counts, strict=True))
        found = enumerated(active, others, selections)
        assert sum(found.values()) == 1
        assert found == algorithm_1(active, others, selections), selections
