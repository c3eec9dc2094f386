"""Whatever anybody does to remotes, no honest working copy ever sends something to somebody who may not have it.

Random histories of honest people who share with several circles of readers, with attackers who write into the same
remotes; an oracle that was told of honest work as it was done judges every byte as it is sent.
``MU2NET_TEST_PROFILE=nightly`` runs thousands of steps; the default a few hundred, always the same ones.
"""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Callable, Sequence
from typing import TypeVar

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from mu2net_core.errors import Mu2netError
from mu2net_core.objects import Training
from mu2net_core.testing.worlds.circles import CIRCLES, READERS, TASKS, Circles
from mu2net_core.testing.worlds.schedules import CLONES, LAYERS, NIGHTLY, memory_folder, schedule_settings
from mu2net_core.testing.worlds.spying import Spy

EXAMPLES, STEPS = (130, 50) if NIGHTLY else (10, 30)
pytestmark = pytest.mark.timeout(3_600 if NIGHTLY else 300)
STEPS_DONE: Counter[str] = Counter()

REMOTES = st.sampled_from(sorted(CIRCLES))
NAMES = st.sampled_from(TASKS)
SCORES = st.sampled_from([0.3, 0.5, 0.7])
PICKS = st.integers(0, 999)
PRIVATE = ["root", "model", "head", "tag", "snapshot", "old tag"]


T = TypeVar("T")


def chosen(pick: int, items: Sequence[T]) -> T:
    """Returns one of the items, so that what is drawn never depends on what is there."""
    return items[pick % len(items)]


