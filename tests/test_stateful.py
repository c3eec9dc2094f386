"""Random schedules of several working copies and one remote: whatever happens, in whatever order, nothing breaks.

``MU2NET_TEST_PROFILE=nightly`` runs thousands of steps; the default a few hundred, always the same ones.
"""

from __future__ import annotations

import shutil
import sys
from collections import Counter
from functools import partial
from unittest import mock

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from mu2net_core.errors import Mu2netError, StorageError
from mu2net_core.testing.servers.interception import Plan
from mu2net_core.testing.worlds.invariants import head_log
from mu2net_core.testing.worlds.schedules import CLONES, LAYERS, NIGHTLY, memory_folder, schedule_settings
from mu2net_core.testing.worlds.stage import RULES, is_usual
from mu2net_core.testing.worlds.world import World

EXAMPLES, STEPS = (250, 50) if NIGHTLY else (12, 30)
STEPS_DONE: Counter[str] = Counter()

TASKS = st.sampled_from(sorted(RULES))
SCORES = st.sampled_from([0.3, 0.5, 0.5, 0.7, 0.9])
PLANS = st.none() | st.builds(
    Plan,
    what=st.sampled_from(["crash", "crash", "refused", "lost", "flip"]),
    at=st.integers(1, 40),
    where=st.sampled_from(["remote", "remote", "own"]),
    late=st.booleans(),
)


