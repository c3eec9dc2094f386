"""Manifests that hide who trained a component: it says so itself, so that it goes nowhere, and neither does the lie."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from mu2net_core.errors import AccessDeniedError, CorruptObjectError, Mu2netError
from mu2net_core.objects import AccessRule, Model, Snapshot, Training
from mu2net_core.repo import Remote, Repository, open_repository
from mu2net_core.repo.checking.fsck_run import examine, fsck
from mu2net_core.repo.checking.patient import patient_there
from mu2net_core.repo.exchange.push_preview import preview
from mu2net_core.repo.exchange.pushing import push
from mu2net_core.repo.exchange.repair_source import GuardedSource
from mu2net_core.repo.exchange.transfer import send
from mu2net_core.repo.history.system import load_rules
from mu2net_core.repo.remotes.closure import Knowledge, collect
from mu2net_core.repo.remotes.remotes import connect, connect_or_create
from mu2net_core.repo.remotes.reports import Counter, Exchange
from mu2net_core.repo.remotes.tracking import Tracking
from mu2net_core.testing.attacks.forging import Forger, leaks
from mu2net_core.testing.building.samples import add_sample_task, evolve_sample, sample_repository
from mu2net_core.testing.worlds.sharing import clone_of, commit_of, model_of, outcomes, pull

Spot = Callable[..., Remote]
MINE = AccessRule.only(["secret"])


@pytest.fixture
def ann(tmp_path: Path) -> Repository:
    """Returns a working copy with a public task, and a private one that learned from it."""
    repo = sample_repository(tmp_path / "ann")
    add_sample_task(repo, "pub")
    evolve_sample(repo, "pub", score=0.5)
    add_sample_task(repo, "secret", MINE)
    for score in (0.8, 0.9):
        evolve_sample(repo, "secret", score=score, trains=("embedding", "head"), seed=int(10 * score))
    return repo


def wanted(repo: Repository) -> tuple[str, int]:
    """Returns id and size of a component that the private task alone trained."""
    ref = next(ref for ref in repo.objects.model(model_of(repo, "secret")).components if ref.name == "embedding")
    assert set(ref.training) == {"secret"}
    return ref.id, ref.size_bytes


def forged(forger: Forger, oid: str, size_bytes: int, training: dict[str, Training], **changed: object) -> Model:
    lie = forger.naming(forger.model("pub"), oid, training, size_bytes=size_bytes, trainable=False, **changed)
    return replace(lie, parent=forger.model_id("pub"), score=0.99, quality=0.99)


def as_head(forger: Forger, model: Model) -> None:
    forger.move("pub", forger.next("pub", model=forger.put(model)))


def no_training(forger: Forger, oid: str, size_bytes: int) -> None:
    as_head(forger, forged(forger, oid, size_bytes, {}, parent=None))


def fewer_steps(forger: Forger, oid: str, size_bytes: int) -> None:
    as_head(forger, forged(forger, oid, size_bytes, {"secret": Training(steps=0, examples=0)}))


def another_name(forger: Forger, oid: str, size_bytes: int) -> None:
    as_head(forger, forged(forger, oid, size_bytes, {"pub": Training(steps=9, examples=9)}))


def its_own_parent(forger: Forger, oid: str, size_bytes: int) -> None:
    as_head(forger, forged(forger, oid, size_bytes, {}, parent=oid, operation="clone"))


def as_an_ancestor(forger: Forger, oid: str, size_bytes: int) -> None:
    model = forger.model("pub")
    parent = forger.put(forged(forger, oid, size_bytes, {}, parent=None))
    as_head(forger, replace(model, parent=parent, score=0.98))


def in_the_history(forger: Forger, oid: str, size_bytes: int) -> None:
    model = forger.model("pub")
    no_training(forger, oid, size_bytes)
    as_head(forger, replace(model, score=0.98))


def as_a_root_of_a_snapshot(forger: Forger, oid: str, size_bytes: int) -> None:
    lie = replace(forged(forger, oid, size_bytes, {}, parent=None), task=None, task_id=None, parent=None, root=None)
    snapshot = Snapshot(heads={}, roots={"tiny": forger.put(lie)})
    forger.move("pub", forger.next("pub", snapshot=forger.put(snapshot)))


LIES = [
    no_training,
    fewer_steps,
    another_name,
    its_own_parent,
    as_an_ancestor,
    in_the_history,
    as_a_root_of_a_snapshot,
]


def told(done: Exchange, name: str) -> str:
    names = {report.name: report.outcome for report in (*done.tags, *done.roots)}
    return {**outcomes(done), **names}.get(name, "")


def push_all(repo: Repository, to: Remote) -> None:
    assert told(push(repo, to), "pub") == "skipped"


def push_it_alone(repo: Repository, to: Remote) -> None:
    assert told(push(repo, to, tasks=["pub"]), "pub") == "skipped"


def push_dry(repo: Repository, to: Remote) -> None:
    parcels = {parcel.name: parcel for parcel in preview(repo, to).tasks}
    assert (parcels["pub"].outcome, parcels["pub"].num_components) == ("skipped", 0)


def push_a_tag(repo: Repository, to: Remote) -> None:
    repo.refs.create_tag("v1", repo.objects.put(Snapshot(heads={"pub": commit_of(repo, "pub")}, roots={})))
    assert told(push(repo, to), "v1") == "skipped"


def push_what_learned_from_it(repo: Repository, to: Remote) -> None:
    """A child keeps the component, and trains another one from it: what that came from is in its own bytes."""
    evolve_sample(repo, "pub", score=0.995, trains=("encoderblock_0",), seed=5)
    evolve_sample(repo, "pub", score=0.999, trains=("embedding",), seed=6)
    assert told(push(repo, to), "pub") == "skipped"


def repair(repo: Repository, to: Remote) -> None:
    push(repo, to)
    there = connect_or_create(to, repo.config)
    there.refs.append("pub", commit_of(repo, "pub"), after=None)
    guarded = GuardedSource(repo, repo, there.audience)
    examine(patient_there(there, repo), source=guarded)
    assert guarded.refused


def repair_what_is_told_there(repo: Repository, to: Remote) -> None:
    """Somebody put the manifests there, too: only components are missing."""
    push(repo, to)
    there = connect_or_create(to, repo.config)
    knowledge = Knowledge(repo.objects, Tracking(url=to.url))
    for (kind, oid), _ in collect(repo.objects, [("commit", commit_of(repo, "pub"))], knowledge).manifests:
        there.objects.put_bytes(kind, repo.objects.read(kind, oid))
    there.refs.append("pub", commit_of(repo, "pub"), after=None)
    examine(patient_there(there, repo), source=GuardedSource(repo, repo, there.audience))


VERBS = [push_all, push_it_alone, push_dry, push_a_tag, push_what_learned_from_it, repair, repair_what_is_told_there]


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("lie", LIES)
def test_what_hides_its_training_goes_nowhere(
    ann: Repository, spot: Spot, lie: Callable[..., None], verb: Callable[..., None]
) -> None:
    lie(Forger.into(ann), *wanted(ann))
    mirror = spot("mirror")
    verb(ann, mirror)
    assert {
        key for key in leaks(mirror, "secret") if verb is not repair_what_is_told_there or "component" in key
    } == set()
    assert not connect(mirror).objects.has("component", wanted(ann)[0])


@pytest.mark.parametrize("medium", ["bucket"])
@pytest.mark.parametrize("verb", [push_a_tag, repair])
def test_neither_does_it_into_a_bucket(ann: Repository, spot: Spot, verb: Callable[..., None]) -> None:
    no_training(Forger.into(ann), *wanted(ann))
    mirror = spot("mirror")
    verb(ann, mirror)
    assert leaks(mirror, "secret") == set()


def test_a_root_that_hides_its_training_stays(ann: Repository, spot: Spot) -> None:
    forger, (oid, size_bytes) = Forger.into(ann), wanted(ann)
    lie = replace(forged(forger, oid, size_bytes, {}, parent=None), task=None, task_id=None, parent=None, root=None)
    ann.refs.create_root("evil", ann.objects.put(lie))
    mirror = spot("mirror")
    done = push(ann, mirror)
    assert (told(done, "evil"), told(done, "tiny"), told(done, "pub")) == ("skipped", "new", "new")
    assert leaks(mirror, "secret") == set()


@pytest.mark.parametrize(("medium", "lie"), [*(("folder", lie) for lie in LIES), ("bucket", no_training)])
def test_what_comes_from_a_remote_goes_to_no_other(ann: Repository, spot: Spot, lie: Callable[..., None]) -> None:
    origin, mirror = spot("origin"), spot("mirror")
    push(ann, origin)
    lie(Forger.into(origin), *wanted(ann))
    with suppress(Mu2netError):
        pull(ann, origin)
    push(ann, mirror)
    with suppress(Mu2netError):
        push(ann, origin)
    for place in (origin, mirror):
        assert not connect(place).objects.has("component", wanted(ann)[0])
    assert leaks(mirror, "secret") == set()


@pytest.mark.parametrize("is_empty", [False, True])
def test_nor_to_what_somebody_put_in_the_place_of_the_remote(ann: Repository, spot: Spot, is_empty: bool) -> None:
    origin = spot("origin")
    push(ann, origin)
    no_training(Forger.into(ann), *wanted(ann))
    there = connect(origin).store
    for key in list(there.list("")):
        if is_empty or key.startswith(("objects/", "refs/")):
            there.delete(key)
    for repo in (ann, open_repository(ann.path)):
        with suppress(Mu2netError):
            push(repo, origin)
        assert leaks(origin, "secret") == set()


@pytest.mark.parametrize("is_first", [True, False])
def test_a_component_that_is_only_elsewhere_is_brought_before_it_is_judged(
    ann: Repository, spot: Spot, tmp_path: Path, is_first: bool
) -> None:
    origin, vault, mirror = spot("origin"), spot("vault", "secret"), spot("mirror")
    push(ann, origin)
    push(ann, vault)
    bob = clone_of(vault, tmp_path / "bob")
    oid, _ = wanted(ann)
    assert not bob.objects.has("component", oid)
    no_training(Forger.into(bob), *wanted(ann))
    (parcel,) = preview(bob, mirror, tasks=["pub"]).tasks
    assert (parcel.outcome, parcel.num_components) == ("new", 2)
    assert str(parcel.reason) == "as far as can be told before what is only elsewhere is here"
    if not is_first:
        connect_or_create(mirror, bob.config)
    try:
        said = " ".join(str(report.reason) for report in push(bob, mirror, tasks=["pub"]).tasks)
    except CorruptObjectError as exc:
        said = exc.message
    assert "hides that" in said
    assert "secret trained its embedding" in said
    assert leaks(mirror, "secret") == set()


def test_the_very_bytes_are_judged_right_before_they_are_sent(
    ann: Repository, spot: Spot, monkeypatch: pytest.MonkeyPatch
) -> None:
    no_training(Forger.into(ann), *wanted(ann))
    mirror = spot("mirror")
    there = connect_or_create(mirror, ann.config)
    monkeypatch.setattr(type(ann.objects), "label", lambda self, oid: None)  # as if it could not be told before
    knowledge = Knowledge(ann.objects, Tracking(url=mirror.url))
    closure = collect(ann.objects, [("commit", commit_of(ann, "pub"))], knowledge)
    with pytest.raises(AccessDeniedError, match=f"component {wanted(ann)[0]} was not sent to mirror.* with secret"):
        send(ann.objects, there, [closure], load_rules(ann), what="it", counter=Counter())
    assert leaks(mirror, "secret") == set()


@pytest.mark.parametrize("lie", [no_training, another_name, its_own_parent, as_an_ancestor, in_the_history])
def test_fsck_names_the_model_and_the_layer(ann: Repository, lie: Callable[..., None]) -> None:
    assert fsck(ann).is_clean
    lie(Forger.into(ann), *wanted(ann))
    found = [problem for problem in fsck(ann).problems if problem.kind == "forged"]
    assert [problem.message for problem in found] == [
        "Its embedding tells of no training by secret; the component itself does."
    ]
    model = ann.objects.model(found[0].object.removeprefix("model/"))
    assert wanted(ann)[0] in {ref.id for ref in model.components}


@pytest.mark.parametrize("medium", ["folder", "bucket"])
def test_fsck_names_them_in_a_remote(ann: Repository, spot: Spot) -> None:
    vault = spot("vault", "secret")
    push(ann, vault)
    there = connect(vault)
    assert examine(patient_there(there, ann)).is_clean
    no_training(Forger.into(vault), *wanted(ann))
    found = {problem.kind: problem.message for problem in examine(patient_there(there, ann)).problems}
    assert found["forged"] == "Its embedding tells of no training by secret; the component itself does."


def test_fsck_compares_manifests_where_the_component_is_not_here(ann: Repository, spot: Spot, tmp_path: Path) -> None:
    vault = spot("vault", "secret")
    push(ann, vault)
    bob = clone_of(vault, tmp_path / "bob")
    assert fsck(bob).is_clean
    no_training(Forger.into(bob), *wanted(ann))
    (found,) = [problem for problem in fsck(bob).problems if problem.kind == "forged"]
    assert found.object == f"model/{model_of(bob, 'pub')}"
    assert "one of them is forged" in found.message
