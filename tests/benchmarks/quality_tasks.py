"""The data sets whose accuracy is measured, as ``add-task`` takes them; they lie in ``MU2NET_TEST_DATA``."""

from __future__ import annotations

import re
import zipfile
from dataclasses import dataclass
from pathlib import Path

__all__ = ["CHARACTERS", "SUBJECTS", "Subject"]

_OMNIGLOT = re.compile(r"[^/]+/(?P<alphabet>[^/]+)/(?P<character>[^/]+)/(?P<name>\d+_(?P<drawer>\d+)\.png)")
_TRAINED = 15
"""Omniglot: the first so many of twenty people who drew are for training, the others for the test."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """A data set.

    Attributes:
        name: of the task.
        uri: of the data, relative to the folder of data; empty for what has to be unpacked.
        archive: to unpack, relative to that folder.
        shift: the most by which a practitioner would move its images, as a share of their side.
        mark: the test accuracy to beat; None where none was said.
        side: of its images in pixels, as a practitioner would have them.
    """

    name: str
    uri: str = ""
    archive: str = ""
    shift: float = 0.1
    mark: float | None = None
    side: int = 32

    def place(self, data: Path, scratch: Path) -> str:
        """Returns the URI of the data on this machine; what is packed is unpacked into ``scratch``."""
        if not self.archive:
            scheme, _, rest = self.uri.partition(":")
            return f"{scheme}:{data / rest}" if scheme == "npz" else self.uri
        folder = scratch / self.name
        if not folder.exists():
            with zipfile.ZipFile(data / self.archive) as packed:
                for name in packed.namelist():
                    if (path := _unpacked(name)) and not name.endswith("/"):
                        (folder / path).parent.mkdir(parents=True, exist_ok=True)
                        (folder / path).write_bytes(packed.read(name))
        return f"folder:{folder}"


def _unpacked(name: str) -> str:
    """Returns where a file of an archive goes, as split/class/file; empty for what is no image."""
    found = _OMNIGLOT.fullmatch(name)
    if found is None:
        return name if name.endswith((".jpg", ".png")) else ""
    split = "train" if int(found["drawer"]) <= _TRAINED else "test"
    return f"{split}/{found['alphabet']}-{found['character']}/{found['name']}"


CHARACTERS = (
    Subject(name="mnist", uri="npz:npz/mnist.npz", mark=0.989),
    Subject(name="emnist", uri="npz:npz/emnist_digits_subset.npz", mark=0.975),
    Subject(name="az", uri="npz:npz/az_letters.npz", mark=0.978),
    Subject(name="kannada", uri="npz:npz/kannada_mnist_t10k.npz"),
    Subject(name="omniglot", archive="omniglot_small1.zip", mark=0.85),
    Subject(name="bangla", uri="cmaterdb/bangla", mark=0.988),
    Subject(name="devanagari", uri="cmaterdb/devanagari"),
    Subject(name="telugu", uri="cmaterdb/telugu", mark=0.995),
)
"""The eight character tasks."""

SUBJECTS = (
    *CHARACTERS,
    Subject(name="fashion", uri="npz:npz/fashion_mnist_6k.npz", shift=0.05, mark=0.88),
    Subject(name="clothing", archive="images/clothing_small_64px.zip", side=64),
    Subject(name="digits", uri="sklearn:digits", shift=0.125, side=8),
)
"""All that one iteration with defaults is measured on."""
