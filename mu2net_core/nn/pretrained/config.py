"""Values of a published model's config, which anybody may have written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import Any

from mu2net_core.errors import InvalidInputError
from mu2net_core.nn.pretrained.published import unfit

__all__ = ["GELUS", "IMAGENET", "Config"]

GELUS: Mapping[str, str] = {
    "gelu": "erf",
    "gelu_python": "erf",
    "gelu_new": "tanh",
    "gelu_fast": "tanh",
    "gelu_pytorch_tanh": "tanh",
    "gelu_tanh": "tanh",
    "quick_gelu": "quick",
}
"""Our names of the functions that both libraries call gelu."""

IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
"""Mean and standard deviation of the channels of photos, as most models take them."""

_LARGEST = 2**24
_ANOTHER = "Choose another model: a ViT, DeiT or DINOv2 without more than a class token."


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """What a file of JSON says.

    Attributes:
        where: the model, for messages.
        values: by name.
        another: what to do about one that cannot be represented.
    """

    where: Path
    values: Mapping[str, Any]
    another: str = _ANOTHER

    def size(self, name: str, usual: int) -> int:
        """Returns a size, ``usual`` where nothing is said.

        Raises:
            InvalidInputError: it is no sensible one; so do the others.
        """
        value = self.values.get(name, usual)
        if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= _LARGEST:
            raise self.wrong(name, f"a whole number from 1 to {_LARGEST}")
        return value

    def number(self, name: str, usual: float) -> float:
        """Returns a number above 0."""
        value = self.values.get(name, usual)
        if isinstance(value, bool) or not isinstance(value, int | float) or not isfinite(value) or not value > 0:
            raise self.wrong(name, "a number above 0")
        return float(value)

    def flag(self, name: str, *, usual: bool) -> bool:
        """Returns whether something is so."""
        value = self.values.get(name, usual)
        if not isinstance(value, bool):
            raise self.wrong(name, "true or false")
        return value

    def channels(self, name: str, usual: tuple[float, ...], *, least: float) -> tuple[float, ...]:
        """Returns a number for each channel, above ``least``."""
        value = self.values.get(name, usual)
        right = isinstance(value, list | tuple) and len(value) in {1, 3}
        if not right or not all(
            isinstance(one, int | float) and not isinstance(one, bool) and isfinite(one) and one > least
            for one in value
        ):
            raise self.wrong(name, "a list of 1 or 3 numbers")
        return tuple(float(one) for one in value)

    def gelu(self, name: str) -> str:
        """Returns our name of the function between the products of an MLP."""
        value = self.values.get(name, "gelu")
        if not isinstance(value, str) or value not in GELUS:
            raise self.wrong(name, f"one of {', '.join(GELUS)}")
        return GELUS[value]

    def wrong(self, name: str, expected: str) -> InvalidInputError:
        """Returns the error for a value that cannot be represented."""
        return unfit(self.where, f"{name}: expected {expected}, found {_brief(self.values.get(name))}", self.another)

    def refuse(self, why: str) -> InvalidInputError:
        """Returns the error for a model that cannot be represented."""
        return unfit(self.where, why, self.another)


def _brief(value: object) -> str:
    return f"{value:.3g}" if isinstance(value, float) else repr(value)[:80]
