"""What cannot be what honest work of this repository makes is not taken over, and not used."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from mu2net_core.api.context import Context
from mu2net_core.api.looking.names import find_model
from mu2net_core.errors import CorruptObjectError
from mu2net_core.objects import (
    AccessRule,
    Children,
    Classes,
    Commit,
    Costs,
    Scorer,
    Snapshot,
    Training,
    Trial,
    Trials,
    hash_bytes,
    object_key,
)
from mu2net_core.repo import Remote, Repository, create_repository
from mu2net_core.repo.checking.fsck_run import examine, fsck
from mu2net_core.repo.checking.patient import patient_there
from mu2net_core.repo.core.ref_files import entry_key
from mu2net_core.repo.exchange.fetching import fetch
from mu2net_core.repo.history.merging import merge
from mu2net_core.repo.remotes.prefetch import bring_models
from mu2net_core.repo.remotes.remotes import attach, connect
from mu2net_core.repo.remotes.reports import Counter
from mu2net_core.testing.attacks.writer import Writer
from mu2net_core.testing.building.samples import SAMPLE_IDENTITY, evolve_sample, sample_repository, sample_task
from mu2net_core.testing.worlds.sharing import add_tasks, broken, commit_of, model_of, outcomes, pull

NOW = datetime(2026, 1, 3, tzinfo=UTC)
NEVER = "3000-01-01T00:00:00.000000+00:00"
FOREIGN = "77" * 16


@pytest.fixture
def shared(tmp_path: Path) -> Repository:
    """Returns a remote with two tasks, one of them with two sides that can be joined."""
    repo = sample_repository(tmp_path / "shared", bare=True)
    add_tasks(repo, "digits", "letters")
    return repo


def working_copy(folder: Path, shared: Repository, *, partial: bool = True) -> tuple[Repository, Remote]:
    remote = Remote(name="origin", url=str(shared.path), partial=partial)
    repo = create_repository(folder, preset="vit-ti0", identity=SAMPLE_IDENTITY)
    repo.update_config(lambda config: config.with_remote(remote))
    attach(repo)
    return repo, remote


def commit(**values: object) -> Callable[[Writer], Commit]:
    """Returns what makes a commit that follows the head of digits, but for these values."""
    return lambda evil: replace(evil.next("digits"), **values)


def model(**values: object) -> Callable[[Writer], Commit]:
    """Returns what makes a commit with a model that is the head's, but for these values."""
    return lambda evil: replace(evil.next("digits"), model=evil.put(replace(evil.model("digits"), **values)))


def component(**values: object) -> Callable[[Writer], Commit]:
    """Returns what makes a commit with a model whose last component is told of otherwise."""

    def make(evil: Writer) -> Commit:
        *others, last = evil.model("digits").components
        return model(components=(*others, replace(last, **values)))(evil)

    return make


def task(**values: object) -> Callable[[Writer], Commit]:
    """Returns what makes a commit with a task object that has these values."""
    return lambda evil: replace(evil.next("digits"), task_id=evil.put(replace(sample_task("digits"), **values)))


def snapshot(**values: object) -> Callable[[Writer], Commit]:
    """Returns what makes a commit with a snapshot that has these values."""

    def make(evil: Writer) -> Commit:
        plain = Snapshot(heads={"digits": evil.head("digits").commit}, roots={})
        return replace(evil.next("digits"), snapshot=evil.put(replace(plain, **values)))

    return make


def merged(**values: object) -> Callable[[Writer], Commit]:
    """Returns what makes a merge of two sides that nobody decided, but for these values."""

    def make(evil: Writer) -> Commit:
        sides = [evil.put(replace(evil.next("digits"), message=side)) for side in ("one", "other")]
        return replace(merge(evil.objects, sides)[1], **values)

    return make


def merge_of_merges(evil: Writer) -> Commit:
    whole = evil.put(merged()(evil))
    other = evil.put(replace(evil.next("digits"), message="third"))
    told = merge(evil.objects, [whole, other])[1]
    return replace(told, parents=tuple(sorted([whole, other])))


def of_the_other(evil: Writer) -> str:
    return evil.objects.commit(evil.head("letters").commit).model or ""


TRIAL = Trial(values={"mu": 0.1}, parent="a" * 64, outcome="score", score=0.5, cost=1.0)
KEPT = replace(TRIAL, outcome="kept", model="b" * 64)

