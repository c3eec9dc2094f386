"""What each agent of a pool on a cluster needs there: ``gpu=1,cpu=2``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from math import isfinite

from mu2net_core.errors import InvalidInputError

__all__ = ["AgentResources", "parse_resources"]

_EXAMPLE = "Example: --agent-resources gpu=1,cpu=2"
_SIZES = frozenset({"memory", "object_store_memory"})
_NAMES = {"cpu": "CPU", "gpu": "GPU"}
"""What the cluster calls them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentResources:
    """What is set aside for one agent.

    Attributes:
        cpu: cores; as many are its own, as far as there are enough, and one if it is less.
        gpu: GPUs that it sees; a part of one is as much of its memory.
        other: what nodes were started with by names of their own.
    """

    cpu: float = 1.0
    gpu: float = 0.0
    other: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, number in self.by_name.items():
            if not (isfinite(number) and number >= 0):
                raise InvalidInputError(f"Expected a number from 0 of {name}, got {number}.", hint=_EXAMPLE)
        if self.gpu > 1 and self.gpu != int(self.gpu):
            raise InvalidInputError(f"Expected a part of one GPU or a whole number of them, got {self.gpu:g}.")
        if sizes := sorted(_SIZES & set(self.other)):
            raise InvalidInputError(f"Expected cores, GPUs and resources of names of their own, got {sizes[0]}.")

    @property
    def by_name(self) -> dict[str, float]:
        """All of them by the cluster's names, but for those of which none are needed."""
        named = {"CPU": self.cpu, "GPU": self.gpu, **self.other}
        return {name: number for name, number in named.items() if number != 0}

    @property
    def words(self) -> str:
        """All of them as text."""
        return ", ".join(f"{number:g} {name}" for name, number in self.by_name.items()) or "nothing"

    def fit(self, nodes: Iterable[Mapping[str, float]]) -> bool:
        """Returns whether one of ``nodes`` has enough for an agent while it has no other."""
        return any(all(node.get(name, 0) >= number for name, number in self.by_name.items()) for node in nodes)


def parse_resources(text: str) -> AgentResources:
    """Returns what ``gpu=1,cpu=2`` says; one core and no GPU where that is left out.

    Raises:
        InvalidInputError: it is no list of names and numbers, or a number cannot be right.
    """
    found: dict[str, float] = {}
    for word in text.split(","):
        name, _, number = (part.strip() for part in word.partition("="))
        try:
            amount = float(number)
        except ValueError:
            amount = None
        if not name or amount is None:
            raise InvalidInputError(f"Expected NAME=NUMBER, got {word.strip()!r}.", hint=_EXAMPLE)
        if found.setdefault(_NAMES.get(name.lower(), name), amount) != amount:
            raise InvalidInputError(f"Expected one number of {name}, got several.", hint=_EXAMPLE)
    cpu, gpu = found.pop("CPU", 1.0), found.pop("GPU", 0.0)
    return AgentResources(cpu=cpu, gpu=gpu, other=found)
