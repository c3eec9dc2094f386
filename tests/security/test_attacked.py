"""Whatever somebody does who may write to the remote: nobody loses work, and only what he touched stands still.

Random schedules of honest people and an attacker, who is another writer of their remote; in half of them all honest
work is signed. ``MU2NET_TEST_PROFILE=nightly`` runs thousands of steps; the default two hundred, always the same.
"""

from __future__ import annotations

import shutil
import sys
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from mu2net_core.storage import LocalStore
from mu2net_core.testing.attacks.attacker import Attacker
from mu2net_core.testing.worlds.invariants import head_log
from mu2net_core.testing.worlds.schedules import CLONES, LAYERS, NIGHTLY, memory_folder, schedule_settings
from mu2net_core.testing.worlds.siege import ATTACKS, Siege, besiege
from mu2net_core.testing.worlds.stage import RULES, is_shared

EXAMPLES, STEPS = (100, 50) if NIGHTLY else (8, 25)
STEPS_DONE: Counter[str] = Counter()

TASKS = st.sampled_from(sorted(RULES))
SHARED = st.sampled_from(sorted(filter(is_shared, RULES)))
SCORES = st.sampled_from([0.3, 0.5, 0.5, 0.7, 0.9])


class Attacked(RuleBasedStateMachine):
    @initialize(strict=st.booleans())
    def begin(self, strict: bool) -> None:
        self.folder = memory_folder()
        self.siege = Siege(self.folder, strict=strict)
        for task in sorted(filter(is_shared, RULES)):
            self.siege.add(0, task)
            self.siege.evolve(0, task, 0.5, None, ["embedding", "head"])
        self.siege.push(0)
        self.siege.pull(1)

    def teardown(self) -> None:
        if not hasattr(self, "siege"):
            return
        try:
            if sys.exc_info()[0] is None:
                self.siege.lift()
                self.siege.check()
                self.siege.check_with_fsck()
        finally:
            shutil.rmtree(self.folder)

    @rule(what=st.sampled_from(sorted(ATTACKS)), task=SHARED, other=SHARED)
    def attack(self, what: str, task: str, other: str) -> None:
        STEPS_DONE["attacks"] += 1
        self.siege.attack(what, task, other)

    @rule(what=st.sampled_from(sorted(ATTACKS)), task=SHARED, other=SHARED, clone=CLONES, far=st.booleans())
    def attack_who_works_together(self, what: str, task: str, other: str, clone: int, far: bool) -> None:
        self.attack(what, task, other)
        self.siege.work_together(clone, (clone + 1 + far) % 3, other)

    @rule(what=st.sampled_from(sorted(ATTACKS)), task=SHARED, other=SHARED, clone=CLONES, full=st.booleans())
    def attack_who_clones(self, what: str, task: str, other: str, clone: int, full: bool) -> None:
        self.attack(what, task, other)
        self.siege.clone(clone, full=full)

    @rule(clone=CLONES, other=CLONES, task=SHARED)
    def work_together(self, clone: int, other: int, task: str) -> None:
        if clone != other:
            self.siege.work_together(clone, other, task)

    @rule(clone=CLONES, task=TASKS)
    def add(self, clone: int, task: str) -> None:
        self.siege.add(clone, task)

    @rule(clone=CLONES, task=TASKS, parent=TASKS, score=SCORES, trains=LAYERS)
    def evolve(self, clone: int, task: str, parent: str, score: float, trains: list[str]) -> None:
        if task in self.siege.alive(clone):
            self.siege.evolve(clone, task, score, parent, trains)

    @rule(clone=CLONES)
    def push(self, clone: int) -> None:
        self.siege.exchange(clone, self.siege.push)

    @rule(clone=CLONES)
    def pull(self, clone: int) -> None:
        self.siege.exchange(clone, self.siege.pull)

    @rule(clone=CLONES, full=st.booleans())
    def clone_afresh(self, clone: int, full: bool) -> None:
        self.siege.clone(clone, full=full)

    @rule(clone=CLONES, task=TASKS, back=st.integers(0, 3))
    def reset(self, clone: int, task: str, back: int) -> None:
        if task in self.siege.alive(clone):
            moves = len(head_log(self.siege.path(clone), task)) - 1
            self.siege.reset(clone, task, min(back, moves))

    @rule(clone=CLONES, name=st.sampled_from(["v1", "v2"]))
    def tag(self, clone: int, name: str) -> None:
        self.siege.tag(clone, name)

    @precondition(lambda self: not self.siege.strict)
    @rule(clone=CLONES, task=TASKS)
    def remove(self, clone: int, task: str) -> None:
        if task in self.siege.alive(clone):
            self.siege.remove(clone, task)

    @rule(clone=CLONES)
    def collect(self, clone: int) -> None:
        self.siege.gc(clone, here=True)

    @rule(seconds=st.sampled_from([1, 61, 8 * 86400, 15 * 86400]))
    def time_passes(self, seconds: float) -> None:
        self.siege.pass_time(seconds)

    @invariant()
    def nothing_broke(self) -> None:
        if hasattr(self, "siege"):
            STEPS_DONE["steps"] += 1
            self.siege.check()


class TestAttacked(Attacked.TestCase):
    settings = schedule_settings(EXAMPLES, STEPS, shortens=False)


@pytest.mark.parametrize("attack", sorted(ATTACKS))
def test_an_attack_hits_what_it_names_and_nothing_else(folder: Path, attack: str) -> None:
    besiege(folder, attack)


@pytest.mark.parametrize("attack", ["foreign history", "ordinary", "rewritten", "wider"])
def test_where_signatures_are_required_nothing_unsigned_is_taken_over(folder: Path, attack: str) -> None:
    besiege(folder, attack, strict=True)


def test_nobody_honest_is_said_to_go_back_who_joins_what_others_joined(folder: Path) -> None:
    siege = Siege(folder)
    siege.add(0, "pub-a")
    siege.push(0)
    siege.pull(1)
    siege.evolve(0, "pub-a", 0.5, None, ["head"])
    siege.evolve(1, "pub-a", 0.3, None, ["head"])
    siege.add(2, "pub-a")
    siege.evolve(2, "pub-a", 0.3, None, ["head"])
    for number in (0, 1, 2):
        siege.exchange(number, siege.pull)
        siege.exchange(number, siege.push)
    for number in (0, 1):  # who never saw the merge that was joined further
        (report,) = siege.pull(number).tasks
        assert report.outcome == "updated"


@pytest.mark.parametrize("attack", ["absurd time", "poisoned counters"])
def test_a_push_tells_that_the_only_task_is_broken_over_there(folder: Path, attack: str) -> None:
    siege = Siege(folder)
    siege.add(0, "pub-a")
    siege.push(0)
    siege.attack(attack, "pub-a", "pub-b")
    Attacker(store=LocalStore(siege.remote)).begin_epoch()  # so that a push looks at all there is
    (report,) = siege.push(0).tasks
    assert (report.task, report.outcome) == ("pub-a", "broken")


@pytest.fixture(scope="module", autouse=True)
def _say_how_many() -> object:
    yield
    print(f"\n{dict(STEPS_DONE)}")
