"""``python tests/benchmarks/replacement.py``: is it worth it to ask for evidence before a child replaces its parent?

A simulation: each child is right on mostly the same examples as its parent, and truly better or worse by a normally
distributed difference. A line of children replaces its model where the child is right at least as often on the
validation examples (what mu2net does), or only where McNemar's exact test, one-sided, says so at some level. Printed is
the mean true accuracy at the end of a line.
"""

from __future__ import annotations

from math import comb, erf, sqrt
from statistics import fmean

import numpy as np

CHILDREN, LINES = 12, 500
LEVELS = (None, 0.2, 0.05)
OWN = 0.35
"""Standard deviation of what a model sees otherwise than others, of an example whose difficulty has 1."""


def accuracy(level: float) -> float:
    """Returns the true accuracy of a model of some ability."""
    return 0.5 * (1 + erf(level / sqrt(2 * (1 + OWN**2))))


def is_better(right: np.ndarray, before: np.ndarray, level: float | None) -> bool:
    """Returns whether a child replaces the model before it, by which examples either is right on."""
    won, lost = int(np.sum(right & ~before)), int(np.sum(~right & before))
    if level is None:
        return won >= lost
    total = won + lost
    return won > lost and sum(comb(total, k) for k in range(won, total + 1)) / 2**total <= level


def line(examples: int, mean: float, deviation: float, level: float | None, seed: int) -> float:
    """Returns the true accuracy at the end of a line that begins at about 0.9."""
    rng = np.random.default_rng(seed)
    difficulty, ability = rng.normal(size=examples), 1.36
    right = ability + difficulty + OWN * rng.normal(size=examples) > 0
    for _ in range(CHILDREN):
        child = ability + rng.normal(mean, deviation)
        its = child + difficulty + OWN * rng.normal(size=examples) > 0
        if is_better(its, right, level):
            ability, right = child, its
    return accuracy(ability)


def main() -> None:
    print(
        "| children differ by | validation examples | at least as often | p ≤ 0.2 | p ≤ 0.05 |\n|---|---|---|---|---|"
    )
    for mean, deviation in ((0.0, 0.06), (-0.06, 0.06), (-0.18, 0.12)):
        points = [100 * 0.157 * value for value in (mean, deviation)]  # of accuracy, at 0.9
        for examples in (22, 100, 400, 2_000):
            found = [fmean(line(examples, mean, deviation, level, s) for s in range(LINES)) for level in LEVELS]
            cells = " | ".join(f"{value:.4f}" for value in found)
            print(f"| {points[0]:+.1f} ± {points[1]:.1f} points | {examples} | {cells} |")


if __name__ == "__main__":
    main()
