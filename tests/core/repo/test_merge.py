from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import reduce

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mu2net_core.errors import ConflictError, InternalError, NotFoundError
from mu2net_core.objects import (
    AccessRule,
    Agent,
    Architecture,
    Classes,
    Commit,
    ComponentRef,
    Costs,
    Model,
    Scorer,
    Task,
    encode,
    hash_bytes,
)
from mu2net_core.repo.core.tombstones import redacted_task
from mu2net_core.repo.history.merging import ancestry, choose, contains, frontier, is_canonical_merge, merge, news
from mu2net_core.scoring import SCORERS, decay
from mu2net_core.testing.building.plugins import offer
from mu2net_core.testing.building.samples import sample_task

BOB = Agent(id="bob", host="there", device="none")
REF = ComponentRef(id="0" * 64, name="head", num_params=1, size_bytes=1, trainable=True, operation="root")


def at(minute: int) -> str:
    return f"2026-01-01T00:{minute:02d}:00.000000+00:00"


@dataclass
class Shelf:
    """Commits and models of one task by id."""

    commits: dict[str, Commit] = field(default_factory=dict)
    models: dict[str, Model] = field(default_factory=dict)
    tasks: dict[str, Task] = field(default_factory=dict)
    missing: set[str] = field(default_factory=set)

    def commit(self, oid: str) -> Commit:
        if oid in self.missing:
            raise NotFoundError(oid)
        return self.commits[oid]

    def model(self, oid: str) -> Model:
        return self.models[oid]

    def task(self, oid: str) -> Task:
        return self.tasks[oid]

    def put(self, value: Commit | Model | Task) -> str:
        oid = hash_bytes(encode(value))
        shelf = {Commit: self.commits, Model: self.models, Task: self.tasks}[type(value)]
        shelf[oid] = value
        return oid

    def scored(self, score: float, scorer: Scorer | None = None) -> str:
        return self.put(
            Model(
                task="t",
                task_id="1" * 64,
                parent="2" * 64,
                architecture=Architecture(name="vit", config={}),
                components=(REF,),
                hyperparameters={},
                score=score,
                scorer=scorer or Scorer(),
            )
        )

    def work(
        self,
        *parents: str,
        score: float | None = None,
        minute: int = 0,
        task_id: str = "1" * 64,
        scorer: Scorer | None = None,
        selections: Mapping[str, Mapping[str, int]] | None = None,
        iteration: int = 0,
        removed: bool = False,
    ) -> str:
        return self.put(
            Commit(
                task="t",
                task_id=task_id,
                model=None if score is None else self.scored(score, scorer),
                parents=parents,
                selections=selections or {},
                iteration=iteration,
                agent=Agent(id="a", host="here", device="cpu"),
                started_at=at(minute),
                finished_at=at(minute),
                removed=removed,
            )
        )

    def rated(self, *parents: str, quality: float, params: int, scorer: Scorer, minute: int = 0) -> str:
        """Stores work whose model has quality and costs, and the score they come to."""
        costs = Costs(params=params, accounted_params=float(params), flops=0)
        model = replace(self.model(self.unpriced(quality)), costs=costs, scorer=scorer)
        model = replace(model, score=decay(quality, costs, scorer))
        work = self.commit(self.work(*parents, minute=minute))
        return self.put(replace(work, model=self.put(model)))

    def unpriced(self, quality: float) -> str:
        return self.put(replace(self.model(self.scored(quality)), quality=quality))

    def join(self, *tips: str) -> str:
        oid, commit = merge(self, tips)
        assert self.put(commit) == oid
        return oid


@pytest.fixture
def shelf() -> Shelf:
    return Shelf()


