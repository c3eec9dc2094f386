"""Some working copies and the remote they share, in folders, with clocks that jump: what people do there."""

from __future__ import annotations

import os
import shutil
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from mu2net_core.api.context import Context
from mu2net_core.api.sharing import pull, purge, push, tag
from mu2net_core.api.sharing.clone import clone
from mu2net_core.api.tasks import reset, rm_task
from mu2net_core.api.upkeep import gc
from mu2net_core.errors import AlreadyExistsError, Mu2netError, NotFoundError
from mu2net_core.objects import PUBLIC, AccessRule, Agent
from mu2net_core.repo import Remote, Repository, load_system, open_repository
from mu2net_core.repo.remotes import Exchange
from mu2net_core.storage import replace_file
from mu2net_core.testing.building.samples import add_sample_task, evolve_sample, sample_repository, sample_task
from mu2net_core.testing.worlds.invariants import Inspector, Node, head_log, object_file, purged, reached

__all__ = ["RULES", "Stage", "is_shared", "is_usual"]

TEAM = "team"
RULES = {
    "pub-a": PUBLIC,
    "pub-b": PUBLIC,
    "team-c": AccessRule.only([TEAM]),
    "other-d": AccessRule.only(["others"]),
    "priv-e": AccessRule.only(["priv-e"]),
}
_START = datetime(2026, 1, 1, tzinfo=UTC)
_USUAL = (
    "under the tag",  # two of the same name for different moments
    "No repository at",  # nobody pushed yet
    "was purged on one side",  # and added on the other without knowing it
    "was purged",
)
_SENT = {"new", "updated", "merged", "removed"}


