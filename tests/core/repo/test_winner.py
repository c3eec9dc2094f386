"""What a reset left behind does not come back through a better score; any order of merges finds the same winner."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import reduce

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mu2net_core.objects import (
    REFIT,
    Agent,
    Architecture,
    Commit,
    ComponentRef,
    Merge,
    Model,
    Mutation,
    Scorer,
    Task,
    encode,
    hash_bytes,
)
from mu2net_core.repo.history.merging import ancestry, choose, merge
from mu2net_core.repo.history.winner import contenders

REF = ComponentRef(id="0" * 64, name="head", num_params=1, size_bytes=1, trainable=True, operation="root")
ANN = Agent(id="ann", host="here", device="cpu")
TASK = "1" * 64
ROOT = "2" * 64


def at(minute: int) -> str:
    return f"2026-01-01T{minute // 60:02d}:{minute % 60:02d}:00.000000+00:00"


@dataclass
class Line:
    """The history of one task, whose every iteration retains a child of the model before it."""

    values: dict[str, Commit | Model | Task] = field(default_factory=dict)
    minutes: int = 0

    def commit(self, oid: str) -> Commit:
        found = self.values[oid]
        assert isinstance(found, Commit)
        return found

    def model(self, oid: str) -> Model:
        found = self.values[oid]
        assert isinstance(found, Model)
        return found

    def task(self, oid: str) -> Task:
        raise KeyError(oid)

    def put(self, value: Commit | Model) -> str:
        oid = hash_bytes(encode(value))
        self.values[oid] = value
        return oid

    def work(
        self, *parents: str, score: float, from_root: bool = False, task_id: str = TASK, merged_with: str | None = None
    ) -> str:
        donor = None if merged_with is None else self.commit(merged_with).model
        merged = {} if donor is None else {"head": Merge(component=REF.id, model=donor, weight=0.5)}
        before = self.commit(parents[0]).model if parents and not from_root else None
        model = Model(
            task="t",
            task_id=task_id,
            parent=before or self.root,
            architecture=Architecture(name="vit", config={}),
            components=(replace(REF, operation="merge" if merged else "clone"),),
            merges=merged or None,
            hyperparameters={},
            score=score,
            scorer=Scorer(),
            seed=self.minutes,
        )
        return self._commit(parents, model=self.put(model), task_id=task_id)

    def refit(self, head: str) -> str:
        basis = self.commit(head).model
        made = replace(self.model(basis), parent=basis, mutations=(Mutation(name=REFIT),))
        return self._commit((head,), model=self.put(made), refit_of=basis)

    def keep(self, head: str) -> str:
        return self._commit((head,), model=self.commit(head).model)

    def reset(self, head: str, target: str) -> str:
        to = self.commit(target)
        return self._commit((head,), model=to.model, task_id=to.task_id, reset_to=target)

    def join(self, *tips: str) -> str:
        oid, commit = merge(self, tips)
        assert self.put(commit) == oid
        return oid

    def kept(self, oid: str) -> float | None:
        model = self.commit(oid).model
        return None if model is None else self.model(model).score

    @property
    def root(self) -> str:
        return self.put(Model(architecture=Architecture(name="vit", config={}), components=(REF,), hyperparameters={}))

    def _commit(self, parents: tuple[str, ...], **values: object) -> str:
        self.minutes += 1
        when = at(self.minutes)
        commit = Commit(task="t", task_id=TASK, parents=parents, agent=ANN, started_at=when, finished_at=when)
        return self.put(replace(commit, **values))  # type: ignore[arg-type]


@pytest.fixture
def line() -> Line:
    return Line()


def test_a_refit_is_kept_before_the_model_that_it_is_one_of_whichever_is_newer(line: Line) -> None:
    found = line.work(score=0.5)
    refit = line.refit(found)
    kept, other = line.keep(found), line.work(score=0.4)
    for sides in ((refit, kept), (kept, refit), (other, kept, refit)):
        assert line.commit(line.join(*sides)).model == line.commit(refit).model
    assert line.kept(line.join(refit, line.work(found, score=0.6))) == 0.6


class TestReset:
    def test_what_builds_on_the_model_left_behind_does_not_win(self, line: Line) -> None:
        good = line.work(score=0.5)
        bad = line.work(good, score=0.9)
        back, meanwhile = line.reset(bad, good), line.work(bad, score=0.99)
        merged = line.join(back, meanwhile)
        assert line.kept(merged) == 0.5
        assert line.kept(line.join(line.work(merged, score=0.6), line.work(meanwhile, score=1.0))) == 0.6

    def test_what_was_merged_with_the_model_left_behind_does_not_win_either(self, line: Line) -> None:
        good = line.work(score=0.5)
        bad = line.work(good, score=0.9)
        back = line.reset(bad, good)
        beside = line.work(bad, score=0.99, from_root=True, merged_with=good)
        assert line.kept(line.join(back, beside)) == 0.99
        tainted = line.work(bad, score=1.0, from_root=True, merged_with=bad)
        assert line.kept(line.join(back, tainted)) == 0.5
        later = line.work(tainted, score=1.0, from_root=True, merged_with=tainted)
        assert line.kept(line.join(back, later)) == 0.5

    def test_the_head_that_was_left_behind_is_no_news(self, line: Line) -> None:
        good = line.work(score=0.5)
        bad = line.work(good, score=0.9)
        back = line.reset(bad, good)
        assert line.join(back, bad) == back

    def test_work_on_other_models_still_competes(self, line: Line) -> None:
        good = line.work(score=0.5)
        bad = line.work(good, score=0.9)
        back, elsewhere = line.reset(bad, good), line.work(bad, score=0.7, from_root=True)
        assert line.kept(line.join(back, elsewhere)) == 0.7
        older = line.work(good, score=0.8)
        assert line.kept(line.join(back, older)) == 0.8

    def test_an_iteration_that_found_nothing_better_does_not_bring_the_model_back(self, line: Line) -> None:
        good = line.work(score=0.5)
        bad = line.work(good, score=0.9)
        same = line._commit((bad,), model=line.commit(bad).model)
        assert line.kept(line.join(line.reset(bad, good), same)) == 0.5

    def test_a_reset_can_be_reset(self, line: Line) -> None:
        good = line.work(score=0.5)
        middle = line.work(good, score=0.6)
        bad = line.work(middle, score=0.9)
        again = line.reset(line.reset(bad, good), bad)
        meanwhile = line.work(bad, score=0.99)
        assert line.kept(line.join(again, meanwhile)) == 0.99
        half = line.reset(line.reset(bad, good), middle)
        assert line.kept(line.join(half, meanwhile)) == 0.6
        assert line.kept(line.join(half, line.work(middle, score=0.7))) == 0.7

    def test_what_somebody_chose_knowing_of_the_reset_counts_again(self, line: Line) -> None:
        good = line.work(score=0.5)
        bad = line.work(good, score=0.9)
        back = line.reset(bad, good)
        chosen = line.put(choose(line, keep=line.work(bad, score=0.95), other=back, agent=ANN, now=at(300)))
        assert line.kept(line.join(chosen, back)) == 0.95
        assert line.kept(line.join(chosen, line.work(chosen, score=0.97))) == 0.97

    def test_of_two_resets_the_one_that_goes_further_back_holds(self, line: Line) -> None:
        first = line.work(score=0.5)
        second = line.work(first, score=0.6)
        third = line.work(second, score=0.9)
        assert line.kept(line.join(line.reset(third, first), line.reset(third, second))) == 0.5

    def test_resets_to_either_side_of_a_merge_leave_the_score_to_decide(self, line: Line) -> None:
        base = line.work(score=0.1)
        left, right = line.work(base, score=0.5), line.work(base, score=0.6)
        joined = line.join(left, right)
        to_left, to_right = line.reset(joined, left), line.reset(joined, right)
        assert set(contenders(line, [to_left, to_right])) == {to_left, to_right}
        assert line.kept(line.join(to_left, to_right)) == 0.6

    def test_a_definition_that_was_left_behind_is_no_conflict(self, line: Line) -> None:
        good = line.work(score=0.5)
        other = line.work(good, score=0.9, from_root=True, task_id="3" * 64)
        back, meanwhile = line.reset(other, good), line.work(other, score=0.95, task_id="3" * 64)
        merged = line.commit(line.join(back, meanwhile))
        assert merged.task_id == TASK

    def test_a_reset_to_what_is_not_in_its_history_changes_nothing(self, line: Line) -> None:
        good = line.work(score=0.5)
        odd = line._commit((good,), model=line.commit(good).model, reset_to="f" * 64)
        assert line.kept(line.join(odd, line.work(good, score=0.9))) == 0.9


Step = tuple[str, int, int, int]
STEPS = st.lists(
    st.tuples(
        st.sampled_from(["work", "work", "other", "merge", "reset"]),
        st.integers(0, 2),
        st.integers(0, 9),
        st.integers(0, 3),
    ),
    max_size=16,
)


@given(STEPS)
def test_any_order_of_merges_and_resets_ends_in_the_same_commit(steps: list[Step]) -> None:
    line = Line()
    heads = [line.work(score=0.0)] * 3
    for what, me, other, score in steps:
        if what == "merge":
            heads[me] = line.join(heads[me], heads[other % 3])
        elif what == "reset":
            past = sorted(ancestry(line, [heads[me]]))
            heads[me] = line.reset(heads[me], past[other % len(past)])
        else:
            heads[me] = line.work(heads[me], score=score / 3, from_root=what == "other")
    a, b, c = heads
    whole = line.join(line.join(a, b), c)
    assert whole == line.join(a, line.join(c, b)) == line.join(c, b, a) == reduce(line.join, [b, a, b, c])
    assert line.commit(whole).model in {line.commit(oid).model for oid in heads}
