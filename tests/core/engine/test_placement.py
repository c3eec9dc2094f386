from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mu2net_core.engine.placement import give_back_freed


def resident_bytes() -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(1024 * int(line.split()[1]) for line in lines if line.startswith("RssAnon"))


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="only Linux tells")
def test_what_was_freed_between_blocks_in_use_is_given_back() -> None:
    size = 100_000  # bytes: small enough to come from the heap
    blocks = [np.ones(size, np.uint8) for _ in range(640)]
    kept = blocks[::32]
    del blocks
    before = resident_bytes()
    give_back_freed()
    assert resident_bytes() < before - 40 * 2**20
    assert all(block.all() for block in kept)
