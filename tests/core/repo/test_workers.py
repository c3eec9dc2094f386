from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from mu2net_core.errors import StorageError
from mu2net_core.repo.core.workers import NUM_THREADS, Workers


def submit(workers: Workers[Any], jobs: Sequence[Callable[[], Any]], then: Callable[[], None]) -> None:
    for job in jobs:
        workers.submit(job)
    then()


def run(jobs: Sequence[Callable[[], Any]], **options: int) -> list[Any]:
    with Workers[Any](**options) as workers:
        results: list[Any] = []
        submit(workers, jobs, then=lambda: results.extend(workers.results()))
        return results


def test_every_result_comes_once() -> None:
    with Workers[int]() as workers:
        for number in range(100):
            workers.submit(lambda number=number: number)  # type: ignore[misc]
        assert sorted(workers.results()) == list(range(100))


def test_jobs_run_at_the_same_time() -> None:
    barrier = threading.Barrier(NUM_THREADS, timeout=120)
    with Workers[int]() as workers:
        for _ in range(NUM_THREADS):
            workers.submit(barrier.wait)
        assert sorted(workers.results()) == list(range(NUM_THREADS))


def test_results_may_bring_more_jobs() -> None:
    with Workers[int]() as workers:
        workers.submit(lambda: 5)
        found = []
        for number in workers.results():
            found.append(number)
            for below in range(number):
                workers.submit(lambda below=below: below)  # type: ignore[misc]
    assert len(found) == 2**5


class Gauge:
    """Jobs that say how many bytes were in flight at the most."""

    def __init__(self) -> None:
        self.now = self.most = 0
        self._lock = threading.Lock()

    def job(self, size_bytes: int) -> Callable[[], None]:
        def run() -> None:
            with self._lock:
                self.now += size_bytes
                self.most = max(self.most, self.now)
            with self._lock:
                self.now -= size_bytes

        return run


@pytest.mark.parametrize(("sizes", "most"), [([30] * 20, 90), ([500, 10, 500], 500), ([10] * 40, 100)])
def test_bytes_in_flight_are_bounded(sizes: list[int], most: int) -> None:
    gauge = Gauge()
    with Workers[None](max_bytes=100) as workers:
        for size_bytes in sizes:
            workers.submit(gauge.job(size_bytes), size_bytes=size_bytes)
        assert len(list(workers.results())) == len(sizes)
    assert 0 < gauge.most <= most


def test_the_first_error_stops_all_that_has_not_begun() -> None:
    ran: list[int] = []

    def job(number: int) -> int:
        ran.append(number)
        if number == 3:
            raise StorageError("The disk is full.")
        return number

    with pytest.raises(StorageError, match="full"):
        run([lambda number=number: job(number) for number in range(50)], num_threads=1)  # type: ignore[misc]
    assert ran == [0, 1, 2, 3]


def test_after_an_error_nothing_runs_any_more() -> None:
    began, go_on, ended = threading.Event(), threading.Event(), threading.Event()

    def slow() -> None:
        began.set()
        go_on.wait(120)
        ended.set()

    def failing() -> None:
        began.wait(120)
        threading.Timer(0.05, go_on.set).start()
        raise StorageError("The network is gone.")

    with pytest.raises(StorageError, match="gone"):
        run([slow, failing])
    assert ended.is_set()


def test_ctrl_c_leaves_at_once_what_has_not_begun(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mu2net_core.repo.core.workers._PATIENCE_S", 0.01)
    stuck, ran = threading.Event(), []

    def interrupt() -> None:
        raise KeyboardInterrupt

    workers = Workers[None](num_threads=1)
    with pytest.raises(KeyboardInterrupt), workers:
        submit(workers, [lambda: stuck.wait(120) and None, lambda: ran.append(1)], then=interrupt)
    stuck.set()
    assert ran == []
