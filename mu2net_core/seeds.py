"""One seed, many independent streams: every random decision of mu2net derives from here."""

from __future__ import annotations

import json
from random import Random

from blake3 import blake3

__all__ = ["derive_seed", "rng", "seed_of_slot"]


def derive_seed(seed: int, *path: str | int) -> int:
    """Returns a 63-bit seed for the place named by ``path``, independent of every other path.

    Args:
        seed: the user's seed, any integer.
        path: names and numbers that say where the randomness is used, e.g. ``("child", 3)``.
    """
    digest = blake3(json.dumps([seed, *path]).encode()).digest(length=8)
    return int.from_bytes(digest, "big") >> 1


def seed_of_slot(seed: int, slot: int) -> int:
    """Returns the seed of the agent in ``slot``: the user's own in slot 0, another in each of the others.

    It depends on nothing else, so that whoever takes a slot over makes the children that the one before would have.
    """
    return seed if slot == 0 else derive_seed(seed, "slot", slot)


def rng(seed: int, *path: str | int) -> Random:
    """Returns a generator for the place named by ``path``; only ``random()`` is used, whose stream Python pins."""
    return Random(derive_seed(seed, *path))  # noqa: S311
