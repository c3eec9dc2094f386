"""What a writer of one remote forges gives nobody more: whatever rule it tells, what was learned goes no further."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from mu2net_core.api.context import Context
from mu2net_core.api.sharing.purge import purge
from mu2net_core.errors import Mu2netError
from mu2net_core.objects import PUBLIC, AccessRule, Snapshot
from mu2net_core.repo import Remote, Repository, load_system
from mu2net_core.repo.checking.fsck_run import examine, fsck
from mu2net_core.repo.checking.patient import patient_there
from mu2net_core.repo.exchange.push_preview import preview
from mu2net_core.repo.exchange.pushing import push
from mu2net_core.repo.exchange.repair_source import GuardedSource
from mu2net_core.repo.history.merging import merge
from mu2net_core.repo.history.system import load_rules
from mu2net_core.repo.remotes.remotes import attach, connect, connect_or_create
from mu2net_core.repo.remotes.reports import Exchange, Parcel
from mu2net_core.testing.attacks.forging import Forger, leaks
from mu2net_core.testing.building.samples import (
    add_sample_task,
    evolve_sample,
    sample_repository,
    sample_task,
    sample_tombstone,
)
from mu2net_core.testing.worlds.sharing import clone_of, commit_of, model_of, outcomes, pull, working_copy

TEAM_A, BOTH = AccessRule.only(["team-a"]), AccessRule.only(["team-a", "team-b"])
Spot = Callable[..., Remote]


@pytest.fixture
def team(spot: Spot) -> Remote:
    return spot("team", "team-a")


@pytest.fixture
def ann(tmp_path: Path, team: Remote) -> Repository:
    """Returns a working copy that shares with team-a what is for it, and what both teams' task learned from that."""
    repo = working_copy(tmp_path / "ann", team)
    add_sample_task(repo, "secret", TEAM_A)
    evolve_sample(repo, "secret", score=0.9, trains=("embedding", "head"))
    add_sample_task(repo, "mix", BOTH)
    evolve_sample(repo, "mix", score=0.8, parent=model_of(repo, "secret"))
    push(repo, team)
    return repo


def only_a_purge_commit(forger: Forger) -> None:
    forger.purge("secret")


def only_a_tombstone(forger: Forger) -> None:
    forger.whole_stone("secret")


def a_whole_purge(forger: Forger) -> None:
    forger.whole_stone("secret")
    forger.purge("secret")


def a_wider_task(forger: Forger) -> None:
    forger.move("secret", forger.next("secret", task_id=forger.widened("secret")))


def a_reset_to_a_wider_task(forger: Forger) -> None:
    first = forger.refs.entry("secret", 1)[0].commit
    commit = forger.next("secret", task_id=forger.widened("secret"), model=None, reset_to=first)
    forger.move("secret", commit)


def a_merge_with_a_wider_task(forger: Forger) -> None:
    first = forger.refs.entry("secret", 1)[0].commit
    side = forger.next("secret", task_id=forger.widened("secret"), parents=(first,), model=None)
    _, joined = merge(forger.objects, [forger.put(side), forger.head("secret").commit])
    forger.move("secret", joined)


def a_wider_task_of_the_learner(forger: Forger) -> None:
    forger.move("mix", forger.next("mix", task_id=forger.widened("mix")))


ATTACKS = [
    only_a_purge_commit,
    only_a_tombstone,
    a_whole_purge,
    a_wider_task,
    a_reset_to_a_wider_task,
    a_merge_with_a_wider_task,
    a_wider_task_of_the_learner,
]


def pull_what_comes(repo: Repository, team: Remote) -> None:
    """Takes over what can be, as a user does who does not look."""
    with suppress(Mu2netError):
        pull(repo, team)


def told(done: Exchange, name: str) -> str:
    """Returns what became of a task, tag or root."""
    names = {report.name: report.outcome for report in (*done.tags, *done.roots)}
    return {**outcomes(done), **names}.get(name, "")


def push_all(repo: Repository, to: Remote) -> None:
    assert told(push(repo, to), "mix") == "skipped"


def push_it_alone(repo: Repository, to: Remote) -> None:
    assert told(push(repo, to, tasks=["mix"]), "mix") == "skipped"


def push_again(repo: Repository, to: Remote) -> None:
    push(repo, to)
    evolve_sample(repo, "mix", score=0.95, seed=7)
    assert told(push(repo, to), "mix") == "skipped"


def push_dry(repo: Repository, to: Remote) -> None:
    plan = preview(repo, to)
    parcels: dict[str, Parcel] = {parcel.name: parcel for parcel in (*plan.tasks, *plan.tags, *plan.roots)}
    assert (parcels["mix"].outcome, parcels["mix"].num_components) == ("skipped", 0)


def push_a_tag(repo: Repository, to: Remote) -> None:
    snapshot = Snapshot(heads={"mix": commit_of(repo, "mix")}, roots={})
    repo.refs.create_tag("v1", repo.objects.put(snapshot))
    done = push(repo, to)
    assert told(done, "v1") == "skipped"
    assert connect(to).refs.tags() == {}


def push_a_root(repo: Repository, to: Remote) -> None:
    repo.refs.create_root("evil", model_of(repo, "mix"))
    done = push(repo, to)
    assert (told(done, "evil"), told(done, "tiny")) == ("skipped", "new")


