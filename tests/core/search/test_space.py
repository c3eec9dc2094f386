from __future__ import annotations

from collections import Counter
from random import Random

import pytest

from mu2net_core.errors import InvalidInputError
from mu2net_core.search import SearchSpace, nearest, neighbour

VALUES = (0.1, 0.2, 0.3)


def drawn(value, values, count: int = 400) -> Counter:
    rng = Random(1)
    return Counter(neighbour(value, values, rng) for _ in range(count))


def test_a_value_moves_one_place_up_or_down_with_even_chance() -> None:
    found = drawn(0.2, VALUES, 2000)
    assert set(found) == {0.1, 0.3}
    assert abs(found[0.1] - 1000) < 3 * (2000 * 0.25) ** 0.5


@pytest.mark.parametrize(
    ("value", "values", "reached"),
    [
        (0.1, VALUES, {0.1, 0.2}),
        (0.3, VALUES, {0.2, 0.3}),
        (5, (5,), {5}),
        (False, (False, True), {False, True}),
        # Not in the list: moves from where it would stand.
        (0.25, VALUES, {0.2, 0.3}),
        (0.01, VALUES, {0.1}),
        (9.0, VALUES, {0.3}),
    ],
)
def test_a_move_stays_on_the_list(value, values, reached) -> None:
    assert set(drawn(value, values)) == reached


def test_mu_and_single_values_do_not_move_by_themselves() -> None:
    space = SearchSpace(
        values={"mu": (0.1, 0.2), "momentum": (0.8, 0.9), "image_size": (32,), "a": (1, 2)},
        defaults={"mu": 0.1, "momentum": 0.9, "image_size": 32, "a": 1},
    )
    assert space.movable == ("a", "momentum")


@pytest.mark.parametrize(
    ("values", "defaults", "complaint"),
    [
        ({"a": (1,)}, {"a": 1}, "'mu' included"),
        ({"mu": (0.1,), "a": (1,)}, {"mu": 0.1}, "a default for each"),
        ({"mu": (0.1,)}, {"mu": 0.1, "a": 1}, "a default for each"),
        ({"mu": (0.1,), "a": ()}, {"mu": 0.1, "a": 1}, "expected sorted distinct values"),
        ({"mu": (0.1,), "a": (2, 1)}, {"mu": 0.1, "a": 1}, "expected sorted distinct values"),
        ({"mu": (0.1,), "a": (1, 1)}, {"mu": 0.1, "a": 1}, "expected sorted distinct values"),
        ({"mu": (0.1,), "a": (1, 2)}, {"mu": 0.1, "a": 3}, "the default 3 is not one of"),
        ({"mu": (0.1, 1.1)}, {"mu": 0.1}, "expected probabilities"),
        ({"mu": (-0.1, 0.1)}, {"mu": 0.1}, "expected probabilities"),
    ],
)
def test_a_space_that_cannot_be_searched_is_refused(values, defaults, complaint: str) -> None:
    with pytest.raises(InvalidInputError, match=complaint):
        SearchSpace(values=values, defaults=defaults)


@pytest.mark.parametrize("kinds", [("mlp", "adapter"), ("adapter", "adapter")])
def test_kinds_of_structure_are_sorted_and_distinct(kinds: tuple[str, ...]) -> None:
    with pytest.raises(InvalidInputError, match="expected sorted distinct kinds, got"):
        SearchSpace(values={"mu": (0.1,)}, defaults={"mu": 0.1}, structural=kinds)


@pytest.mark.parametrize(
    ("value", "values", "expected"),
    [
        (0.1, (0.1, 0.2), 0.1),
        (0.3, (0.1, 0.2), 0.2),
        (0.12, (0.1, 0.2), 0.1),
        (1, (2, 5), 2),
        (True, (False,), False),
        ("lion", ("adamw", "sgd"), "sgd"),
        ("zero", ("adamw", "sgd"), "sgd"),
    ],
)
def test_the_nearest_value_of_a_list(value, values, expected) -> None:
    assert nearest(value, values) == expected