class TestMerge:
    def test_the_better_score_wins(self, shelf: Shelf) -> None:
        base = shelf.work(score=0.1)
        worse, better = shelf.work(base, score=0.5, minute=9), shelf.work(base, score=0.7)
        _, merged = merge(shelf, [worse, better])
        assert merged.model == shelf.commit(better).model
        assert set(merged.parents) == {worse, better}

    def test_the_newer_wins_a_tie(self, shelf: Shelf) -> None:
        older = shelf.work(score=0.5, minute=1, iteration=1)
        newer = shelf.put(replace(shelf.commit(older), model=other_model(shelf, 0.5), finished_at=at(2)))
        assert merge(shelf, [older, newer])[1].model == shelf.commit(newer).model

    def test_the_smaller_commit_id_wins_a_tie_of_age(self, shelf: Shelf) -> None:
        one = shelf.work(score=0.5)
        two = shelf.put(replace(shelf.commit(one), model=other_model(shelf, 0.5)))
        assert merge(shelf, [one, two])[1].model == shelf.commit(min(one, two)).model

    def test_a_model_wins_over_none(self, shelf: Shelf) -> None:
        added, evolved = shelf.work(minute=9), shelf.work(score=0.0)
        assert merge(shelf, [added, evolved])[1].model == shelf.commit(evolved).model

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

    def test_refuses_other_classes_or_validation_examples(self, shelf: Shelf) -> None:
        task = sample_task("t")
        validation = replace(task.splits["validation"], fingerprint="f" * 64)
        others = (
            replace(task, output=Classes(names=("a", "b"))),
            replace(task, splits={**task.splits, "validation": validation}),
        )
        one = shelf.work(score=0.1, task_id=shelf.put(task))
        for other in others:
            two = shelf.work(score=0.2, task_id=shelf.put(other))
            with pytest.raises(ConflictError, match="define the task t differently"):
                merge(shelf, [one, two])

    def test_another_place_of_the_data_or_other_readers_are_no_other_task(self, shelf: Shelf) -> None:
        task = sample_task("t")
        moved = replace(task, source="npz:/elsewhere.npz", access=AccessRule.only(["g"]))
        worse = shelf.work(score=0.1, minute=9, task_id=shelf.put(task))
        better = shelf.work(score=0.2, task_id=shelf.put(moved))
        merged = merge(shelf, [worse, better])[1]
        assert (merged.model, merged.task_id) == (shelf.commit(better).model, shelf.commit(better).task_id)

    def test_sides_scored_by_different_rules_are_scored_again_by_that_of_the_newest(self, shelf: Shelf) -> None:
        base = shelf.work(score=0.1)
        good_but_large = shelf.rated(base, quality=0.9, params=10, scorer=Scorer(), minute=1)
        small = shelf.rated(base, quality=0.8, params=1, scorer=Scorer(factor=0.5, params_scale=10), minute=2)
        assert merge(shelf, [good_but_large, small])[1].model == shelf.commit(small).model
        newest = shelf.rated(base, quality=0.1, params=10, scorer=Scorer(), minute=3)
        assert merge(shelf, [good_but_large, small, newest])[1].model == shelf.commit(good_but_large).model

    def test_scores_by_one_rule_compare_as_they_are_stored_whatever_other_tasks_a_copy_has(self, shelf: Shelf) -> None:
        costly, base = Scorer(factor=0.5, params_scale=10), shelf.work()
        good = shelf.rated(base, quality=0.9, params=10, scorer=costly, minute=1)  # 0.45
        cheap = shelf.rated(base, quality=0.6, params=0, scorer=costly, minute=2)  # 0.6, of the same layers
        saw_others = shelf.put(replace(shelf.commit(cheap), snapshot="7" * 64))
        for side in (cheap, saw_others):
            assert merge(shelf, [good, side])[1].model == shelf.commit(cheap).model

    def test_refuses_scores_on_different_numbers_of_validation_examples(self, shelf: Shelf) -> None:
        base = shelf.work()

        def work(score: float, examples: int | None) -> str:
            model = replace(shelf.model(shelf.scored(score)), validation_examples=examples)
            return shelf.put(replace(shelf.commit(shelf.work(base, minute=1)), model=shelf.put(model)))

        with pytest.raises(ConflictError, match="on different validation examples, 100 and 5120 of them"):
            merge(shelf, [work(0.1, 5120), work(0.2, 100)])
        for one, other in ((100, 100), (100, None)):
            assert merge(shelf, [work(0.1, one), work(0.2, other)])[1].model == shelf.commit(work(0.2, other)).model

    def test_refuses_scores_of_costs_that_nobody_noted(self, shelf: Shelf) -> None:
        one = shelf.work(score=0.1)
        two = shelf.rated(quality=0.2, params=1, scorer=Scorer(factor=0.5), minute=1)
        three = shelf.put(replace(shelf.commit(one), model=shelf.unpriced(0.3), finished_at=at(2)))
        with pytest.raises(ConflictError, match="a model's costs are not known"):
            merge(shelf, [two, three])

    def test_refuses_a_rule_of_the_future(self, shelf: Shelf) -> None:
        one = shelf.rated(quality=0.1, params=1, scorer=Scorer())
        two = shelf.rated(quality=0.2, params=1, scorer=Scorer(name="golf"), minute=1)
        with pytest.raises(ConflictError, match="the rule 'golf' is none we know"):
            merge(shelf, [one, two])

    def test_a_rule_of_another_package_judges_where_it_is_installed(
        self, shelf: Shelf, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        offer(monkeypatch, SCORERS, golf=lambda quality, costs, scorer: -costs.params + quality)
        large = shelf.rated(quality=0.9, params=10, scorer=Scorer(), minute=1)
        small = shelf.rated(quality=0.2, params=1, scorer=Scorer(name="golf"), minute=2)
        assert merge(shelf, [large, small])[1].model == shelf.commit(small).model
        newest = shelf.rated(quality=0.1, params=2, scorer=Scorer(), minute=3)
        assert merge(shelf, [large, small, newest])[1].model == shelf.commit(large).model

    def test_refuses_a_rule_that_gives_no_number(self, shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
        offer(monkeypatch, SCORERS, golf=lambda quality, costs, scorer: 1 / 0)
        one = shelf.rated(quality=0.1, params=1, scorer=Scorer())
        two = shelf.rated(quality=0.2, params=1, scorer=Scorer(name="golf"), minute=1)
        with pytest.raises(ConflictError, match="The scorer 'golf' gives no finite number"):
            merge(shelf, [one, two])

    def test_a_model_without_a_score_loses_to_any_other_and_wins_over_none(self, shelf: Shelf) -> None:
        base = shelf.work()
        scored = replace(shelf.model(shelf.scored(-5.0)), scorer=Scorer())
        bad = shelf.put(replace(shelf.commit(shelf.work(base, minute=1)), model=shelf.put(scored)))
        unscored = shelf.put(replace(scored, score=None))
        unknown = shelf.put(replace(shelf.commit(shelf.work(base, minute=9)), model=unscored))
        nothing = shelf.work(base, minute=10)
        assert merge(shelf, [bad, unknown, nothing])[1].model == shelf.commit(bad).model
        assert merge(shelf, [unknown, nothing])[1].model == unscored

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


def other_model(shelf: Shelf, score: float) -> str:
    return shelf.put(replace(shelf.model(shelf.scored(score)), seed=7))


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
