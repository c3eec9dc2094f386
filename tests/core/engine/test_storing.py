from __future__ import annotations

from threading import Event, Thread
from typing import Any

import pytest

from mu2net_core.engine import storing
from mu2net_core.engine.meter import Meter
from mu2net_core.engine.storing import Writer


@pytest.fixture
def writer(monkeypatch: pytest.MonkeyPatch):
    """Returns a writer that lets 100 bytes wait."""
    monkeypatch.setattr(storing, "_WAITING_BYTES", 100)
    writer = Writer(Meter())
    yield writer
    writer.close()


def test_children_are_stored_in_order_beside_what_goes_on(writer: Writer) -> None:
    go, done = Event(), list[int]()

    def store(number: int) -> Any:
        assert go.wait(240)
        done.append(number)
        return number

    waiting = [writer.submit(lambda number=number: store(number), 30) for number in range(3)]
    assert done == []
    go.set()
    assert [one.result() for one in waiting] == done == [0, 1, 2]


def test_who_finds_no_room_waits_for_the_oldest(writer: Writer) -> None:
    go, more = Event(), Event()
    writer.submit(lambda: go.wait(240), 60)  # type: ignore[arg-type,return-value]
    waiting = Thread(target=lambda: (writer.submit(lambda: None, 60), more.set()))  # type: ignore[arg-type,return-value]
    waiting.start()
    assert not more.wait(0.05)
    go.set()
    assert more.wait(240)
    waiting.join()


def test_one_too_large_to_wait_is_stored_at_once(writer: Writer) -> None:
    done = list[str]()
    writer.submit(lambda: done.append("small"), 60)  # type: ignore[arg-type,return-value,func-returns-value]
    writer.submit(lambda: done.append("large"), 101)  # type: ignore[arg-type,return-value,func-returns-value]
    assert done == ["small", "large"]


def test_what_could_not_be_stored_shows_before_all_are_trained(writer: Writer) -> None:
    def fail() -> Any:
        raise OSError("no space left on device")

    writer.submit(fail, 60)
    with pytest.raises(OSError, match="no space left"):
        writer.submit(lambda: None, 60)  # type: ignore[arg-type,return-value]
