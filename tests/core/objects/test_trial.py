from __future__ import annotations

import json
from dataclasses import replace

import pytest

from mu2net_core.errors import CorruptObjectError
from mu2net_core.objects import MOST_TRIALS, Scorer, Trial, Trials, decode, encode

KEPT = Trial(
    values={"mu": 0.1, "momentum": 0.9, "nesterov": False},
    clones=("block_0", "head"),
    parent="a" * 64,
    outcome="kept",
    score=0.5,
    cost=1e6,
    model="b" * 64,
)
WORSE = replace(KEPT, values={**KEPT.values, "momentum": 0.5}, outcome="score", score=0.25, model=None)
DIVERGED = replace(WORSE, outcome="nan", score=None)


def test_in_short_what_all_have_is_told_once_and_nothing_is_lost() -> None:
    short = Trials.of([KEPT, WORSE, DIVERGED], Scorer())
    assert short.shared == {"mu": 0.1, "nesterov": False}
    assert [trial.values for trial in short.each] == [{"momentum": 0.9}, {"momentum": 0.5}, {"momentum": 0.5}]
    assert short.whole == (KEPT, WORSE, DIVERGED)
    assert decode(encode(short), Trials, what="trials") == short
    assert Trials.of([], Scorer()).whole == ()


def test_numbers_that_are_equal_and_not_the_same_are_told_apart() -> None:
    odd = [replace(KEPT, values={"x": value}) for value in (0, 0.0, False)]
    found = decode(encode(Trials.of(odd, Scorer())), Trials, what="trials").whole
    assert [repr(trial.values["x"]) for trial in found] == ["0", "0.0", "False"]


def test_a_value_that_one_lacks_is_not_shared() -> None:
    without = replace(WORSE, values={"mu": 0.1, "adapter_0": 8})
    assert Trials.of([KEPT, without], Scorer()).whole == (KEPT, without)


def test_only_the_newest_are_kept() -> None:
    many = [replace(WORSE, cost=float(number)) for number in range(MOST_TRIALS + 5)]
    told = Trials.of(many, Scorer()).each
    assert (len(told), told[0].cost, told[-1].cost) == (MOST_TRIALS, 5.0, MOST_TRIALS + 4.0)
    wide = replace(WORSE, values={f"x{number}": number for number in range(10_000)})
    assert len(Trials.of([wide] * 100, Scorer()).each) == 26


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"each": [0] * (MOST_TRIALS + 1)}, "at most 1000 trials, got 1001"),
        ({"shared": {f"x{number}": 1 for number in range(100_000)}}, "at most 262144 hyperparameters"),
        ({"shared": {"momentum": 0.9}}, "not those that all share"),
        ({"each": [{"outcome": "score", "model": None, "score": None}]}, "has a score unless it diverged"),
        ({"each": [{"outcome": "nan", "model": None}]}, "has a score unless it diverged"),
        ({"each": [{"model": None}]}, "a model if it was kept"),
        ({"each": [{"outcome": "score"}]}, "a model if it was kept"),
        ({"each": [{"outcome": "lost"}]}, "Invalid enum value 'lost'"),
        ({"each": [{"clones": [1]}]}, "Expected `str`"),
        ({"each": [{"values": {"x": [1]}}]}, "values"),
    ],
)
def test_what_no_writer_makes_is_refused(change: dict, complaint: str) -> None:
    short = json.loads(encode(Trials.of([KEPT, WORSE, DIVERGED], Scorer())))
    each = [{**short["each"][0], **(other or {})} for other in change.get("each", ())] or short["each"]
    with pytest.raises(CorruptObjectError, match=complaint):
        decode(encode({**short, **change, "each": each}), Trials, what="trials")
