"""Honest working copies that share with several circles of readers, and attackers who write into the same remotes."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from mu2net_core.api.context import Context
from mu2net_core.api.models import cache
from mu2net_core.api.sharing import fetch, merge, pull, purge, push, tag
from mu2net_core.api.sharing.clone import clone
from mu2net_core.api.tasks import reset, rm_task
from mu2net_core.api.upkeep import fsck, gc
from mu2net_core.errors import InternalError, Mu2netError
from mu2net_core.objects import PUBLIC, AccessRule, Agent, Commit, Model
from mu2net_core.repo import HeadState, Remote, Repository, load_system, open_repository
from mu2net_core.storage import LocalStore, replace_file
from mu2net_core.testing.building.samples import add_sample_task, evolve_sample, sample_repository, sample_task
from mu2net_core.testing.worlds.oracle import Audience, Oracle, Sentinel, files_of
from mu2net_core.testing.worlds.spying import Spy, Victim

__all__ = ["CIRCLES", "READERS", "TASKS", "Circles"]

CIRCLES: dict[str, Audience] = {
    "pub": None,
    "team-a": frozenset({"team-a"}),
    "team-b": frozenset({"team-b"}),
    "both": frozenset({"team-a", "team-b"}),
}
READERS: tuple[tuple[str, ...] | None, ...] = (None, (), ("team-a",), ("team-b",), ("team-a", "team-b"))
"""Who may read a task: everybody, itself alone, or groups."""

TASKS = ("ants", "bees", "cats", "dogs", "eels", "team-c")
_START = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass(slots=True)
class Circles:
    """Working copies ``0 … n-1`` of one system, each with all remotes; those with an odd number are partial.

    Attributes:
        folder: where everything is.
        copies: number of working copies.
        oracle: what is true.
        sentinel: what sees to it.
        errors: that commands ended with, in order: what an attacker can always bring about.
        elapsed_s: what all clocks moved on.
        seeds: of the next model.
    """

    folder: Path
    copies: int = 3
    oracle: Oracle = field(default_factory=Oracle)
    sentinel: Sentinel = field(init=False)
    errors: list[Mu2netError] = field(default_factory=list)
    elapsed_s: float = 0.0
    seeds: int = 1

    def __post_init__(self) -> None:
        remotes = {self.folder / name: audience for name, audience in CIRCLES.items()}
        copies = {number: self.path(number) for number in range(self.copies)}
        self.sentinel = Sentinel(oracle=self.oracle, remotes=remotes, copies=copies)
        for name in CIRCLES:
            sample_repository(self.folder / name, bare=True)
        for number in copies:
            self._settle_in(sample_repository(self.folder / f"copy{number}"), number)

    def path(self, number: int) -> Path:
        """Returns the ``.mu2net`` of a working copy."""
        return self.folder / f"copy{number}" / ".mu2net"

    def open(self, number: int) -> Repository:
        """Returns a working copy, opened anew, as a program does."""
        return open_repository(self.path(number))

    def attacker(self, remote: str) -> Spy:
        """Returns somebody who may write into a remote."""
        return Spy(store=LocalStore(self.folder / remote))

    def alive(self, number: int) -> list[str]:
        """Returns the tasks of a working copy that were not removed."""
        return sorted(load_system(self.open(number)).heads)

    def heads(self, remote: str) -> list[str]:
        """Returns the tasks that have a head on a remote."""
        folder = self.folder / remote / "refs" / "heads"
        return sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []

    def victims(self, remote: str) -> list[Victim]:
        """Returns the components that those who read a remote may not have, with who made them."""
        private = set(self.oracle.private(CIRCLES[remote], "component"))
        found: dict[str, Victim] = {}
        for number in range(self.copies):
            objects = self.open(number).objects
            for kind, oid in sorted(self.oracle.facts):
                if kind == "model" and objects.has("model", oid):
                    model = objects.model(oid)
                    refs = [ref for ref in model.components if ref.id in private and ref.id not in found]
                    found |= {ref.id: Victim(ref=ref, task=str(model.task), model=oid) for ref in refs}
        return [victim for _, victim in sorted(found.items())]

    # Honest work: what it makes is noted as it is made.

    def add(self, number: int, task: str, readers: tuple[str, ...] | None) -> None:
        """Adds a task; one that is there is removed and added again, for other readers."""
        access = PUBLIC if readers is None else AccessRule.only(readers or (task,))
        audience = None if access.readers is None else frozenset(access.readers)
        repo, before = self.open(number), files_of(self.path(number))
        head = repo.refs.head(task)
        self.oracle.granted(number, task, repo.objects.put(sample_task(task, access)), audience)
        if head is None:
            add_sample_task(repo, task, access)
        else:
            self._add_again(repo, number, task, head, access)
        self.oracle.made(self.path(number), before)

    def evolve(
        self,
        number: int,
        task: str,
        score: float = 0.5,
        parent_of: str | None = None,
        trains: Sequence[str] = ("head",),
    ) -> None:
        """Retains one new model of a task, grown from that of another one if it may use that."""
        repo, before = self.open(number), files_of(self.path(number))
        system = load_system(repo)
        if task not in system.heads:
            return
        source = system.heads.get(parent_of or task)
        usable = source is not None and source.model is not None and system.may_use(task, source.model)
        parent_id = source.model_id if source is not None and usable else min(repo.refs.roots().values(), default=None)
        if parent_id is None:
            return
        parent = repo.objects.model(parent_id)
        if self.run(number, lambda repo, _: [repo.objects.component(ref.id) for ref in parent.components]) is not None:
            return
        self.seeds += 1
        state = evolve_sample(repo, task, score=score, parent=parent_id, trains=trains, seed=self.seeds)
        self._note_training(number, task, parent, repo.objects.model(str(repo.objects.commit(state.commit).model)))
        self.oracle.made(self.path(number), before)

    def remove(self, number: int, task: str) -> None:
        """Removes a task."""
        self._locally(number, lambda repo, context: rm_task.rm_task(repo, context, task))

    def reset(self, number: int, task: str, back: int) -> None:
        """Goes back by some moves of a head."""
        self._locally(number, lambda repo, context: reset.reset(repo, context, task, f"{task}~{back}"))

    def tag(self, number: int, name: str, *, public: bool = False) -> None:
        """Tags the system as it is."""
        self._locally(number, lambda repo, context: tag.create(repo, context, name, public=public))

    def purge_here(self, number: int, task: str) -> None:
        """Purges a task from a working copy."""
        self._locally(number, lambda repo, context: purge.purge(repo, context, task))

    def undo(self, number: int, task: str) -> None:
        """Brings back what was set aside because others purged it."""
        self._locally(number, lambda repo, context: purge.undo(repo, context, task))

    def gc_here(self, number: int) -> None:
        """Collects garbage in a working copy."""
        self._locally(number, lambda repo, context: gc.gc(repo, context, dry_run=False, settle=self._settle))

    def prune(self, number: int) -> None:
        """Deletes components that a remote holds, too."""
        self.run(number, lambda repo, context: cache.prune(repo, context, "0B"))

    # Exchanges.

    def push(self, number: int, remote: str, tasks: Sequence[str] = ()) -> None:
        """Pushes all, or some tasks."""
        self.run(number, lambda repo, context: push.push(repo, context, remote, tasks))

    def plan_push(self, number: int, remote: str) -> None:
        """Asks what a push would send."""
        self.run(number, lambda repo, context: push.plan_push(repo, context, remote), may_write=False)

    def pull(self, number: int, remote: str, tasks: Sequence[str] = ()) -> None:
        """Pulls all, or some tasks."""
        self.run(number, lambda repo, context: pull.pull(repo, context, remote, tasks))

    def fetch(self, number: int, remote: str) -> None:
        """Fetches, and leaves all heads where they are."""
        self.run(number, lambda repo, context: fetch.fetch(repo, context, remote))

    def merge(self, number: int, remote: str) -> None:
        """Takes over what was fetched."""
        self.run(number, lambda repo, context: merge.merge(repo, context, remote))

    def clone(self, number: int, remote: str, *, full: bool) -> None:
        """Replaces a working copy by a fresh clone of a remote; what was in it alone is gone."""
        fresh, told = self.folder / f"fresh{number}", CIRCLES[remote]
        shutil.rmtree(fresh, ignore_errors=True)
        origin = str(self.folder / remote)
        try:
            clone(origin, fresh, self.context(number), full, readers=sorted(told or ()))
        except Mu2netError as exc:
            self._failed(exc)
            return
        self.oracle.forget(number)
        shutil.rmtree(self.path(number).parent)
        fresh.rename(self.path(number).parent)
        repo = self.open(number)
        repo.update_config(lambda config: config.without_remote("origin"))
        self._settle_in(repo, number, full=full)
        self.oracle.look(number, self.path(number))

    def purge_there(self, number: int, remote: str, task: str) -> None:
        """Purges a task from a remote."""
        self.run(number, lambda repo, context: purge.purge(repo, context, task, remote=remote, settle=self._settle))

    def gc_there(self, number: int, remote: str) -> None:
        """Collects garbage on a remote."""
        self.run(number, lambda r, context: gc.gc(r, context, remote=remote, dry_run=False, settle=self._settle))

    def repair_there(self, number: int, remote: str) -> None:
        """Repairs a remote from a working copy."""
        source = str(self.path(number))
        self.run(number, lambda repo, context: fsck.fsck(repo, context, remote=remote, repair_from=source))

    def repair_here(self, number: int, remote: str) -> None:
        """Repairs a working copy from a remote."""
        self.run(number, lambda repo, context: fsck.fsck(repo, context, repair_from=remote), may_ask=True)

    def change(self, number: int, key: str, value: bool) -> None:  # noqa: FBT001
        """Changes a setting of a working copy."""
        self.open(number).update_config(lambda config: config.with_setting(key, value))

    def run(
        self,
        number: int,
        command: Callable[[Repository, Context], object],
        *,
        may_write: bool = True,
        may_ask: bool = False,
    ) -> Mu2netError | None:
        """Runs a command of an honest working copy under the sentinel's eyes; returns the error it ended with.

        Raises:
            InternalError: nobody may bring a command to say that it has a defect.
        """
        error: Mu2netError | None = None
        with self.sentinel.watching(number, may_write=may_write, may_ask=may_ask):
            try:
                command(self.open(number), self.context(number))
            except Mu2netError as exc:
                error = exc
        if error is not None:
            self._failed(error)
        return error

    def context(self, number: int) -> Context:
        """Returns what a command of a working copy knows of the world."""
        return Context(
            now=lambda: _START + timedelta(seconds=self.elapsed_s),
            host=f"host{number}",
            environ={},
            user_config=None,
            cwd=self.folder,
        )

    def _locally(self, number: int, command: Callable[[Repository, Context], object]) -> None:
        """Runs a command that makes honest objects in a working copy."""
        before = files_of(self.path(number))
        self.run(number, command)
        self.oracle.made(self.path(number), before)

    def _add_again(self, repo: Repository, number: int, task: str, head: HeadState, access: AccessRule) -> None:
        before, now = repo.objects.commit(head.commit), self.context(number).timestamp()
        commit = Commit(
            task=task,
            task_id=repo.objects.put(sample_task(task, access)),
            parents=(head.commit,),
            iteration=before.iteration,
            agent=Agent(id=repo.agent_id, host="test", device="cpu"),
            started_at=now,
            finished_at=now,
            message="add again",
        )
        self.elapsed_s += 1
        repo.refs.append(task, repo.objects.put(commit), after=head)

    def _note_training(self, number: int, task: str, parent: Model, child: Model) -> None:
        for before, after in zip(parent.components, child.components, strict=True):
            if after.id != before.id:
                self.oracle.trained(number, task, after.id, before.id)

    def _failed(self, error: Mu2netError) -> None:
        self.errors.append(error)
        if isinstance(error, InternalError):
            raise error

    def _settle(self) -> None:
        self.elapsed_s += purge.SETTLE_S

    def _settle_in(self, repo: Repository, number: int, *, full: bool | None = None) -> None:
        replace_file(repo.state / "agent", f"{number:032x}\n".encode())
        partial = number % 2 == 1 if full is None else not full
        for name, audience in CIRCLES.items():
            readers = None if audience is None else tuple(sorted(audience))
            remote = Remote(name=name, url=str(self.folder / name), readers=readers, partial=partial)
            repo.update_config(lambda config, remote=remote: config.with_remote(remote))  # type: ignore[misc]
