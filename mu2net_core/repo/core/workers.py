"""A few threads that move objects, with a bound on the bytes they hold."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator
from queue import SimpleQueue
from threading import Thread
from types import TracebackType
from typing import Generic, Self, TypeVar

__all__ = ["NUM_THREADS", "Workers"]

T = TypeVar("T")

NUM_THREADS = 16
"""Transfers wait for a network far more than they compute."""

MAX_BYTES = 64 * 2**20
"""Bytes in flight; one object larger than that travels alone."""

_PATIENCE_S = 5.0


class Workers(Generic[T]):
    """Runs jobs on threads and hands back what they return, in the order they finish.

    Used as ``with``: submit jobs, then go through ``results``; more may be submitted meanwhile. The first error is
    raised to whoever goes through the results. Leaving the block, also by an error, starts no further job and waits for
    those under way; after Ctrl-C only a few seconds, so that nobody waits for a large upload to end.
    """

    def __init__(self, *, num_threads: int = NUM_THREADS, max_bytes: int = MAX_BYTES) -> None:
        self._num_threads, self._max_bytes = num_threads, max_bytes
        self._backlog: deque[tuple[Callable[[], T], int]] = deque()
        self._jobs: SimpleQueue[tuple[Callable[[], T], int] | None] = SimpleQueue()
        self._done: SimpleQueue[tuple[T | BaseException, int, bool]] = SimpleQueue()
        self._threads: list[Thread] = []
        self._num_running = self._num_bytes = 0

    def submit(self, job: Callable[[], T], *, size_bytes: int = 0) -> None:
        """Lets ``job`` run when its turn comes and its bytes fit in; all jobs begin in the order they were given."""
        self._backlog.append((job, size_bytes))
        self._start_some()

    def results(self) -> Iterator[T]:
        """Yields what the jobs return until none is left, those submitted meanwhile included."""
        while self._num_running:
            result, size_bytes, is_error = self._done.get()
            self._num_running -= 1
            self._num_bytes -= size_bytes
            if is_error:
                raise result  # type: ignore[misc]
            self._start_some()
            yield result  # type: ignore[misc]
            self._start_some()

    def _start_some(self) -> None:
        while self._backlog and self._num_running < self._num_threads:
            if self._num_running and self._num_bytes + self._backlog[0][1] > self._max_bytes:
                return
            job = self._backlog.popleft()
            self._num_running += 1
            self._num_bytes += job[1]
            if len(self._threads) < self._num_running:
                self._threads.append(Thread(target=self._work, daemon=True))
                self._threads[-1].start()
            self._jobs.put(job)

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            call, size_bytes = job
            try:
                self._done.put((call(), size_bytes, False))
            except BaseException as exc:  # noqa: BLE001  # it is raised again where somebody waits for the result
                self._done.put((exc, size_bytes, True))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._backlog.clear()
        for _ in self._threads:
            self._jobs.put(None)
        patient = error is None or isinstance(error, Exception)
        deadline = time.monotonic() + _PATIENCE_S
        for thread in self._threads:
            thread.join(None if patient else max(0.0, deadline - time.monotonic()))