ABSURD: dict[str, tuple[str, Callable[[Writer], Commit]]] = {
    "parents of another task": (
        "and its parents of letters",
        lambda evil: replace(evil.next("digits"), parents=(evil.head("digits").commit, evil.head("letters").commit)),
    ),
    "task object of another task": ("task object of b", lambda evil: commit(task_id=evil.put(sample_task("b")))(evil)),
    "model of another task": ("its model of letters", lambda evil: commit(model=of_the_other(evil))(evil)),
    "a root as the model": ("its model of none", lambda evil: commit(model=evil.refs.roots()["tiny"])(evil)),
    "reset to another task": (
        "which is no commit of digits before it",
        lambda evil: commit(reset_to=evil.head("letters").commit)(evil),
    ),
    "reset to what is nowhere": ("which is no commit of digits before it", commit(reset_to="f" * 64)),
    "another repository in between": ("is of another repository", commit(identity=FOREIGN)),
    "an iteration that jumps": ("it is iteration 4000, and follows iteration 1", commit(iteration=4_000)),
    "selections beyond counting": (
        "counts up to 9007199254740992",
        lambda evil: commit(selections={of_the_other(evil): {"e" * 32: 2**53}})(evil),
    ),
    "children beyond counting": ("counts up to", commit(children=Children(sampled=2**50))),
    "more trials than children": (
        "it tells of 2 trials, and of 1 children",
        commit(children=Children(sampled=1), trials=Trials.of([TRIAL, TRIAL], Scorer())),
    ),
    "more kept trials than kept children": (
        "it tells of 1 trials, and of 1 children",
        commit(children=Children(sampled=1), trials=Trials.of([KEPT], Scorer())),
    ),
    "a trial with words like a book": (
        "text of 5000 characters",
        commit(children=Children(sampled=1), trials=Trials.of([replace(TRIAL, clones=("x" * 5_000,))], Scorer())),
    ),
    "trials by a rule like a book": (
        "text of 5000 characters",
        commit(children=Children(sampled=1), trials=Trials.of([TRIAL], Scorer(name="x" * 5_000))),
    ),
    "a merge with trials": ("no merge that its parents give", merged(trials=Trials.of([], Scorer()))),
    "a merge that found something": ("no merge that its parents give", merged(improved=True)),
    "a time far ahead": ("which is not yet", commit(finished_at=NEVER)),
    "a beginning far ahead": ("which is not yet", commit(started_at=NEVER)),
    "a time that is none": ("expected a time", commit(finished_at="2026-99-99T00:00:00.000000+00:00")),
    "a message like a book": ("text of 5000 characters", commit(message="x" * 5_000)),
    "a merge with a message": ("no merge that its parents give", merged(message="evil")),
    "a merge that says when": (
        "no merge that its parents give",
        merged(finished_at="2026-01-02T00:00:01.000000+00:00"),
    ),
    "a merge with another's model": ("no merge that its parents give", merged(model=None)),
    "a merge of merges": ("no merge that its parents give", merge_of_merges),
    "a score from nowhere": ("its score is 1e+308", model(score=1e308)),
    "a score above its quality": ("its score is 0.9", model(score=0.9)),
    "a score without a rule": ("not all that a score is made of", model(scorer=None)),
    "a score without costs": ("not all that a score is made of", model(costs=None)),
    "a root that is none": ("the root it names", lambda evil: model(root=of_the_other(evil))(evil)),
    "a parent with another root": (
        "the root it names",
        lambda evil: model(root=evil.put(replace(evil.objects.model(evil.refs.roots()["tiny"]), seed=9)))(evil),
    ),
    "training beyond counting": ("counts up to", component(training={"digits": Training(steps=2**50, examples=1)})),
    "a component larger than any": ("over the limit of", component(size_bytes=2**40)),
    "options beyond counting": ("counts up to", task(options={"depth": 2**50})),
    "a class like a book": ("text of 5000 characters", task(output=Classes(names=("no", "x" * 5_000)))),
    "a snapshot's root that is none": (
        "is a model of letters",
        lambda evil: snapshot(roots={"tiny": of_the_other(evil)})(evil),
    ),
    "a snapshot of another repository": ("is of another repository", snapshot(identity=FOREIGN)),
}


@pytest.mark.parametrize("name", ABSURD)
def test_a_head_that_cannot_be_genuine_is_named_and_not_stored(
    name: str, shared: Repository, evil: Writer, tmp_path: Path
) -> None:
    here, _ = working_copy(tmp_path / "here", shared)
    words, make = ABSURD[name]
    bad = evil.move("digits", make(evil))
    for _ in range(2):
        fetched = fetch(here, connect(here.config.remotes["origin"]), clock=lambda: NOW)
        assert set(outcomes(fetched)) == {"digits", "letters"}
        assert list(broken(fetched)) == ["task digits"]
        assert words in broken(fetched)["task digits"]
        assert not here.objects.has("commit", bad)
    found = examine(patient_there(connect(here.config.remotes["origin"]), here), now=NOW)
    assert found.problems or found.warnings, "a check there names it, too"
    for told in found.warnings:
        assert (told.kind, words in told.message) == ("implausible", True)
        if told.object == f"commit/{bad}":
            assert told.message.endswith(f"This names it: {entry_key('digits', evil.head('digits').number)}.")


