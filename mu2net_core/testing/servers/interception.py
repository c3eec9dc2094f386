"""Stepping in around every call of every local store, whoever opened it: kills, lost replies, other clients' work."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import wraps
from pathlib import Path
from threading import Lock, local
from typing import Any, Literal, TypeAlias
from unittest import mock

from mu2net_core.errors import StorageError
from mu2net_core.storage import LocalStore

__all__ = ["Crash", "Plan", "Trigger", "dies", "stepping_in"]

_CALLS = ("read", "create", "list", "exists", "delete", "size", "modified", "refresh")
Around: TypeAlias = Callable[[str, LocalStore, str, Callable[[], Any]], Any]


class Crash(BaseException):
    """The process ends here: nothing that handles errors may see it."""


@contextmanager
def stepping_in(around: Around) -> Iterator[None]:
    """Lets ``around(method, store, key, call)`` answer every call of every ``LocalStore`` inside the block."""
    with ExitStack() as stack:
        for name in _CALLS:
            stack.enter_context(mock.patch.object(LocalStore, name, _wrapped(name, around)))
        yield


def _wrapped(name: str, around: Around) -> Callable[..., Any]:
    original = getattr(LocalStore, name)

    @wraps(original)
    def method(store: LocalStore, key: str, *args: Any, **kwargs: Any) -> Any:
        def call() -> Any:
            result = original(store, key, *args, **kwargs)
            return iter(tuple(result)) if name == "list" else result

        return around(name, store, key, call)

    return method


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What happens at one storage call of one command.

    Attributes:
        what: ``crash``: the process ends; ``refused``: the call fails and did nothing; ``lost``: it was done and says
            it failed; ``flip``: the object it reads has one wrong bit; ``meanwhile``: somebody else acts first.
        at: at which call, from 1.
        where: counts the calls of the remote's storage, or of the working copy's own.
        late: whether a crash comes after the call instead of before.
        calls: which calls count.
    """

    what: Literal["crash", "refused", "lost", "flip", "meanwhile"]
    at: int
    where: Literal["remote", "own"] = "remote"
    late: bool = False
    calls: tuple[str, ...] = _CALLS


@dataclass(slots=True)
class Trigger:
    """Carries a plan out once, in the storage below ``root``.

    Attributes:
        plan: what to do; None once it was done.
        root: the repository whose calls count.
        meanwhile: what others do, for a plan that says so.
        seen: how many calls there were.
        done: whether the plan was carried out.
    """

    plan: Plan | None
    root: Path
    meanwhile: Callable[[], None] = lambda: None
    seen: int = 0
    done: bool = False
    _lock: Lock = field(default_factory=Lock)
    _busy: local = field(default_factory=local)

    def __call__(self, method: str, store: LocalStore, key: str, call: Callable[[], Any]) -> Any:
        """Answers a call, as planned; what a store asks of itself meanwhile is a part of that call."""
        if getattr(self._busy, "inside", False):
            return call()
        self._busy.inside = True
        try:
            return self._answer(method, store, key, call)
        finally:
            self._busy.inside = False

    def _answer(self, method: str, store: LocalStore, key: str, call: Callable[[], Any]) -> Any:
        with self._lock:
            plan = self.plan
            if plan is None or method not in plan.calls or store.root != self.root:
                return call()
            self.seen += 1
            if self.seen < plan.at or (plan.what == "flip" and not _reads_object(method, key)):
                return call()
            self.plan, self.done = None, True
        return self._act(plan, f"{method} of {key}", call)

    def _act(self, plan: Plan, what: str, call: Callable[[], Any]) -> Any:
        if plan.what == "meanwhile":
            self.meanwhile()
            return call()
        if plan.what == "flip":
            data = bytearray(call())
            data[plan.at * 37 % len(data)] ^= 1 << plan.at % 8
            return bytes(data)
        if plan.what == "lost" or plan.late:
            call()
        if plan.what == "crash":
            raise Crash(what)
        raise StorageError(f"The {what} {'was lost' if plan.what == 'lost' else 'was refused'}, as planned.")


def _reads_object(method: str, key: str) -> bool:
    return method == "read" and key.startswith("objects/")


def dies(command: Callable[[], object], plan: Plan, root: Path) -> bool:
    """Runs a command that dies as planned at a call of the storage in ``root``; returns whether it did."""
    trigger = Trigger(plan=plan, root=root)
    try:
        with stepping_in(trigger):
            command()
    except Crash:
        return True
    return trigger.done
