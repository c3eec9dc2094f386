"""What the demonstration needs beyond the other verbs: test images of a task as files, to predict."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from mu2net_core.data import open_source
from mu2net_core.objects import Slice

__all__ = ["write_images"]


def write_images(uri: str, folder: Path, count: int) -> tuple[Path, ...]:
    """Writes the first ``count`` examples of a data set as PNG files into ``folder`` and returns their paths.

    Args:
        uri: of a source whose examples are arrays in one split ``all``, e.g. ``sklearn:digits``.
        folder: made if it is not there.
        count: how many.
    """
    source = open_source(uri)
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for number, example in enumerate(source.read((Slice(split="all", start=0, stop=count),))):
        path = folder / f"{number:02d}.png"
        Image.fromarray(np.asarray(example.input)).save(path)
        paths.append(path)
    return tuple(paths)
