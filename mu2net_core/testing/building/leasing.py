"""Machines that take tasks, each with a clock and notes of its own, and a repository that they share."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from mu2net_core.objects import Agent
from mu2net_core.repo import Repository
from mu2net_core.repo.leases import Held, Lease, Leases, Observer
from mu2net_core.storage import Store

__all__ = ["Clock", "Machine", "files", "take", "taken"]


@dataclass
class Clock:
    """A clock that stands until it is moved."""

    now: float = 1_000.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Machine:
    """Somebody's machine: its clock, its notes, and how it reaches the repository."""

    repo: Repository
    name: str
    clock: Clock = field(default_factory=Clock)
    file: Path | None = None

    def leases(self, slot: int = 0, *, store: Store | None = None) -> Leases:
        """Returns the leases as a new process of the agent in ``slot`` sees and takes them."""
        agent = Agent(id=self.name * 32, host=f"host-{self.name}", device="cpu", slot=slot)
        observer = Observer(file=self.file, clock=self.clock)
        return Leases(store=store or self.repo.store, refs=self.repo.refs, agent=agent, observer=observer)


def take(leases: Leases, task: str = "cats") -> Lease | Held:
    """Returns the lease that was taken, or who has it."""
    return leases.acquire(task, iteration=1, method="random")


def taken(leases: Leases, task: str = "cats") -> Lease:
    """Returns the lease, which nobody else had."""
    lease = take(leases, task)
    assert isinstance(lease, Lease)
    return lease


def files(machine: Machine) -> list[str]:
    """Returns the keys of all files of leases."""
    return list(machine.repo.store.list("leases"))
