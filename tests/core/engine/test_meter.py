from __future__ import annotations

import pytest

from mu2net_core.engine.meter import Meter


def test_time_within_time_is_counted_once(monkeypatch: pytest.MonkeyPatch) -> None:
    now = iter([0.0, 1.0, 4.0, 10.0])
    monkeypatch.setattr("mu2net_core.engine.meter.time.perf_counter", lambda: next(now))
    meter = Meter(memory_bytes=lambda: 7)
    with meter.timing("train"), meter.timing("compile"):
        meter.examples += 14
    spent = meter.take()
    assert (spent.compile_s, spent.train_s, spent.validate_s, spent.wait_s) == (3.0, 7.0, 0.0, 0.0)
    assert (spent.examples, spent.examples_per_s, spent.device_bytes) == (14, 2.0, 7)
    again = meter.take()
    assert (again.compile_s, again.train_s, again.examples, again.examples_per_s) == (0.0, 0.0, 0, 0.0)
