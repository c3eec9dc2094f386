from __future__ import annotations

from pathlib import Path

import jax
import pytest

from mu2net_core.api.machine import device_memory
from mu2net_core.api.machine.device_memory import device_bytes


def test_a_container_has_the_memory_it_may_use(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    cpu, limit = jax.local_devices()[0], tmp_path / "memory.max"
    monkeypatch.setattr(device_memory, "_CONTAINER_LIMITS", (tmp_path / "missing", limit))
    whole = device_bytes(cpu)
    assert whole > 2**29
    limit.write_text(f"{2**28}\n")
    assert device_bytes(cpu) == 2**28 // len(jax.local_devices())
    for unlimited in ("max\n", f"{2**63 - 4096}\n"):
        limit.write_text(unlimited)
        assert device_bytes(cpu) == whole
