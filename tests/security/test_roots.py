"""Roots that somebody else named: what is no root goes nowhere, and keeps nothing else from being sent."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from mu2net_core.objects import AccessRule, Snapshot
from mu2net_core.repo import Remote, Repository, load_system
from mu2net_core.repo.exchange.push_preview import preview
from mu2net_core.repo.exchange.pushing import push
from mu2net_core.repo.history.system import load_rules, visible_models, visible_snapshot
from mu2net_core.repo.remotes.remotes import connect
from mu2net_core.repo.remotes.reports import Exchange, ExchangeConflictError
from mu2net_core.repo.remotes.tracking import Tracking, read_tracking, write_tracking
from mu2net_core.repo.remotes.unsent import Sender
from mu2net_core.testing.attacks.forging import Forger, leaks
from mu2net_core.testing.building.samples import add_sample_task, evolve_sample, sample_repository
from mu2net_core.testing.worlds.sharing import commit_of, model_of, outcomes

MINE = AccessRule.only(["secret"])


@pytest.fixture
def mirror(spot: Callable[..., Remote]) -> Remote:
    """Returns a public remote where there is nothing yet."""
    return spot("mirror")


@pytest.fixture
def ann(tmp_path: Path) -> Repository:
    """Returns a working copy with a public and a private task."""
    repo = sample_repository(tmp_path / "ann")
    for task, rule in (("pub", AccessRule()), ("secret", MINE), ("plain", MINE)):
        add_sample_task(repo, task, rule)
        trains = () if task == "plain" else ("embedding", "head")
        evolve_sample(repo, task, score=0.5, trains=trains, seed=len(task))
    return repo


def private_model(ann: Repository) -> str:
    return model_of(ann, "secret")


def model_without_private_layers(ann: Repository) -> str:
    """All its layers are the public root's: nothing but its manifest tells of the task."""
    return model_of(ann, "plain")


def public_model(ann: Repository) -> str:
    return model_of(ann, "pub")


NO_ROOTS = [private_model, model_without_private_layers, public_model]


def named(done: Exchange) -> dict[str, str]:
    return {report.name: report.outcome for report in done.roots}


@pytest.mark.parametrize("evil", NO_ROOTS)
def test_a_root_that_is_none_stays_and_all_else_goes(
    ann: Repository, mirror: Remote, evil: Callable[[Repository], str]
) -> None:
    ann.refs.create_root("evil", evil(ann))
    plan = preview(ann, mirror)
    assert {parcel.name: parcel.outcome for parcel in plan.roots} == {"evil": "skipped", "tiny": "new"}
    done = push(ann, mirror)  # the first one, which looks whether all is ready
    assert named(done) == {"evil": "skipped", "tiny": "new"}
    assert outcomes(done) == {"pub": "new", "secret": "skipped", "plain": "skipped"}
    evolve_sample(ann, "pub", score=0.9)
    done = push(ann, mirror)
    assert (named(done), outcomes(done)["pub"]) == ({"evil": "skipped"}, "updated")
    assert set(connect(mirror).refs.roots()) == {"tiny"}
    assert leaks(mirror, "secret") | leaks(mirror, "plain") == set()


@pytest.mark.parametrize("medium", ["folder", "bucket"])
def test_nothing_of_a_private_model_goes_with_a_root(ann: Repository, mirror: Remote) -> None:
    ann.refs.create_root("evil", private_model(ann))
    (report,) = [report for report in push(ann, mirror).roots if report.name == "evil"]
    assert report.reason == "it names a model of secret, which is no root"
    assert leaks(mirror, "secret") == set()


def test_a_snapshot_that_names_a_private_model_as_a_root_stays(ann: Repository, mirror: Remote) -> None:
    forger = Forger.into(ann)
    snapshot = ann.objects.put(Snapshot(heads={}, roots={"tiny": model_without_private_layers(ann)}))
    forger.move("pub", forger.next("pub", snapshot=snapshot))
    ann.refs.create_tag("v1", ann.objects.put(Snapshot(heads={}, roots={"tiny": private_model(ann)})))
    done = push(ann, mirror)
    assert (outcomes(done)["pub"], [tag.outcome for tag in done.tags]) == ("skipped", ["skipped"])
    assert leaks(mirror, "secret") | leaks(mirror, "plain") == set()


def test_what_is_no_root_is_no_root_here_either(ann: Repository) -> None:
    ann.refs.create_root("evil", model_without_private_layers(ann))
    system = load_system(ann)
    assert set(system.roots) == {ann.refs.roots()["tiny"]}
    assert set(visible_snapshot(system, "pub", roots=ann.refs.roots()).roots) == {"tiny"}
    assert visible_models(system, "pub") == {ann.refs.roots()["tiny"], public_model(ann)}


def test_status_does_not_tell_of_it_as_something_to_push(ann: Repository, mirror: Remote) -> None:
    ann.refs.create_root("evil", private_model(ann))
    sender = Sender(ann, mirror, load_rules(ann))
    moved = {"pub": ann.objects.commit(commit_of(ann, "pub"))}
    pending = sender.pending(Tracking(url=mirror.url), moved)
    assert (pending.tasks, pending.roots) == (("pub",), ("tiny",))


@pytest.mark.parametrize("is_known", [False, True])
def test_a_name_that_is_taken_over_there_is_told_when_all_else_is_sent(
    ann: Repository, mirror: Remote, is_known: bool
) -> None:
    push(ann, mirror)
    tiny = ann.refs.roots()["tiny"]
    connect(mirror).refs.create_root("mine", tiny)
    if is_known:
        write_tracking(ann.state, mirror.name, read_tracking(ann.state, mirror).with_root("mine", tiny))
    for seed, name in enumerate(("mine", "new"), start=3):
        ann.refs.create_root(name, ann.objects.put(replace(ann.objects.model(tiny), seed=seed)))
    evolve_sample(ann, "pub", score=0.9)
    planned = {parcel.name: parcel.outcome for parcel in preview(ann, mirror).roots}
    assert planned == {"mine": "conflict" if is_known else "new", "new": "new"}
    with pytest.raises(ExchangeConflictError, match="mine") as info:
        push(ann, mirror)
    assert named(info.value.done) == {"mine": "conflict", "new": "new"}
    assert outcomes(info.value.done)["pub"] == "updated"
    assert connect(mirror).refs.roots()["mine"] == tiny