class Schedule(RuleBasedStateMachine):
    @initialize()
    def begin(self) -> None:
        self.patch = mock.patch("os.fsync")  # a killed process leaves the machine running
        self.patch.start()
        self.folder = memory_folder()
        self.world = World(self.folder)
        self.last_error: Mu2netError | None = None

    def teardown(self) -> None:
        if not hasattr(self, "world"):
            return
        try:
            if self.world.remote.is_dir() and sys.exc_info()[0] is None:
                self.world.converge()
                self.world.check()
                self.world.check_with_fsck()
        finally:
            self.patch.stop()
            shutil.rmtree(self.folder)

    @rule(clone=CLONES, task=TASKS)
    def add(self, clone: int, task: str) -> None:
        self.world.add(clone, task)

    @rule(clone=CLONES, data=st.data(), score=SCORES, trains=LAYERS)
    def evolve(self, clone: int, data: st.DataObject, score: float, trains: list[str]) -> None:
        if tasks := self.world.alive(clone):
            task = data.draw(st.sampled_from(tasks))
            self.world.evolve(clone, task, score, data.draw(st.sampled_from([None, *tasks])), trains)

    @rule(clone=CLONES, plan=PLANS)
    def push(self, clone: int, plan: Plan | None) -> None:
        self.attempt(clone, lambda: self.world.push(clone), plan)

    @rule(clone=CLONES, task=TASKS, plan=PLANS)
    def push_one(self, clone: int, task: str, plan: Plan | None) -> None:
        if task in self.world.open(clone).refs.tasks():
            self.attempt(clone, lambda: self.world.push(clone, (task,)), plan)

    @precondition(lambda self: self.world.remote.is_dir())
    @rule(clone=CLONES, plan=PLANS)
    def pull(self, clone: int, plan: Plan | None) -> None:
        self.attempt(clone, lambda: self.world.pull(clone), plan)

    @rule(clone=CLONES, other=CLONES, at=st.integers(1, 40), data=st.data())
    def push_while_another_works(self, clone: int, other: int, at: int, data: st.DataObject) -> None:
        tasks = [task for task in self.world.alive(clone) if task in self.world.alive(other)]
        if not tasks:
            return
        task, score = data.draw(st.sampled_from(tasks)), data.draw(SCORES)
        self.world.evolve(clone, task, 0.5, None, ["head"])

        def meanwhile() -> None:
            self.world.evolve(other, task, score, None, ["head"])
            self.world.push(other)

        self.attempt(clone, lambda: self.world.push(clone), Plan(what="meanwhile", at=at), meanwhile)

    @precondition(lambda self: self.world.remote.is_dir())
    @rule(clone=CLONES, other=CLONES, data=st.data(), plan=PLANS, busy=st.booleans())
    def purge(self, clone: int, other: int, data: st.DataObject, plan: Plan | None, busy: bool) -> None:
        if tasks := self.world.shared():
            task = data.draw(st.sampled_from(tasks))

            def meanwhile() -> None:
                if busy:
                    self.world.push(other)

            self.attempt(clone, lambda: self.world.purge(clone, task, meanwhile), plan)

    @precondition(lambda self: self.world.remote.is_dir())
    @rule(clone=CLONES, other=CLONES, at=st.integers(1, 40), data=st.data())
    def push_while_another_purges(self, clone: int, other: int, at: int, data: st.DataObject) -> None:
        if tasks := self.world.shared():
            task = data.draw(st.sampled_from(tasks))
            plan = Plan(what="meanwhile", at=at)
            self.attempt(clone, lambda: self.world.push(clone), plan, lambda: self.world.purge(other, task))

    @rule(clone=CLONES, data=st.data(), plan=PLANS)
    def purge_here(self, clone: int, data: st.DataObject, plan: Plan | None) -> None:
        if tasks := self.world.open(clone).refs.tasks():
            task = data.draw(st.sampled_from(tasks))
            self.attempt(clone, lambda: self.world.purge_here(clone, task), plan)

    @rule(clone=CLONES, other=CLONES, at=st.integers(1, 60), here=st.booleans(), plan=PLANS)
    def gc(self, clone: int, other: int, at: int, here: bool, plan: Plan | None) -> None:
        if not here and not self.world.remote.is_dir():
            return
        plan = plan or Plan(what="meanwhile", at=at, where="own" if here else "remote")
        self.attempt(clone, lambda: self.world.gc(clone, here=here), plan, lambda: self.world.push(other))

    @rule(clone=CLONES, other=CLONES, at=st.integers(1, 40))
    def push_while_another_collects(self, clone: int, other: int, at: int) -> None:
        if self.world.remote.is_dir():
            collect = partial(self.world.gc, other, here=False)
            self.attempt(clone, lambda: self.world.push(clone), Plan(what="meanwhile", at=at), collect)

    @rule(clone=CLONES, data=st.data())
    def reset(self, clone: int, data: st.DataObject) -> None:
        if tasks := self.world.alive(clone):
            task = data.draw(st.sampled_from(tasks))
            moves = len(head_log(self.world.path(clone), task)) - 1
            self.world.reset(clone, task, data.draw(st.integers(0, min(3, moves))))

    @rule(clone=CLONES, name=st.sampled_from(["v1", "v2"]))
    def tag(self, clone: int, name: str) -> None:
        self.world.tag(clone, name)

    @rule(clone=CLONES, task=TASKS)
    def remove(self, clone: int, task: str) -> None:
        if task in self.world.alive(clone):
            self.world.remove(clone, task)

    @precondition(lambda self: self.world.remote.is_dir())
    @rule(clone=CLONES, full=st.booleans())
    def clone_afresh(self, clone: int, full: bool) -> None:
        self.world.clone(clone, full=full)

    @rule(seconds=st.sampled_from([1, 61, 3600, 8 * 86400, 15 * 86400]))
    def time_passes(self, seconds: float) -> None:
        self.world.pass_time(seconds)

    @rule(clone=CLONES, seconds=st.sampled_from([-86400.0, -30.0, 30.0, 86400.0]))
    def a_clock_jumps(self, clone: int, seconds: float) -> None:
        self.world.skew_s[clone] += int(seconds)

    @invariant()
    def nothing_broke(self) -> None:
        if hasattr(self, "world"):
            STEPS_DONE["steps"] += 1
            self.world.check()

    def attempt(self, clone: int, command: object, plan: Plan | None, *rest: object) -> None:
        error = self.world.run(clone, command, plan, *rest)  # type: ignore[arg-type]
        if error is not None and not expected(error, plan):
            raise error


def expected(error: Mu2netError, plan: Plan | None) -> bool:
    """Returns whether an error may come of what was done; anything else is a defect."""
    if is_usual(error):
        return True
    if plan is None:
        return False
    return isinstance(error, StorageError) or (plan.what == "flip" and error.kind == "corrupt-object")


class TestSchedules(Schedule.TestCase):
    settings = schedule_settings(EXAMPLES, STEPS)


@pytest.fixture(scope="module", autouse=True)
def _say_how_many() -> object:
    yield
    print(f"\n{STEPS_DONE['steps']} steps")
