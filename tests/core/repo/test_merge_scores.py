"""Which side of a merge wins, and when scores do not compare."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mu2net_core.errors import ConflictError
from mu2net_core.objects import (
    AccessRule,
    Classes,
    Scorer,
)
from mu2net_core.repo.history.merging import merge
from mu2net_core.scoring import SCORERS
from mu2net_core.testing.building.plugins import offer
from mu2net_core.testing.building.samples import sample_task
from mu2net_core.testing.building.shelf import Shelf, at, other_model


class TestScores:
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