@pytest.mark.parametrize(
    "make",
    [
        commit(),
        merged(),
        commit(finished_at="2026-12-24T00:00:00.000000+00:00"),
        model(scorer=Scorer(factor=0.5), score=0.0, quality=0.0, costs=Costs(params=1, accounted_params=1.0, flops=1)),
        snapshot(tag="v2", identity=SAMPLE_IDENTITY),
        commit(identity=SAMPLE_IDENTITY),
        commit(removed=True),
        commit(iteration=0),
        commit(children=Children(sampled=2, kept=1), trials=Trials.of([TRIAL, KEPT], Scorer(name="golf"))),
        task(access=AccessRule.only(["team"])),
    ],
)
def test_what_can_be_genuine_is_taken_over(
    make: Callable[[Writer], Commit], shared: Repository, evil: Writer, tmp_path: Path
) -> None:
    here, remote = working_copy(tmp_path / "here", shared)
    good = evil.move("digits", make(evil))
    assert fetch(here, connect(remote), clock=lambda: NOW).is_whole
    assert here.objects.has("commit", good)


class TestHiding:
    """A manifest tells of less than the component that it names."""

    @pytest.fixture
    def hiding(self, shared: Repository, evil: Writer) -> str:
        """Returns the id of a component; the head of letters names it as if nothing had trained it."""
        *others, last = evil.model("digits").components
        plain = replace(last, training={})
        made = evil.put(replace(evil.model("letters"), components=(*others, plain)))
        evil.move("letters", replace(evil.next("letters"), model=made))
        return last.id

    def test_is_seen_where_the_component_is(self, shared: Repository, hiding: str, tmp_path: Path) -> None:
        here, remote = working_copy(tmp_path / "here", shared)
        fetched = fetch(here, connect(remote), tasks=["digits"])
        assert fetched.is_whole
        bring_models(here, [here.objects.commit(commit_of(shared, "digits")).model or ""], what="", counter=Counter())
        assert here.objects.has("component", hiding)
        found = broken(fetch(here, connect(remote)))
        assert list(found) == ["task letters"]
        assert f"it hides that data of digits trained its head (component {hiding[:10]})" in found["task letters"]

    def test_is_seen_by_a_full_copy_at_once(self, shared: Repository, hiding: str, tmp_path: Path) -> None:
        here, remote = working_copy(tmp_path / "here", shared, partial=False)
        for _ in range(2):
            fetched = fetch(here, connect(remote))
            assert outcomes(fetched)["letters"] == "broken"
            assert "it hides that data of digits trained its head" in broken(fetched)["task letters"]
        assert here.objects.has("component", hiding)

    def test_is_seen_when_the_component_comes(self, shared: Repository, hiding: str, tmp_path: Path) -> None:
        here, remote = working_copy(tmp_path / "here", shared)
        pull(here, remote)
        with pytest.raises(CorruptObjectError, match="it hides that data of digits trained its head"):
            bring_models(here, [model_of(here, "letters")], what="letters", counter=Counter())


def test_what_is_no_component_keeps_its_task_out_of_a_full_copy(
    shared: Repository, evil: Writer, tmp_path: Path
) -> None:
    data = b"whatever this is, it is no archive"
    evil.store.create(object_key("component", hash_bytes(data)), data)
    evil.move("digits", component(id=hash_bytes(data), size_bytes=len(data))(evil))
    here, remote = working_copy(tmp_path / "here", shared, partial=False)
    fetched = fetch(here, connect(remote))
    assert outcomes(fetched) == {"digits": "broken", "letters": "new"}
    assert not here.objects.has("component", hash_bytes(data))


@pytest.mark.parametrize("revision", ["digits", "digits@{0}", "COMMIT"])
def test_a_model_of_another_task_is_not_used_as_a_tasks_own(
    shared: Repository, evil: Writer, context: Context, revision: str
) -> None:
    bad = evil.move("digits", commit(model=of_the_other(evil))(evil))
    with pytest.raises(CorruptObjectError, match=r"retains the model .*, which is of letters") as info:
        find_model(shared, bad if revision == "COMMIT" else revision)
    assert "mu2net reset digits" in str(info.value.hint)
    assert find_model(shared, "digits~1").model.task == "digits"


def test_what_honest_copies_made_passes_whatever_they_did(shared: Repository, tmp_path: Path) -> None:
    here, remote = working_copy(tmp_path / "here", shared, partial=False)
    pull(here, remote)
    for repo in (shared, here):
        evolve_sample(repo, "digits", score=0.6 if repo is here else 0.7, seed=3 if repo is here else 4)
        evolve_sample(repo, "letters", score=0.8, parent=model_of(repo, "digits"), seed=5 if repo is here else 6)
    pull(here, remote)
    other, back = working_copy(tmp_path / "other", here)
    assert fetch(other, connect(replace(back, url=str(here.path))), clock=lambda: NOW).is_whole
    report = fsck(here)
    assert report.problems == report.warnings == ()
