"""What a merge is, and what it contains."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from functools import reduce

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mu2net_core.errors import ConflictError, InternalError
from mu2net_core.objects import (
    AccessRule,
)
from mu2net_core.repo.core.tombstones import redacted_task
from mu2net_core.repo.history.merging import ancestry, choose, contains, frontier, is_canonical_merge, merge, news
from mu2net_core.testing.building.samples import sample_task
from mu2net_core.testing.building.shelf import BOB, Shelf, at


class TestMerge:
    def test_two_tasks_just_added_have_no_model(self, shelf: Shelf) -> None:
        assert merge(shelf, [shelf.work(minute=1), shelf.work(minute=2)])[1].model is None

    def test_selections_are_maxima_per_agent(self, shelf: Shelf) -> None:
        one = shelf.work(selections={"m": {"a": 3, "b": 1}}, minute=1)
        two = shelf.work(selections={"m": {"a": 2, "c": 4}, "n": {"c": 1}}, minute=2)
        _, merged = merge(shelf, [one, two])
        assert merged.selections == {"m": {"a": 3, "b": 1, "c": 4}, "n": {"c": 1}}
        assert merged.times_selected("m") == 8

    def test_nothing_of_a_merge_depends_on_who_makes_it_when(self, shelf: Shelf) -> None:
        one, two = shelf.work(score=0.1, minute=3, iteration=4), shelf.work(score=0.2, minute=1, iteration=6)
        oid, merged = merge(shelf, [one, two])
        assert merged.agent is None
        assert (merged.iteration, merged.started_at, merged.finished_at) == (6, at(3), at(3))
        assert merge(shelf, [two, one]) == (oid, merged)

    def test_what_one_side_has_is_no_merge(self, shelf: Shelf) -> None:
        base = shelf.work(score=0.5)
        tip = shelf.work(base, score=0.1)
        assert merge(shelf, [base, tip]) == (tip, shelf.commit(tip))
        assert merge(shelf, [tip, tip])[0] == tip

    def test_a_removal_holds(self, shelf: Shelf) -> None:
        base = shelf.work(score=0.1)
        gone, evolved = shelf.work(base, score=0.1, removed=True), shelf.work(base, score=0.9)
        merged = shelf.join(gone, evolved)
        assert shelf.commit(merged).removed
        back = shelf.work(merged, score=0.9, minute=5)
        assert not shelf.commit(shelf.join(back, gone)).removed

    def test_two_purges_join_whoever_each_knew_to_be_a_reader(self, shelf: Shelf) -> None:
        rules = (AccessRule.only(["a", "b"]), AccessRule.only(["b"]))
        one, two = (shelf.work(removed=True, task_id=shelf.put(redacted_task("t", rule))) for rule in rules)
        assert shelf.commit(shelf.join(one, two)).removed
        again = shelf.work(one, task_id=shelf.put(sample_task("t")))
        with pytest.raises(ConflictError, match="purged on one side, and is there on the other"):
            shelf.join(again, two)

    def test_refuses_two_tasks(self, shelf: Shelf) -> None:
        one = shelf.work()
        two = shelf.put(replace(shelf.commit(one), task="u"))
        with pytest.raises(InternalError, match="different tasks: t, u"):
            merge(shelf, [one, two])


class TestChoose:
    def test_keeps_a_side_for_good(self, shelf: Shelf) -> None:
        worse, better = shelf.work(score=0.1), shelf.work(score=0.9, minute=1)
        chosen = shelf.put(choose(shelf, keep=worse, other=better, agent=BOB, now=at(7)))
        assert shelf.commit(chosen).model == shelf.commit(worse).model
        assert shelf.join(chosen, better) == chosen
        assert shelf.join(shelf.join(worse, better), chosen) == chosen

    def test_a_later_better_score_still_wins(self, shelf: Shelf) -> None:
        worse, better = shelf.work(score=0.1), shelf.work(score=0.9)
        chosen = shelf.put(choose(shelf, keep=worse, other=better, agent=BOB, now=at(7)))
        later = shelf.work(better, score=0.95)
        assert shelf.commit(shelf.join(chosen, later)).model == shelf.commit(later).model

    def test_settles_two_definitions(self, shelf: Shelf) -> None:
        one, two = shelf.work(score=0.1), shelf.work(score=0.2, task_id="3" * 64)
        chosen = choose(shelf, keep=two, other=one, agent=BOB, now=at(7))
        assert chosen.task_id == "3" * 64
        assert not is_canonical_merge(chosen)

    def test_refuses_two_tasks(self, shelf: Shelf) -> None:
        one = shelf.work()
        two = shelf.put(replace(shelf.commit(one), task="u"))
        with pytest.raises(InternalError, match="different tasks"):
            choose(shelf, keep=one, other=two, agent=BOB, now=at(7))


class TestHistory:
    def test_ancestry_has_each_commit_once(self, shelf: Shelf) -> None:
        base = shelf.work()
        left, right = shelf.work(base, minute=1), shelf.work(base, minute=2)
        joined = shelf.join(left, right)
        found = list(ancestry(shelf, [joined, left]))
        assert sorted(found) == sorted({base, left, right, joined})
        assert found[-1] == base

    def test_a_merge_contains_its_sides_and_its_like(self, shelf: Shelf) -> None:
        base = shelf.work()
        a, b, c = (shelf.work(base, minute=minute) for minute in (1, 2, 3))
        ab, bc, abc = shelf.join(a, b), shelf.join(b, c), shelf.join(a, b, c)
        assert contains(shelf, ab, a)
        assert contains(shelf, abc, bc)
        assert not contains(shelf, ab, bc)
        assert not contains(shelf, a, ab)
        assert contains(shelf, shelf.work(abc, minute=4), bc)

    def test_what_goes_on_from_a_commit_is_told_apart_without_its_history(self, shelf: Shelf) -> None:
        base = begin = tip = shelf.work(score=0.0)
        for number in range(9):
            begin = tip = shelf.work(tip, iteration=number)
        left, right = shelf.work(tip, minute=2), shelf.work(tip, minute=3)
        tip = shelf.work(shelf.join(left, right), minute=4)
        shelf.missing.add(base)
        assert contains(shelf, tip, begin)
        assert not contains(shelf, begin, tip)
        assert set(news(shelf, begin, tip)) == {tip, left, right, *shelf.commit(tip).parents}

    def test_history_that_is_gone_hides_nothing_of_what_a_commit_contains(self, shelf: Shelf) -> None:
        old = shelf.work(minute=1)
        part = shelf.work(old, minute=2)
        whole = shelf.work(part, minute=4, score=0.1)
        other = shelf.work(minute=3)
        shelf.missing.add(old)
        assert contains(shelf, shelf.work(shelf.work(whole, minute=5), minute=6), part)
        assert not contains(shelf, other, part)

    def test_the_frontier_takes_merges_apart(self, shelf: Shelf) -> None:
        base = shelf.work()
        a, b = shelf.work(base, minute=1), shelf.work(base, minute=2)
        later = shelf.work(a, minute=3)
        assert frontier(shelf, [shelf.join(a, b), later]) == tuple(sorted((b, later)))


Step = tuple[str, int, int, int]


STEPS = st.lists(
    st.tuples(st.sampled_from(["work", "work", "merge"]), st.integers(0, 3), st.integers(0, 3), st.integers(0, 2)),
    max_size=14,
)


def histories(steps: Iterable[Step]) -> tuple[Shelf, list[str]]:
    """Returns what four clones made of one base commit, working and merging as ``steps`` say."""
    shelf = Shelf()
    heads = [shelf.work(score=0.0)] * 4
    for number, (what, me, other, score) in enumerate(steps):
        if what == "work":
            counts = {"m": {f"agent{me}": number}}
            heads[me] = shelf.work(heads[me], score=score / 2, minute=number % 3, selections=counts, iteration=number)
        else:
            heads[me] = shelf.join(heads[me], heads[other])
    return shelf, heads


@given(STEPS)
def test_any_order_of_merges_ends_in_the_same_commit(steps: list[Step]) -> None:
    shelf, (a, b, c, d) = histories(steps)
    left = shelf.join(shelf.join(shelf.join(a, b), c), d)
    right = shelf.join(a, shelf.join(b, shelf.join(c, d)))
    crossed = shelf.join(shelf.join(d, b), shelf.join(c, a))
    assert left == right == crossed == shelf.join(d, c, b, a)
    assert reduce(shelf.join, [c, a, a, d, b, c]) == left


@given(STEPS)
def test_merging_again_changes_nothing(steps: list[Step]) -> None:
    shelf, heads = histories(steps)
    whole = shelf.join(*heads)
    assert shelf.join(whole, whole) == whole
    assert all(shelf.join(whole, head) == whole for head in heads)


@given(STEPS)
def test_a_merge_loses_no_work(steps: list[Step]) -> None:
    shelf, heads = histories(steps)
    whole = shelf.join(*heads)
    assert all(contains(shelf, whole, head) for head in heads)
    assert set(ancestry(shelf, frontier(shelf, heads))) <= set(ancestry(shelf, [whole]))
    best = max(shelf.model(shelf.commit(oid).model or "").score or 0 for oid in frontier(shelf, heads))
    model = shelf.commit(whole).model
    assert model is not None
    assert shelf.model(model).score == best


@given(STEPS)
def test_what_is_new_and_what_is_contained_is_what_the_histories_say(steps: list[Step]) -> None:
    shelf, heads = histories(steps)
    everything = sorted({oid for head in heads for oid in ancestry(shelf, [head])})
    histories_of = {oid: list(ancestry(shelf, [oid])) for oid in everything}
    for one in everything:
        for other in everything:
            beyond = tuple(oid for oid in histories_of[other] if oid not in histories_of[one])
            assert news(shelf, one, other) == beyond
            assert contains(shelf, one, other) == ({*frontier(shelf, [other])} <= {*histories_of[one]})
