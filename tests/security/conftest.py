"""What tests of attacks share."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

import pytest

FAST = Path("/dev/shm")


@pytest.fixture
def folder() -> Iterator[Path]:
    """Returns an empty folder in memory, where there is one; nothing in it is forced to a disk."""
    made = Path(tempfile.mkdtemp(prefix="mu2net-", dir=FAST if FAST.is_dir() else None))
    with mock.patch("os.fsync"):
        yield made
    shutil.rmtree(made)
