"""Reports are stored beside the commits of their models, travel with them, obey their readers and go when they go."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from mu2net_core.api.context import Context
from mu2net_core.api.models import evaluate as evaluating
from mu2net_core.api.models import reporting
from mu2net_core.api.models.evaluate import EvalResult, Report, evaluate
from mu2net_core.api.models.report import Calibration, WorstExample, WrongExample
from mu2net_core.api.models.reporting import store_report, stored_report
from mu2net_core.api.sharing import remote
from mu2net_core.api.sharing.clone import clone
from mu2net_core.api.sharing.pull import pull
from mu2net_core.api.sharing.purge import purge
from mu2net_core.api.sharing.push import push
from mu2net_core.api.upkeep.fsck import fsck
from mu2net_core.api.upkeep.gc import gc
from mu2net_core.errors import AccessDeniedError, InvalidInputError, NotFoundError
from mu2net_core.objects import AccessRule, StoredReport
from mu2net_core.repo import Repository, load_system, open_repository
from mu2net_core.repo.core import REPORTS, put_report, read_report
from mu2net_core.repo.exchange import carrying, send_reports
from mu2net_core.repo.remotes import connect, find_remote
from mu2net_core.testing.building.samples import add_sample_task, evolve_sample


def result_of(repo: Repository, task: str) -> EvalResult:
    worst = WorstExample(name="/home/ann/photos/cat.png", label="no", said="yes", loss=2.5)
    return EvalResult(
        task=task,
        model=str(load_system(repo).heads[task].model_id),
        split="test",
        num_examples=8,
        metric="accuracy",
        quality=0.75,
        correct=6,
        interval=(0.4, 0.9),
        report=Report(calibration=Calibration(ece=0.1, bins=()), residuals=None, worst=(worst,)),
        wrong=(WrongExample(name="/home/ann/photos/cat.png", label="no", said="yes", probability=0.9),),
        wall_s=1.5,
    )


def store(repo: Repository, context: Context, task: str) -> None:
    store_report(repo, context, task, result_of(repo, task))


def keys(repo: Repository) -> list[str]:
    return sorted(repo.store.list(REPORTS))


@pytest.fixture
def reported(repo: Repository, context: Context) -> Repository:
    """Returns a repository with a report of a public task, and one of a private one."""
    add_sample_task(repo, "a")
    add_sample_task(repo, "hush", AccessRule.only(["hush"]))
    for task in ("a", "hush"):
        evolve_sample(repo, task, score=0.5)
        store(repo, context, task)
    remote.add(repo, context, "origin", "shared")
    return repo


def told(repo: Repository, context: Context, revision: str, split: str = "test") -> bool:
    """Returns whether a report of it is stored that is known."""
    try:
        return stored_report(repo, context, revision, split).report is not None
    except NotFoundError:
        return False


def test_a_stored_report_is_told_as_it_was_found_without_a_place_of_this_machine(
    reported: Repository, context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = load_system(reported).heads["a"]
    monkeypatch.setattr(evaluating, "load_model", None)
    found = evaluate(reported, context, "a", stored=True)
    assert found.report is not None
    assert [one.name for one in found.report.worst] == ["cat.png"]
    assert (found.stored, found.wrong, found.quality, found.interval, found.wall_s) == (
        True,
        None,
        0.75,
        (0.4, 0.9),
        0.0,
    )
    assert evaluate(reported, context, before.commit_id, stored=True) == found
    with pytest.raises(NotFoundError, match="No report of a on the split validation is stored") as caught:
        evaluate(reported, context, "a", split="validation", stored=True)
    assert "mu2net eval a --report --split validation; or" in (caught.value.hint or "")
    assert (caught.value.hint or "").endswith("mu2net pull origin a")
    with pytest.raises(InvalidInputError, match="does not list what is wrong"):
        evaluate(reported, context, "a", stored=True, wrong=True)
    assert load_system(reported).heads["a"] == before
    assert b"/home/ann" not in b"".join(reported.store.read(key, limit=10**6) for key in keys(reported))
    evolve_sample(reported, "a", score=0.75)
    assert not told(reported, context, "a")
    assert told(reported, context, "a~1")


def test_what_somebody_stored_is_a_claim_and_a_report_is_measured(
    reported: Repository, context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(evaluating, "load_model", None)
    with pytest.raises(TypeError):  # what measures is gone, and what is stored does not stand in for it
        evaluate(reported, context, "a", report=True)


def test_the_same_found_again_is_the_same_file(reported: Repository, context: Context) -> None:
    before = keys(reported)
    store_report(reported, context, "a", replace(result_of(reported, "a"), wall_s=9.0))
    assert keys(reported) == before


def test_reports_travel_with_their_commits_and_private_ones_stay(reported: Repository, context: Context) -> None:
    push(reported, context)
    shared = open_repository(context.cwd / "shared")
    assert [key.split("/")[1] for key in keys(shared)] == ["a"]
    other = open_repository(reported.worktree)
    for key in keys(other):
        if "/a/" in key:
            other.store.delete(key)
    pull(other, context)  # nothing moved, so nothing was asked
    evolve_sample(other, "a", score=0.75)
    store(other, context, "a")
    push(other, context)
    assert len(keys(shared)) == 2
    assert fsck(shared, context).problems == ()


def test_a_private_report_stays_though_its_commit_got_there(reported: Repository, context: Context) -> None:
    push(reported, context)
    shared, commit = open_repository(context.cwd / "shared"), load_system(reported).heads["hush"].commit_id
    shared.objects.put_bytes("commit", reported.objects.read("commit", commit))
    assert send_reports(reported, connect(find_remote(reported.config)), ["a", "hush"]) == 0
    assert [key.split("/")[1] for key in keys(shared)] == ["a"]


def test_a_clone_that_pulls_gets_the_reports_and_none_that_is_not_of_its_commit(
    ann: Repository, bob: Repository, context: Context
) -> None:
    evolve_sample(ann, "a", score=0.9, seed=7)
    store(ann, context, "a")
    push(ann, context)
    shared = open_repository(Path(ann.config.remotes["origin"].url))
    head = load_system(ann).heads["a"]
    forged = StoredReport(task="a", commit=head.commit_id, model="0" * 64, split="test", result={})
    put_report(shared.store, forged)
    key = f"{REPORTS}/a/{head.commit_id}/{'1' * 64}.json"
    shared.store.create(key, b"{}")
    pull(bob, context)
    assert [one for one in keys(bob) if head.commit_id in one] == [one for one in keys(ann) if head.commit_id in one]
    assert told(bob, context, "a")
    kinds = {problem.object: problem.kind for problem in fsck(shared, context).problems}
    assert sorted(kinds.values()) == ["damaged-object", "wrong-reference"]
    assert kinds[key] == "damaged-object"


def test_a_report_that_was_made_later_comes_when_its_task_is_named(
    ann: Repository, bob: Repository, context: Context
) -> None:
    for task in ("a", "b"):
        evolve_sample(ann, task, score=0.9, seed=7)
    push(ann, context)
    pull(bob, context)
    before = keys(bob)
    for task in ("a", "b"):
        store(ann, context, task)
    push(ann, context)
    pull(bob, context)
    assert keys(bob) == before, "no head moved: nothing is looked for"
    pull(bob, context, tasks=["a"])
    assert [key.split("/")[1] for key in keys(bob) if key not in before] == ["a"]


def test_a_clone_has_the_reports_of_every_task_and_as_many_of_each_as_may_come_at_once(
    reported: Repository, context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_sample_task(reported, "b")
    evolve_sample(reported, "b", score=0.5)
    for task in ("a", "b"):
        store(reported, context, task)
        store_report(reported, context, task, replace(result_of(reported, task), split="train"))
    push(reported, context)
    made = clone("shared", "all", context)
    other = open_repository(made.worktree)
    assert len(keys(other)) == 4
    assert told(other, context, "b", "train")
    monkeypatch.setattr(carrying, "_MOST", 1)
    few = open_repository(clone("shared", "few", context).worktree)
    assert [key.split("/")[1] for key in keys(few)] == ["a", "b"]


def test_reports_beside_commits_that_are_not_here_and_of_other_tasks_keep_none_from_coming(
    ann: Repository, bob: Repository, context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(carrying, "_MOST", 1)
    for task in ("a", "b"):
        evolve_sample(ann, task, score=0.9, seed=7)
        store(ann, context, task)
    push(ann, context)
    shared = open_repository(Path(ann.config.remotes["origin"].url))
    put_report(shared.store, StoredReport(task="a", commit="0" * 64, model="2" * 64, split="test", result={}))
    pull(bob, context)
    assert keys(bob) == keys(ann)


def test_reports_of_a_future_format_are_left_where_they_are(ann: Repository, bob: Repository, context: Context) -> None:
    evolve_sample(ann, "a", score=0.9, seed=7)
    store(ann, context, "a")
    (key,) = (one for one in keys(ann) if "/a/" in one)
    report, _ = read_report(ann.store, key, ann.limits)
    put_report(ann.store, replace(report, format=2))
    push(ann, context)
    shared = open_repository(Path(ann.config.remotes["origin"].url))
    assert [one for one in keys(shared) if "/a/" in one] == [key]
    put_report(shared.store, replace(report, format=2))
    pull(bob, context)
    assert [one for one in keys(bob) if "/a/" in one] == [key]


def test_garbage_collection_keeps_a_report_while_its_commit_lives(reported: Repository, context: Context) -> None:
    put_report(reported.store, StoredReport(task="a", commit="1" * 64, model="2" * 64, split="test", result={}))
    assert len(keys(reported)) == 3
    assert gc(reported, context, grace=timedelta(days=1), dry_run=False).num_leftovers == 0
    assert len(keys(reported)) == 3
    assert gc(reported, context, grace=timedelta(0), dry_run=True).num_leftovers == 1
    gc(reported, context, grace=timedelta(0), dry_run=False)
    assert sorted(key.split("/")[1] for key in keys(reported)) == ["a", "hush"]


def test_a_purge_takes_reports_away(reported: Repository, context: Context) -> None:
    purge(reported, context, "a")
    assert [key.split("/")[1] for key in keys(reported)] == ["hush"]


def test_a_report_that_cannot_be_stored_or_read_is_no_harm(
    reported: Repository, context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    (key,) = (one for one in keys(reported) if "/a/" in one)
    reported.store.delete(key)
    reported.store.create(key, b"{}")
    assert not told(reported, context, "a")
    assert "its bytes have another hash" in fsck(reported, context).problems[0].message
    odd = StoredReport(
        task="a",
        commit=load_system(reported).heads["a"].commit_id,
        model=str(load_system(reported).heads["a"].model_id),
        split="test",
        result={"of": "another version"},
    )
    put_report(reported.store, odd)
    assert not told(reported, context, "a")
    put_report(reported.store, replace(odd, format=2))
    assert [p.message for p in fsck(reported, context).problems if "future format" in p.message and p.kind == "newer"]
    warned = list[str]()
    monkeypatch.setattr(reporting, "put_report", refuse)
    store_report(reported, replace(context, warn=warned.append), "a", result_of(reported, "a"))
    assert warned == ["the report could not be stored: not allowed"]


def refuse(*_: object) -> None:
    raise AccessDeniedError("not allowed")
