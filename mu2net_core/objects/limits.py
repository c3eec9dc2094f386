"""How much of anything is taken from a repository somebody else can write to, before it is read, decoded or built.

Each limit is far above what real systems need, and a setting: ``mu2net config set limits.<name> NUMBER``. Settings
that come along from another repository never change them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields

from mu2net_core.errors import InvalidInputError
from mu2net_core.objects.oid import Kind

__all__ = ["LIMITS", "LIMITS_PREFIX", "Limits"]

LIMITS_PREFIX = "limits."
"""What the settings begin with that set a limit."""

_MIB = 2**20
_GIB = 2**30
_LARGEST = 2**62


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The most that is accepted.

    Attributes:
        manifest_bytes: of a model, task, commit or snapshot, or a published model's JSON.
        component_bytes: of a component's file, which the format keeps below 4 GiB.
        ref_bytes: of a head's entry, a tag, a root, an epoch.
        checkpoint_bytes: of the files that a root is made from.
        config_bytes: of another repository's ``config.toml``.
        json_depth: lists and objects inside one another.
        array_dims: dimensions of an array.
        members: files in a component's archive, tensors of a published model.
        names: names in one listing of a server, files in an archive of images.
        refs: tasks, tags or roots of a repository, each.
        moves: entries of one head that are read when it is fetched.
        layers: of a model.
        model_bytes: of the parameters of a model that is loaded.
        activation_bytes: of what a layer computes for one batch of examples.
        flops: of one example's forward pass.
        image_side: pixels of a side of a model's images.
        examples_bytes: of the images of one split at the size a model takes; of an archive or a file of rows, unpacked.
    """

    manifest_bytes: int = 16 * _MIB
    component_bytes: int = 8 * _GIB
    ref_bytes: int = 65_536
    checkpoint_bytes: int = 16 * _GIB
    config_bytes: int = _MIB
    json_depth: int = 64
    array_dims: int = 8
    members: int = 10_000
    names: int = 2_000_000
    refs: int = 1_000_000
    moves: int = 10_000
    layers: int = 1_000
    model_bytes: int = 64 * _GIB
    activation_bytes: int = 64 * _GIB
    flops: int = 10**13
    image_side: int = 8_192
    examples_bytes: int = 64 * _GIB

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(value, bool) or not isinstance(value, int) or not 0 < value <= _LARGEST:
                raise InvalidInputError(
                    f"{LIMITS_PREFIX}{field.name}: expected a whole number from 1 to 2^62, got {repr(value)[:80]}."
                )

    def max_bytes(self, kind: Kind) -> int:
        """Returns how many bytes an object of that kind may have."""
        return self.component_bytes if kind == "component" else self.manifest_bytes

    @classmethod
    def settings_keys(cls) -> tuple[str, ...]:
        """Returns the settings that set a limit, sorted."""
        return tuple(sorted(f"{LIMITS_PREFIX}{field.name}" for field in fields(cls)))

    @classmethod
    def of(cls, settings: Mapping[str, object]) -> Limits:
        """Returns the limits that ``settings`` (by dotted key) set, the others at their defaults.

        Raises:
            InvalidInputError: a value is not a positive whole number.
        """
        names = (key.removeprefix(LIMITS_PREFIX) for key in cls.settings_keys() if key in settings)
        return cls(**{name: settings[LIMITS_PREFIX + name] for name in names})  # type: ignore[arg-type]


LIMITS = Limits()
"""The limits where nobody set others."""
