"""A fixed pseudo-random order for examples that come sorted, so that any slice is a fair sample."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from mu2net_core.objects import hash_bytes

__all__ = ["fair_order", "fair_permutation", "stratified_order"]


def fair_order(names: Iterable[str]) -> list[str]:
    """Returns ``names`` sorted by their hash: adding or removing one leaves the order of the others."""
    return sorted(names, key=lambda name: hash_bytes(name.encode("utf-8", "surrogateescape")))


def fair_permutation(num_examples: int) -> Sequence[int]:
    """Returns 0 … ``num_examples`` − 1 in that order, each index named by its decimal digits."""
    return [int(name) for name in fair_order(str(index) for index in range(num_examples))]


def stratified_order(classes: Mapping[str, str]) -> list[str]:
    """Returns names in an order in which each class is spread evenly: any slice has its share of it.

    A class of one lies in the middle, where by default examples are trained.

    Args:
        classes: of each name.
    """
    members: dict[str, list[str]] = {}
    for name in fair_order(classes):
        members.setdefault(classes[name], []).append(name)
    places = {
        name: (2 * place + 1) / (2 * len(names)) for names in members.values() for place, name in enumerate(names)
    }
    return sorted(fair_order(classes), key=places.__getitem__)