class Sharing(RuleBasedStateMachine):
    @initialize(readers=st.lists(st.sampled_from(READERS), min_size=4, max_size=4))
    def begin(self, readers: list[tuple[str, ...] | None]) -> None:
        self.folder = memory_folder()
        self.circles = Circles(self.folder)
        for number, (task, rule_) in enumerate(zip(TASKS, readers, strict=False)):
            self.circles.add(number % 2, task, rule_)
            self.circles.evolve(number % 2, task, trains=["embedding", "head"])
        for copy in (0, 1):
            for remote in CIRCLES:
                self.circles.push(copy, remote)

    def teardown(self) -> None:
        if hasattr(self, "circles"):
            shutil.rmtree(self.folder)

    # What honest people do.

    @rule(copy=CLONES, task=NAMES, readers=st.sampled_from(READERS))
    def add(self, copy: int, task: str, readers: tuple[str, ...] | None) -> None:
        self.circles.add(copy, task, readers)

    @rule(copy=CLONES, pick=PICKS, parent=PICKS, score=SCORES, trains=LAYERS)
    def evolve(self, copy: int, pick: int, parent: int, score: float, trains: list[str]) -> None:
        if tasks := self.circles.alive(copy):
            self.circles.evolve(copy, chosen(pick, tasks), score, chosen(parent, tasks), trains)

    @rule(copy=CLONES, remote=REMOTES)
    def push(self, copy: int, remote: str) -> None:
        self.circles.push(copy, remote)

    @rule(copy=CLONES)
    def push_everywhere(self, copy: int) -> None:
        for remote in CIRCLES:
            self.circles.push(copy, remote)

    @rule(copy=CLONES, remote=REMOTES, pick=PICKS)
    def push_one(self, copy: int, remote: str, pick: int) -> None:
        if tasks := self.circles.alive(copy):
            self.circles.push(copy, remote, (chosen(pick, tasks),))

    @rule(copy=CLONES, remote=REMOTES)
    def plan_push(self, copy: int, remote: str) -> None:
        self.circles.plan_push(copy, remote)

    @rule(copy=CLONES, remote=REMOTES)
    def pull(self, copy: int, remote: str) -> None:
        self.circles.pull(copy, remote)

    @rule(copy=CLONES)
    def pull_from_everywhere(self, copy: int) -> None:
        for remote in CIRCLES:
            self.circles.pull(copy, remote)

    @rule(copy=CLONES, remote=REMOTES, other=REMOTES)
    def fetch_and_merge(self, copy: int, remote: str, other: str) -> None:
        self.circles.fetch(copy, remote)
        self.circles.merge(copy, other)

    @rule(copy=CLONES, remote=REMOTES, full=st.booleans())
    def clone(self, copy: int, remote: str, full: bool) -> None:
        self.circles.clone(copy, remote, full=full)

    @rule(copy=CLONES, pick=PICKS, back=st.integers(1, 3))
    def reset(self, copy: int, pick: int, back: int) -> None:
        if tasks := self.circles.alive(copy):
            self.circles.reset(copy, chosen(pick, tasks), back)

    @rule(copy=CLONES, name=st.sampled_from(["v1", "v2"]), public=st.booleans())
    def tag(self, copy: int, name: str, public: bool) -> None:
        self.circles.tag(copy, name, public=public)

    @rule(copy=CLONES, pick=PICKS, forever=st.booleans())
    def remove(self, copy: int, pick: int, forever: bool) -> None:
        if tasks := self.circles.alive(copy):
            (self.circles.purge_here if forever else self.circles.remove)(copy, chosen(pick, tasks))

    @rule(copy=CLONES, follow=st.booleans())
    def follow_purges(self, copy: int, follow: bool) -> None:
        self.circles.change(copy, "pull.follow_purges", value=follow)

    @rule(copy=CLONES, task=NAMES)
    def undo(self, copy: int, task: str) -> None:
        self.circles.undo(copy, task)

    @rule(copy=CLONES, remote=REMOTES, pick=PICKS)
    def purge_there(self, copy: int, remote: str, pick: int) -> None:
        may_know = self.circles.oracle.may_know_of
        if tasks := [task for task in self.circles.heads(remote) if may_know(copy, task, CIRCLES[remote])]:
            self.circles.purge_there(copy, remote, chosen(pick, tasks))

    @rule(copy=CLONES, remote=REMOTES, here=st.booleans())
    def repair(self, copy: int, remote: str, here: bool) -> None:
        (self.circles.repair_here if here else self.circles.repair_there)(copy, remote)

    @rule(copy=CLONES, remote=REMOTES, here=st.booleans())
    def collect(self, copy: int, remote: str, here: bool) -> None:
        if here:
            self.circles.gc_here(copy)
            self.circles.prune(copy)
        else:
            self.circles.gc_there(copy, remote)

    # What attackers do.

    @rule(remote=REMOTES, pick=PICKS, at=PICKS, how=st.sampled_from(["plain", "taught", "ancestor", "root"]))
    def hide_training(self, remote: str, pick: int, at: int, how: str) -> None:
        victims = self.circles.victims(remote) or self.circles.victims("pub")
        tasks = self.circles.heads(remote)
        if not victims or not tasks:
            return
        victim, task = chosen(pick, victims), chosen(at, tasks)
        taught = {task: Training(steps=1, examples=1)}
        attack: dict[str, Callable[[Spy], object]] = {
            "plain": lambda attacker: attacker.forged_training(task, victim),
            "taught": lambda attacker: attacker.forged_training(task, victim, taught),
            "ancestor": lambda attacker: attacker.forged_ancestor(task, victim),
            "root": lambda attacker: attacker.forged_root(victim),
        }
        self.attack(remote, attack[how])

    @rule(remote=REMOTES, task=NAMES, picks=st.lists(PICKS, max_size=3), stone=st.booleans())
    def forge_purge(self, remote: str, task: str, picks: list[int], stone: bool) -> None:
        nodes = sorted(self.circles.oracle.facts)
        listed = {chosen(pick, nodes) for pick in picks if nodes}
        self.attack(remote, lambda attacker: attacker.forged_purge(task, listed=listed, stone=stone))

    @rule(remote=REMOTES, pick=PICKS, how=st.sampled_from(["wider", "rewritten", "emptied", "counters", "stone"]))
    def forge_head(self, remote: str, pick: int, how: str) -> None:
        if not (tasks := self.circles.heads(remote)):
            return
        task = chosen(pick, tasks)
        attack: dict[str, Callable[[Spy], object]] = {
            "wider": lambda attacker: attacker.wider_task_object(task),
            "rewritten": lambda attacker: attacker.rewritten(task),
            "emptied": lambda attacker: attacker.rewritten(task, keeps_model=False),
            "counters": lambda attacker: attacker.poison_counters(task),
            "stone": lambda attacker: attacker.forged_stone(task),
        }
        self.attack(remote, attack[how])

    @rule(remote=REMOTES)
    def rewrite_all(self, remote: str) -> None:
        for task in self.circles.heads(remote):
            self.attack(remote, lambda attacker, task=task: attacker.rewritten(task))

    @rule(remote=REMOTES, pick=PICKS, at=PICKS, name=NAMES, how=st.sampled_from(PRIVATE))
    def name_what_is_private(self, remote: str, pick: int, at: int, name: str, how: str) -> None:
        oracle, tasks = self.circles.oracle, self.circles.heads(remote)
        models, commits = oracle.private(CIRCLES[remote], "model"), oracle.private(CIRCLES[remote], "commit")
        if not models or not commits or not tasks:
            return
        task, model, commit = chosen(at, tasks), chosen(pick, models), chosen(pick, commits)
        attack: dict[str, Callable[[Spy], object]] = {
            "root": lambda attacker: attacker.root_of(model),
            "model": lambda attacker: attacker.other_model(task, model),
            "head": lambda attacker: attacker.head_of(name, commit),
            "tag": lambda attacker: attacker.tag_of({name: commit}),
            "old tag": lambda attacker: attacker.tag_of({task: commit}, claims_name=False),
            "snapshot": lambda attacker: attacker.snapshot_naming(task, {name: commit}),
        }
        self.attack(remote, attack[how])

    @rule(remote=REMOTES, pick=PICKS, at=PICKS, name=st.sampled_from(["team-a", "team-b", *TASKS]))
    def confuse(self, remote: str, pick: int, at: int, name: str) -> None:
        task = chosen(at, self.circles.heads(remote) or ["none"])
        attacks: list[Callable[[Spy], object]] = [
            lambda attacker: attacker.group_name(name),
            lambda attacker: attacker.begin_epoch(),
            lambda attacker: attacker.config_of_a_partial_clone(),
            lambda attacker: attacker.delete("objects/component"),
            lambda attacker: attacker.delete("objects"),
            lambda attacker: attacker.delete("refs/purged"),
            lambda attacker: attacker.rollback(task, 1, forget=True),
            lambda attacker: attacker.merge_across(task, name),
            lambda attacker: attacker.foreign_history(task),
        ]
        self.attack(remote, chosen(pick, attacks))

    def attack(self, remote: str, how: Callable[[Spy], object]) -> None:
        STEPS_DONE["attacks"] += 1
        try:
            how(self.circles.attacker(remote))
        except (Mu2netError, AssertionError, ValueError):  # he is in his own way: what he built on is gone
            STEPS_DONE["in his own way"] += 1

    @invariant()
    def nothing_leaked(self) -> None:
        if hasattr(self, "circles"):
            STEPS_DONE["steps"] += 1
            assert not self.circles.oracle.leaks


class TestSharing(Sharing.TestCase):
    settings = schedule_settings(EXAMPLES, STEPS, shortens=False)


@pytest.fixture(scope="module", autouse=True)
def _say_how_many() -> object:
    yield
    print(f"\n{dict(STEPS_DONE)}")
    if NIGHTLY:
        assert STEPS_DONE["steps"] >= 5000
