"""Layouts of children on devices, and memory that is given back.

What really runs on several devices is in ``devices.py``, in a process of its own.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from mu2net_core.engine.layout import Layout, choose_layout
from mu2net_core.engine.placement import give_back_freed
from mu2net_core.testing.building.compiling import QUICK

SCRIPT = Path(__file__).with_name("devices.py")


def devices(count: int, platform: str = "gpu") -> list[Any]:
    return [SimpleNamespace(platform=platform, id=number) for number in range(count)]


@pytest.mark.parametrize(
    ("found", "size", "together", "parts"),
    [
        (devices(1, "cpu"), 2000, 1, 1),  # nothing is won by training two on one processor
        (devices(2, "cpu"), 2000, 2, 1),
        (devices(1), 2000, 1, 1),  # each number of children is another program
        (devices(4), 2000, 4, 1),
        (devices(4), 500, 4, 1),
        (devices(4), 300, 1, 4),  # none fits
        (devices(1), 300, 1, 1),
        (devices(16), 2000, 8, 1),  # a generation has no more
    ],
)
def test_children_are_spread_one_on_each_device(found: list[Any], size: int, together: int, parts: int) -> None:
    layout = choose_layout("auto", child_bytes=100, device_bytes=size, most=8, devices=found)
    assert (layout.together, layout.batch_parts) == (together, parts)


@pytest.mark.parametrize(
    ("found", "size", "together"),
    [
        (devices(1), 2000, 5),  # five children of 100 fit into a quarter of a device
        (devices(4), 2000, 8),  # a generation has no more
        (devices(4), 500, 4),
        (devices(1), 300, 1),
        (devices(2, "cpu"), 2000, 2),
    ],
)
def test_as_many_on_each_as_fit_where_that_is_asked_for(found: list[Any], size: int, together: int) -> None:
    layout = choose_layout("children", child_bytes=100, device_bytes=size, most=8, devices=found)
    assert (layout.together, layout.batch_parts) == (together, 1)


def test_a_strategy_that_was_chosen_is_kept() -> None:
    chosen = {
        strategy: choose_layout(strategy, child_bytes=1, device_bytes=10**9, most=8, devices=devices(2))  # type: ignore[arg-type]
        for strategy in ("sequential", "children", "batch")
    }
    shapes = {name: (layout.together, layout.batch_parts) for name, layout in chosen.items()}
    assert shapes == {"sequential": (1, 1), "children": (8, 1), "batch": (1, 2)}
    assert Layout(devices=((1, 2), (3, 4)), per_device=3).together == 6  # type: ignore[arg-type]


def test_on_two_devices_children_learn_what_they_learn_on_one(cache_dir: Path) -> None:
    environ = {
        **os.environ,
        **QUICK,
        "JAX_PLATFORMS": "cpu",
        "XLA_FLAGS": " ".join([*filter(None, [QUICK.get("XLA_FLAGS")]), "--xla_force_host_platform_device_count=2"]),
        "MU2NET_CACHE_DIR": str(cache_dir / "two-devices"),
        "PYTHONPATH": os.pathsep.join(sys.path),
    }
    run = subprocess.run([sys.executable, str(SCRIPT)], env=environ, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    found = json.loads(run.stdout)
    assert found["devices"] == 2
    for strategy in ("children", "batch"):
        first, again = found[strategy]
        assert first["ids"] == again["ids"]  # the same models, bit by bit
        for ours, theirs in zip(first["curves"], found["sequential"][0]["curves"], strict=True):
            assert ours == pytest.approx(theirs, abs=0.1)
        assert first["distance"] < 1e-3
        assert first["programs"] == again["programs"]


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