@dataclass(slots=True)
class Stage:
    """Working copies ``0 … n-1`` of one system, and a remote that the group ``team`` reads.

    Every command opens its repository anew, as a program does.

    Attributes:
        folder: where everything is.
        clones: number of working copies; those with an odd number fetch components when they need them.
        inspector: remembers what may never change.
        sent: the commits that pushes said the remote's heads moved to, by task.
        moved: commits that commands said a working copy's heads moved to, by (clone, task).
        taught: the tasks that trained each component.
        gone: what purges deleted from the remote, for good.
        elapsed_s: what all clocks moved on.
        skew_s: how wrong the clock of each working copy is.
        seeds: of the next model.
    """

    folder: Path
    clones: int = 3
    inspector: Inspector = field(default_factory=Inspector)
    sent: dict[str, list[str]] = field(default_factory=dict)
    moved: dict[tuple[int, str], list[str]] = field(default_factory=dict)
    taught: dict[str, frozenset[str]] = field(default_factory=dict)
    gone: set[Node] = field(default_factory=set)
    elapsed_s: float = 0.0
    skew_s: Counter[int] = field(default_factory=Counter)
    seeds: int = 1

    def __post_init__(self) -> None:
        for number in range(self.clones):
            repo = sample_repository(self.folder / f"clone{number}")
            self._settle_in(repo, number)

    @property
    def remote(self) -> Path:
        """The remote's folder."""
        return self.folder / "remote"

    def path(self, number: int) -> Path:
        """Returns the ``.mu2net`` of a working copy."""
        return self.folder / f"clone{number}" / ".mu2net"

    def open(self, number: int) -> Repository:
        """Returns a working copy, opened anew."""
        return open_repository(self.path(number))

    def context(self, number: int) -> Context:
        """Returns what a command of a working copy knows of the world."""
        return Context(
            now=lambda: _START + timedelta(seconds=self.elapsed_s + self.skew_s[number]),
            host=f"host{number}",
            environ={},
            user_config=None,
            cwd=self.folder,
        )

    def alive(self, number: int) -> list[str]:
        """Returns the tasks of a working copy that were not removed."""
        return sorted(load_system(self.open(number)).heads)

    def shared(self) -> list[str]:
        """Returns the tasks with a head on the remote."""
        return sorted(task for task in RULES if head_log(self.remote, task))

    def add(self, number: int, task: str) -> None:
        """Adds a task, as ``add-task`` does."""
        repo = self.open(number)
        head = repo.refs.head(task)
        if head is None:
            self._note(number, task, add_sample_task(repo, task, RULES[task]).commit)
        elif (before := repo.objects.commit(head.commit)).removed:
            now, task_id = self.context(number).timestamp(), repo.objects.put(sample_task(task, RULES[task]))
            again = replace(before, task_id=task_id, model=None, snapshot=None, parents=(head.commit,), removed=False)
            again = replace(again, identity=None)
            agent = Agent(id=repo.agent_id, host="test", device="cpu")
            commit = replace(again, agent=agent, started_at=now, finished_at=now, message="add again")
            self._note(number, task, repo.refs.append(task, repo.objects.put(commit), after=head).commit)

    def evolve(self, number: int, task: str, score: float, parent_of: str | None, trains: list[str]) -> None:
        """Retains one new model, grown from that of ``parent_of`` if ``task`` may read it."""
        repo = self.open(number)
        system = load_system(repo)
        parent = system.heads.get(parent_of or "")
        usable = parent is not None and parent.model is not None and system.may_use(task, parent.model)
        self.seeds += 1
        state = evolve_sample(
            repo,
            task,
            score=score,
            parent=parent.model_id if parent is not None and usable else None,
            trains=trains,
            seed=self.seeds,
        )
        self._note(number, task, state.commit)
        model_id = repo.objects.commit(state.commit).model
        for ref in repo.objects.model(model_id).components if model_id else ():
            self.taught[ref.id] = frozenset(ref.training)

    def remove(self, number: int, task: str) -> None:
        """Removes a task, as ``rm-task`` does."""
        self._note(number, task, rm_task.rm_task(self.open(number), self.context(number), task).commit_id)

    def reset(self, number: int, task: str, entry: int) -> None:
        """Goes back to an earlier entry of a head, as ``reset`` does."""
        try:
            result = reset.reset(self.open(number), self.context(number), task, f"@{{{entry}}}")
        except NotFoundError as exc:
            if not is_usual(exc):
                raise
            return
        if result.commit is not None:
            self._note(number, task, result.commit)

    def tag(self, number: int, name: str) -> None:
        """Tags the system as it is; a tag of that name stays as it is."""
        try:
            tag.create(self.open(number), self.context(number), name)
        except AlreadyExistsError:
            return

    def purge(self, number: int, task: str, meanwhile: Callable[[], None] = lambda: None) -> None:
        """Purges a task from the remote, as ``rm-task --purge`` does; ``meanwhile`` happens while it waits."""

        def settle() -> None:
            meanwhile()
            self._settle()

        purge.purge(self.open(number), self.context(number), task, remote="origin", settle=settle)
        told = purged(self.remote)
        there = {node for node in told.nodes if object_file(self.remote, *node).is_file()}
        self.gone |= {node for node in told.nodes - there if node[0] != "task"}
        held = reached(self.remote, told)
        left = {oid for oid, taught in self.taught.items() if task in taught and ("component", oid) not in held}
        kept = [oid for oid in left if object_file(self.remote, "component", oid).is_file()]
        assert not kept, f"components of {task} outlived its purge: {kept}"

    def purge_here(self, number: int, task: str) -> None:
        """Purges a task from a working copy."""
        purge.purge(self.open(number), self.context(number), task)

    def gc(self, number: int, *, here: bool) -> None:
        """Collects garbage on the remote, or in a working copy."""
        remote = None if here else "origin"
        gc.gc(self.open(number), self.context(number), remote=remote, dry_run=False, settle=self._settle)

    def _settle(self) -> None:
        self.elapsed_s += purge.SETTLE_S

    def push(self, number: int, tasks: tuple[str, ...] = ()) -> Exchange:
        """Pushes, and believes what it says."""
        exchange = push.push(self.open(number), self.context(number), "origin", tasks)
        for report in exchange.tasks:
            if report.outcome in _SENT and report.commit is not None:
                self.sent.setdefault(report.task, []).append(report.commit)
        return exchange

    def pull(self, number: int, tasks: tuple[str, ...] = ()) -> Exchange:
        """Pulls."""
        return pull.pull(self.open(number), self.context(number), "origin", tasks)

    def clone(self, number: int, *, full: bool) -> None:
        """Replaces a working copy by a fresh clone; work it did not push is gone."""
        shutil.rmtree(self.path(number).parent)
        self.inspector.forget(self.path(number))
        self.moved = {place: commits for place, commits in self.moved.items() if place[0] != number}
        result = clone(str(self.remote), self.path(number).parent, self.context(number), full, readers=[TEAM])
        replace_file(result.path / "state" / "agent", _agent(number))
        self._follow(self.open(number), number)

    def pass_time(self, seconds: float) -> None:
        """Lets time pass for all clocks, and for the age of every file on the remote and in the working copies."""
        self.elapsed_s += seconds
        for repo in self.repositories():
            for path in (repo / "objects", repo / "refs", repo / "state"):
                for file in path.rglob("*"):
                    told = file.stat()
                    os.utime(file, ns=(told.st_atime_ns, told.st_mtime_ns - int(seconds * 1e9)))

    def repositories(self) -> list[Path]:
        """Returns every repository there is."""
        places = [*(self.path(number) for number in range(self.clones)), self.remote]
        return [place for place in places if (place / "config.toml").is_file()]

    def _note(self, number: int, task: str, commit: str) -> None:
        self.moved.setdefault((number, task), []).append(commit)

    def _settle_in(self, repo: Repository, number: int) -> None:
        replace_file(repo.state / "agent", _agent(number))
        remote = Remote(name="origin", url=str(self.remote), readers=(TEAM,), partial=number % 2 == 1)
        repo.update_config(lambda config: config.with_remote(remote))
        self._follow(repo, number)

    def _follow(self, repo: Repository, number: int) -> None:
        """Lets the first working copy do as others purge; all others keep what they have."""
        repo.update_config(lambda config: config.with_setting("pull.follow_purges", value=number == 0))


def is_usual(error: Mu2netError) -> bool:
    """Returns whether an error comes of what people did: of tags of one name, no remote yet, purged work."""
    return any(words in error.message for words in _USUAL)


def _agent(number: int) -> bytes:
    return f"{number:032x}\n".encode()


def is_shared(task: str) -> bool:
    """Returns whether the group that reads the remote may read a task."""
    return RULES[task].allows_all(AccessRule.only([TEAM]))