def repair(repo: Repository, to: Remote) -> None:
    """Somebody names over there what is not there, and the repair of that place has it."""
    push(repo, to)
    there = connect_or_create(to, repo.config)
    there.refs.append("mix", commit_of(repo, "mix"), after=None)
    there.refs.create_root("evil", model_of(repo, "mix"))
    guarded = GuardedSource(repo, repo, there.audience)
    assert not examine(patient_there(there, repo), source=guarded).is_clean
    assert guarded.refused


VERBS = [push_all, push_it_alone, push_again, push_dry, push_a_tag, push_a_root, repair]


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("attack", ATTACKS)
def test_a_purge_or_rule_by_others_gives_nobody_more(
    ann: Repository, team: Remote, spot: Spot, attack: Callable[[Forger], None], verb: Callable[..., None]
) -> None:
    attack(Forger.into(team))
    pull_what_comes(ann, team)
    other = spot("b", "team-b")
    verb(ann, other)
    assert leaks(other, "secret") == set()
    assert load_rules(ann)["secret"] == TEAM_A


@pytest.mark.parametrize("medium", ["bucket"])
@pytest.mark.parametrize("verb", [push_a_tag, repair])
def test_neither_does_it_through_buckets(ann: Repository, team: Remote, spot: Spot, verb: Callable[..., None]) -> None:
    a_whole_purge(Forger.into(team))
    pull_what_comes(ann, team)
    other = spot("b", "team-b")
    verb(ann, other)
    assert leaks(other, "secret") == set()


@pytest.mark.parametrize("verb", VERBS)
def test_nor_where_the_purge_was_asked_for_and_the_task_added_again_for_all(
    ann: Repository, context: Context, spot: Spot, verb: Callable[..., None]
) -> None:
    purge(ann, context, "secret")
    state = ann.refs.head("secret")
    assert state is not None
    again = replace(
        ann.objects.commit(state.commit),
        task_id=ann.objects.put(sample_task("secret")),
        parents=(state.commit,),
        removed=False,
        identity=None,
    )
    ann.refs.append("secret", ann.objects.put(again), after=state)
    other = spot("b", "team-b")
    verb(ann, other)
    assert leaks(other, "secret") == set()


def test_a_tombstone_here_narrows_whatever_the_purge_commit_says(ann: Repository) -> None:
    forger = Forger.into(ann)
    roots = (forger.refs.entry("secret", 1)[0].commit,)
    forger.purge("secret")  # it says that everybody may read
    assert load_rules(ann)["secret"] == PUBLIC
    forger.refs.create_tombstone(sample_tombstone("secret", 2, roots=roots, access=TEAM_A))
    forger.refs.create_tombstone(sample_tombstone("secret", 2, roots=roots))  # and so does another one
    assert load_rules(ann)["secret"] == TEAM_A
    assert load_system(ann).rules["secret"] == TEAM_A


def test_a_leak_is_still_a_leak_when_what_leaked_was_purged(ann: Repository, context: Context) -> None:
    add_sample_task(ann, "open")
    evolve_sample(ann, "open", score=0.7, parent=model_of(ann, "secret"))  # what no search would do
    leak = ("access", f"model/{model_of(ann, 'open')}")
    assert leak in {(problem.kind, problem.object) for problem in fsck(ann).problems}
    purge(ann, context, "secret")
    assert leak in {(problem.kind, problem.object) for problem in fsck(ann).problems}


@pytest.mark.parametrize("attack", [a_whole_purge, a_wider_task, only_a_purge_commit])
@pytest.mark.parametrize("verb", VERBS)
def test_a_clone_that_never_knew_better_sends_no_knowledge_either(
    ann: Repository,
    team: Remote,
    spot: Spot,
    tmp_path: Path,
    attack: Callable[[Forger], None],
    verb: Callable[..., None],
) -> None:
    attack(Forger.into(team))
    bob = clone_of(team, tmp_path / "bob")
    other = spot("b", "team-b")
    verb(bob, other)
    left = leaks(other, "secret", names=False)
    assert {key for key in left if verb is not repair or "/component/" in key} == set()  # see docs/concepts.md


def test_nor_does_it_where_the_whole_history_was_written_anew(ann: Repository, spot: Spot, tmp_path: Path) -> None:
    """Somebody takes over the bytes of the components alone, and makes all else of them himself."""
    component = next(ref for ref in ann.objects.model(model_of(ann, "secret")).components if ref.name == "embedding")
    fake = spot("fake", "team-a")
    theirs = sample_repository(tmp_path / "theirs")
    add_sample_task(theirs, "mix", BOTH)
    evolve_sample(theirs, "mix", score=0.8)
    theirs.objects.put_bytes("component", ann.objects.read("component", component.id))
    forger = Forger.into(theirs)
    model = forger.naming(forger.model("mix"), component.id, {}, size_bytes=component.size_bytes)
    push(theirs, fake)
    there = Forger.into(fake)
    there.objects.put_bytes("component", ann.objects.read("component", component.id))
    there.move("mix", there.next("mix", model=there.put(model)))
    bob = sample_repository(tmp_path / "bob")
    bob.update_config(lambda config: config.with_remote(fake))
    attach(bob)
    pull_what_comes(bob, fake)
    other = spot("b", "team-b")
    push(bob, other)
    assert leaks(other, "secret") == set()
