"""A remote is asked only for components that it was seen to refer to: their ids are nobody else's business."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from mu2net_core.errors import Mu2netError, NotFoundError, StorageError
from mu2net_core.objects import AccessRule, Snapshot, encode, hash_bytes, object_key
from mu2net_core.repo import Remote, Repository
from mu2net_core.repo.checking.fsck_run import fsck
from mu2net_core.repo.exchange import delivering
from mu2net_core.repo.exchange.fetching import fetch
from mu2net_core.repo.exchange.pushing import push
from mu2net_core.repo.remotes import remotes
from mu2net_core.repo.remotes.prefetch import bring_models
from mu2net_core.repo.remotes.remote_components import held_by
from mu2net_core.repo.remotes.remotes import attach
from mu2net_core.repo.remotes.reports import Counter
from mu2net_core.repo.remotes.tracking import forget_tracking, read_tracking, write_tracking
from mu2net_core.repo.upkeep.promised import only_there
from mu2net_core.storage import Store, open_store
from mu2net_core.testing.attacks.forging import Forger, leaks
from mu2net_core.testing.building.samples import LAYERS, add_sample_task, evolve_sample, sample_repository, sample_task
from mu2net_core.testing.servers.wrappers import FaultyStore, WrappedStore
from mu2net_core.testing.worlds.sharing import broken, clone_of, commit_of, model_of, outcomes, pull

Spot = Callable[..., Remote]


@pytest.fixture
def vault(spot: Spot) -> Remote:
    return spot("vault", "secret")


@pytest.fixture
def ann(tmp_path: Path, origin: Remote, vault: Remote) -> Repository:
    """Returns a working copy whose public task is at two places, and a private one at one of them."""
    repo = sample_repository(tmp_path / "ann")
    add_sample_task(repo, "pub")
    evolve_sample(repo, "pub", score=0.5, trains=("embedding",), seed=1)
    add_sample_task(repo, "secret", AccessRule.only(["secret"]))
    evolve_sample(repo, "secret", score=0.9, trains=LAYERS, seed=2)
    push(repo, origin)
    push(repo, vault)
    return repo


@pytest.fixture
def bob(ann: Repository, origin: Remote, vault: Remote, tmp_path: Path) -> Repository:
    """Returns a partial clone of both places."""
    repo = clone_of(origin, tmp_path / "bob")
    repo.update_config(lambda config: config.with_remote(vault))
    attach(repo)
    pull(repo, vault)
    return repo


def parts(repo: Repository, task: str) -> list[str]:
    """Returns the components of a task's model that it trained itself."""
    return [ref.id for ref in repo.objects.model(model_of(repo, task)).components if task in ref.training]


