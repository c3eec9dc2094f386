"""A score in whole steps: every doubling of a model's size has to be worth a thousandth of quality."""

from __future__ import annotations

from mu2net_core.objects import Costs, Scorer


def bits(quality: float, costs: Costs, scorer: Scorer) -> float:
    """Returns the quality less 0.001 for every bit that it takes to write down the number of parameters."""
    del scorer  # its numbers are of no use here
    return quality - 0.001 * costs.params.bit_length()
