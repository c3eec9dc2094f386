"""How an iteration was run: what must be known to do the same again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

__all__ = ["Run", "RunSetting", "Seen"]

RunSetting = bool | int | float | str | tuple[bool | int | float | str, ...]
"""The value of a setting, as it was in force."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """From ``generation`` (0 is the first) on, children were made of the system in ``snapshot``."""

    generation: int
    snapshot: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """How the children of one iteration were made.

    Attributes:
        preset: its name.
        settings: those in force that differ from the preset's own, options included, by dotted key.
        digest: hash of all settings in force, the preset's own included.
        seed: the user's; everything random derives from it, the agent's slot, the task, the iteration and the
            generation.
        generations: how many were to be made.
        children: per generation.
        done: how many generations were made; fewer than ``generations`` if time ran out.
        processor: of the machine; the last bits of what it computes depend on it.
        cores: CPU cores that could be used, likewise.
        device_s: seconds that the generations took, times the devices that worked on them; None if it is not told.
        seen: the snapshots of the generations from which on the system was another; before the first of them it was
            the commit's.
    """

    preset: str
    settings: Mapping[str, RunSetting] = field(default_factory=dict)
    digest: str
    seed: int
    generations: int
    children: int
    done: int
    processor: str
    cores: int
    device_s: float | None = None
    seen: tuple[Seen, ...] = ()
