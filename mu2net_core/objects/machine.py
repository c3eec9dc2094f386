"""How this machine computes: settings that stay here, because another machine's are others.

``mu2net config set machine.<name> VALUE``. They change how fast models are found, and on other devices the last bits
of what they compute; never what the method does.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Literal, get_args, get_type_hints

from mu2net_core.errors import InvalidInputError

__all__ = ["MACHINE_PREFIX", "MachineConfig"]

MACHINE_PREFIX = "machine."
"""What the settings begin with that say how this machine computes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MachineConfig:
    """How children are trained on this machine's devices.

    Attributes:
        strategy: how children are spread over the devices: ``sequential`` trains one after the other on one device,
            ``children`` those that share a program together, ``batch`` one after the other with each batch spread;
            ``auto`` chooses by what the devices are and what fits into them.
        precision: the numbers in which products are computed; ``auto`` is bfloat16 on devices made for
            it, else float32.
        resident_bytes: a split up to this size is held in memory; 0 is half of the device's.
    """

    strategy: Literal["auto", "sequential", "children", "batch"] = "auto"
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    resident_bytes: int = 0

    def __post_init__(self) -> None:
        for name, choices in self.choices().items():
            if (found := getattr(self, name)) not in choices:
                expected = ", ".join(choices)
                raise InvalidInputError(f"{MACHINE_PREFIX}{name}: expected one of {expected}, got {repr(found)[:80]}.")
        size = self.resident_bytes
        if isinstance(size, bool) or not isinstance(size, int) or not 0 <= size <= 2**62:
            raise InvalidInputError(
                f"{MACHINE_PREFIX}resident_bytes: expected bytes, 0 or more, got {repr(size)[:80]}."
            )

    @classmethod
    def settings_keys(cls) -> tuple[str, ...]:
        """Returns the settings there are, sorted."""
        return tuple(sorted(f"{MACHINE_PREFIX}{field.name}" for field in fields(cls)))

    @classmethod
    def choices(cls) -> dict[str, tuple[str, ...]]:
        """Returns the values that a field can have, by name, for those of which they are few."""
        hints = get_type_hints(cls)
        return {field.name: found for field in fields(cls) if (found := get_args(hints[field.name]))}

    @classmethod
    def of(cls, settings: Mapping[str, object]) -> MachineConfig:
        """Returns what ``settings`` (by dotted key) say, the rest at its default.

        Raises:
            InvalidInputError: a value is none of those there are.
        """
        names = (key.removeprefix(MACHINE_PREFIX) for key in cls.settings_keys() if key in settings)
        return cls(**{name: settings[MACHINE_PREFIX + name] for name in names})  # type: ignore[arg-type]