class Asked:
    """Every store that is opened while this listens, by its URL."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.stores: list[WrappedStore] = []
        real = remotes.default_open_store

        def opened(url: str, *args: object, **options: object) -> Store:
            self.stores.append(WrappedStore(real(url, *args, **options)))  # type: ignore[arg-type]
            return self.stores[-1]

        monkeypatch.setattr(remotes, "default_open_store", opened)

    def about(self, place: Remote, oids: list[str]) -> set[str]:
        """Returns the components among ``oids`` that a place was asked about, whatever it was."""
        keys = [key for store in self.stores if store.url.endswith(place.name) for _, key in store.log]
        return {oid for oid in oids if object_key("component", oid) in keys}


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Asked:
    return Asked(monkeypatch)


@pytest.mark.parametrize("medium", ["folder", "bucket"])
def test_what_only_one_refers_to_is_asked_for_only_there(
    bob: Repository, asked: Asked, origin: Remote, vault: Remote
) -> None:
    wanted = parts(bob, "secret")
    assert not any(bob.objects.has("component", oid) for oid in wanted)
    bring_models(bob, [model_of(bob, "secret"), model_of(bob, "pub")], what="it", counter=Counter())
    assert all(bob.objects.has("component", oid) for oid in wanted)
    assert asked.about(origin, wanted) == set()
    assert asked.about(vault, wanted) == set(wanted)


def test_what_nobody_refers_to_is_asked_for_nowhere(
    bob: Repository, asked: Asked, origin: Remote, vault: Remote
) -> None:
    add_sample_task(bob, "own", AccessRule.only(["own"]))
    evolve_sample(bob, "own", score=0.5, trains=LAYERS, seed=9)
    lost = parts(bob, "own")
    for oid in lost:
        bob.store.delete(object_key("component", oid))
    with pytest.raises(NotFoundError, match="is not here, and was not asked for on origin, vault") as info:
        bob.objects.read("component", lost[0])
    assert info.value.hint == "If that is out of date, look again: mu2net fetch origin"
    assert not fsck(bob).is_clean
    with suppress(Mu2netError):
        push(bob, origin)
    with suppress(Mu2netError):
        push(bob, vault)
    only_there(bob, origin)
    assert asked.stores
    assert asked.about(origin, lost) | asked.about(vault, lost) == set()


def test_neither_a_check_nor_the_removal_of_a_remote_names_what_is_missing(
    bob: Repository, asked: Asked, origin: Remote, vault: Remote
) -> None:
    wanted = parts(bob, "secret")
    assert fsck(bob).is_clean
    assert only_there(bob, vault) == len(wanted)
    assert only_there(bob, origin) == 0
    assert asked.stores
    assert asked.about(origin, wanted) | asked.about(vault, wanted) == set()


def test_what_was_fetched_since_is_asked_for(ann: Repository, bob: Repository, origin: Remote, vault: Remote) -> None:
    bring_models(bob, [model_of(bob, "secret")], what="it", counter=Counter())
    evolve_sample(ann, "secret", score=0.99, trains=LAYERS, seed=3)
    push(ann, vault)
    pull(bob, vault)
    (oid, *_) = parts(bob, "secret")
    assert not bob.objects.has("component", oid)
    assert bob.objects.component(oid).label.trained_by == ("secret",)


def test_a_single_remote_is_asked_for_all_whatever_is_known_of_it(
    ann: Repository, origin: Remote, tmp_path: Path
) -> None:
    bob = clone_of(origin, tmp_path / "bob")
    forget_tracking(bob.state, origin.name)
    assert bob.objects.component(parts(bob, "pub")[0]).label.trained_by == ("pub",)


def test_tags_roots_and_earlier_models_count_and_what_is_missing_ends_its_line(
    ann: Repository, bob: Repository, origin: Remote, vault: Remote
) -> None:
    assert held_by(bob, vault) - held_by(bob, origin) == set(parts(bob, "secret"))
    old = model_of(ann, "pub")
    evolve_sample(ann, "pub", score=0.9, trains=LAYERS, seed=5)
    heads = {"pub": commit_of(ann, "pub"), "secret": commit_of(ann, "secret")}
    ann.refs.create_tag("v1", ann.objects.put(Snapshot(heads=heads, roots={})))
    push(ann, vault)
    pull(bob, vault)
    assert held_by(bob, vault) >= {ref.id for ref in bob.objects.model(old).components} | set(parts(bob, "pub"))
    note = replace(read_tracking(bob.state, vault), heads={}, roots={})
    write_tracking(bob.state, vault.name, note)
    assert held_by(bob, vault) >= set(parts(bob, "secret")), "a tag alone reaches it"
    bob.store.delete(object_key("model", model_of(bob, "secret")))
    bob.objects.forget()
    assert not held_by(bob, vault) & set(parts(ann, "secret"))


@pytest.mark.parametrize("medium", ["folder", "bucket"])
def test_a_tag_that_names_what_only_we_have_makes_nobody_ask_for_it(
    bob: Repository, asked: Asked, origin: Remote, vault: Remote
) -> None:
    """Its id leaked: whoever writes there could learn by it what the private model is made of."""
    add_sample_task(bob, "own", AccessRule.only(["own"]))
    evolve_sample(bob, "own", score=0.5, trains=LAYERS, seed=9)
    there = remotes.connect(vault)
    snapshot = Snapshot(heads={"own": commit_of(bob, "own")}, roots={}, tag="evil", identity=bob.identity)
    there.refs.create_tag("evil", there.objects.put(snapshot))
    pulled = fetch(bob, remotes.connect(vault))
    (report,) = [tag for tag in pulled.tags if tag.name == "evil"]
    assert report.outcome == "broken"
    assert "which is not there" in str(report.reason)
    assert "evil" not in bob.refs.tags()
    assert not held_by(bob, vault) & {*parts(bob, "own")}


@pytest.fixture
def own(bob: Repository) -> list[str]:
    """Returns the components of a private task that only one has."""
    add_sample_task(bob, "own", AccessRule.only(["own"]))
    evolve_sample(bob, "own", score=0.5, trains=LAYERS, seed=9)
    return parts(bob, "own")


def _names_the_head(bob: Repository, there: Forger) -> None:
    there.refs.append("own", commit_of(bob, "own"), after=None)


def _follows_the_head(bob: Repository, there: Forger) -> None:
    tip = bob.objects.commit(commit_of(bob, "own"))
    there.objects.put(bob.objects.task(tip.task_id))
    forged = replace(tip, parents=(commit_of(bob, "own"),), model=None, identity=None, snapshot=None, selections={})
    there.refs.append("own", there.objects.put(forged), after=None)


def _retains_the_model(bob: Repository, there: Forger) -> None:
    tip = bob.objects.commit(commit_of(bob, "own"))
    there.objects.put(bob.objects.task(tip.task_id))
    forged = replace(tip, parents=(), identity=bob.identity, snapshot=None, selections={}, message="forged")
    there.refs.append("own", there.objects.put(forged), after=None)


def _tags_what_follows(bob: Repository, there: Forger) -> None:
    tip = bob.objects.commit(commit_of(bob, "own"))
    there.objects.put(bob.objects.task(tip.task_id))
    forged = replace(tip, parents=(commit_of(bob, "own"),), model=None, identity=None, snapshot=None, selections={})
    heads = {"own": there.objects.put(forged)}
    snapshot = Snapshot(heads=heads, roots={}, tag="evil", identity=bob.identity)
    there.refs.create_tag("evil", there.objects.put(snapshot))


def _tags_the_snapshot(bob: Repository, there: Forger) -> None:
    ours = Snapshot(heads={"own": commit_of(bob, "own")}, roots={}, identity=bob.identity)
    there.refs.create_tag("evil", bob.objects.put(ours))


@pytest.mark.parametrize(
    "attack", [_names_the_head, _follows_the_head, _retains_the_model, _tags_what_follows, _tags_the_snapshot]
)
def test_what_leads_to_what_only_we_have_makes_nobody_ask_for_it(
    bob: Repository, origin: Remote, own: list[str], attack: Callable[[Repository, Forger], None]
) -> None:
    attack(bob, Forger.into(origin))
    pulled = fetch(bob, remotes.connect(origin))
    (told,) = [one for one in (*pulled.tasks, *pulled.tags) if one.outcome == "broken"]
    assert "is not there" in str(told.reason)
    assert held_by(bob, origin).isdisjoint(own)
    assert [one.outcome for one in pulled.tasks if one.task == "pub"] == ["up-to-date"]


def _as_a_head(bob: Repository, there: Forger, forged: str) -> None:
    there.refs.append("secret", forged, after=there.refs.head("secret"))


def _as_a_parent(bob: Repository, there: Forger, forged: str) -> None:
    there.move("secret", replace(there.objects.commit(forged), parents=(forged,), identity=None, message="more"))


def _as_a_tag(bob: Repository, there: Forger, forged: str) -> None:
    snapshot = Snapshot(heads={"secret": forged}, roots={}, tag="evil", identity=bob.identity)
    there.refs.create_tag("evil", there.objects.put(snapshot))


@pytest.mark.parametrize("attack", [_as_a_head, _as_a_parent, _as_a_tag])
def test_what_was_forged_alike_at_two_places_leads_only_to_what_is_there(
    bob: Repository, origin: Remote, vault: Remote, attack: Callable[[Repository, Forger, str], None]
) -> None:
    """At one place what it needs is there, and it comes from there; the other only has the same bytes."""
    tip = bob.objects.commit(commit_of(bob, "secret"))
    forged = replace(tip, parents=(), snapshot=None, selections={}, identity=bob.identity, message="forged")
    secret = parts(bob, "secret")
    for place in (vault, origin):
        there = Forger.into(place)
        there.put(bob.objects.task(tip.task_id))
        attack(bob, there, there.put(forged))
        with suppress(Mu2netError):  # which goes on after one that is behind
            fetch(bob, remotes.connect(place))
    assert bob.objects.has("commit", hash_bytes(encode(forged)))
    assert held_by(bob, vault) >= set(secret)
    assert held_by(bob, origin).isdisjoint(secret)


def test_a_full_copy_asks_for_no_component_of_a_model_that_is_not_there(
    bob: Repository, asked: Asked, origin: Remote
) -> None:
    """It wants all components at once of what it fetches; that model came from elsewhere."""
    whole = replace(origin, partial=False)
    bob.update_config(lambda config: config.with_remote(whole))
    tip, there = bob.objects.commit(commit_of(bob, "secret")), Forger.into(origin)
    there.put(bob.objects.task(tip.task_id))
    forged = replace(tip, parents=(), snapshot=None, selections={}, identity=bob.identity, message="forged")
    there.refs.append("secret", there.put(forged), after=None)
    assert list(broken(fetch(bob, remotes.connect(whole)))) == ["task secret"]
    assert asked.about(origin, parts(bob, "secret")) == set()


def test_a_long_history_that_is_here_already_is_listed_there_and_not_asked_for(
    ann: Repository, asked: Asked, origin: Remote, spot: Spot, tmp_path: Path
) -> None:
    for number in range(20):
        evolve_sample(ann, "pub", score=0.5 + number / 100, seed=100 + number)
    push(ann, origin)
    bob, mirror = clone_of(origin, tmp_path / "bob"), spot("mirror")
    shutil.copytree(origin.url, mirror.url)
    bob.update_config(lambda config: config.with_remote(mirror))
    asked.stores.clear()
    assert outcomes(fetch(bob, remotes.connect(mirror))) == {"pub": "new"}
    questions = [key for store in asked.stores for _, key in store.log if key.startswith("objects/")]
    assert len(questions) < 3 * 20  # of as many commits, models and snapshots
    assert held_by(bob, mirror) == held_by(bob, origin)


def test_a_question_that_fails_is_told_as_that_and_asked_again(bob: Repository, origin: Remote, spot: Spot) -> None:
    mirror = spot("mirror")
    shutil.copytree(origin.url, mirror.url)
    bob.update_config(lambda config: config.with_remote(mirror))
    for at in range(1, 50):
        faulty = partial(FaultyStore, at=at, methods=frozenset({"exists"}))
        try:
            fetched = fetch(bob, remotes.connect(mirror, open_store=lambda url, faulty=faulty: faulty(open_store(url))))
        except StorageError:
            assert held_by(bob, mirror) <= held_by(bob, origin)
        else:
            break
    assert at > 3
    assert broken(fetched) == {}
    assert held_by(bob, mirror) == held_by(bob, origin)


def test_a_public_task_that_learned_what_was_narrowed_since_is_not_taken_to_be_there(
    bob: Repository, origin: Remote
) -> None:
    """Its head over there names our work, which may not go there any more."""
    add_sample_task(bob, "mine")
    evolve_sample(bob, "mine", score=0.5, trains=("embedding",), seed=11)
    add_sample_task(bob, "open")
    evolve_sample(bob, "open", score=0.5, trains=("head",), seed=12, parent=model_of(bob, "mine"))
    there = Forger.into(bob)
    private = bob.objects.put(sample_task("mine", AccessRule.only(["mine"])))
    there.move("mine", there.next("mine", task_id=private))
    Forger.into(origin).refs.append("open", commit_of(bob, "open"), after=None)
    fetch(bob, remotes.connect(origin))
    assert held_by(bob, origin).isdisjoint(parts(bob, "open"))


@pytest.mark.parametrize("medium", ["folder", "bucket"])
def test_a_root_that_only_we_have_makes_nobody_ask_for_it(bob: Repository, origin: Remote, own: list[str]) -> None:
    model = bob.objects.model(model_of(bob, "own"))
    ours = replace(model, task=None, task_id=None, parent=None, root=None, score=None, quality=None)
    root = bob.objects.put(ours)
    Forger.into(origin).refs.create_root("evil", root)
    (told,) = fetch(bob, remotes.connect(origin)).roots
    assert (told.outcome, told.name) == ("broken", "evil")
    assert "is not there" in str(told.reason)
    assert "evil" not in bob.refs.roots()
    assert held_by(bob, origin).isdisjoint(own)


def test_what_is_narrowed_while_its_components_are_brought_is_not_sent_on(
    ann: Repository, bob: Repository, origin: Remote, vault: Remote, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Bringing them may take hours; a pull in another process may narrow the rule meanwhile."""
    add_sample_task(ann, "late")
    evolve_sample(ann, "late", score=0.5, trains=("embedding",), seed=21)
    add_sample_task(ann, "later")
    evolve_sample(ann, "later", score=0.5, trains=("head",), seed=22, parent=model_of(ann, "late"))
    push(ann, vault)
    pull(bob, vault)
    real = delivering.bring_components

    def bringing(repo: Repository, *args: Any, **options: Any) -> None:
        real(repo, *args, **options)
        here = Forger.into(repo)
        private = here.objects.put(sample_task("late", AccessRule.only(["late"])))
        if here.objects.commit(here.head("late").commit).task_id != private:
            here.move("late", here.next("late", task_id=private))

    monkeypatch.setattr(delivering, "bring_components", bringing)
    (report,) = push(bob, origin, tasks=["later"]).tasks
    assert report.outcome == "skipped"
    assert "late is private, and the remote is for everybody" in str(report.reason)
    assert leaks(origin, "late") == set()
