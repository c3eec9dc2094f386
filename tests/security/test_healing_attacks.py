"""Who may write to a remote takes things away there, or forges what was seen, to get more, or to hide a loss.

A push sends again what a remote lost. Nothing may go there so that would not go there anyway, and no loss may pass for
none.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count, product
from pathlib import Path

import pytest

from mu2net_core.errors import Mu2netError
from mu2net_core.objects import AccessRule, Snapshot, object_key
from mu2net_core.repo import Remote, Repository
from mu2net_core.repo.core.epoch import current_epoch, new_epoch
from mu2net_core.repo.core.ref_files import entry_key
from mu2net_core.repo.core.refs import Refs
from mu2net_core.repo.exchange.fetching import fetch
from mu2net_core.repo.exchange.pushing import push
from mu2net_core.repo.remotes.closure import Node
from mu2net_core.repo.remotes.remote_listing import is_damaged
from mu2net_core.repo.remotes.remotes import attach, connect
from mu2net_core.repo.remotes.reports import Exchange
from mu2net_core.storage import Store, open_store
from mu2net_core.testing.attacks.writer import Writer
from mu2net_core.testing.building.samples import (
    add_sample_task,
    evolve_sample,
    sample_repository,
    sample_task,
    sample_tombstone,
)
from mu2net_core.testing.worlds.sharing import add_tasks, commit_of, model_of, outcomes, working_copy

TEAM = AccessRule.only(["team-a"])
_NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
_minutes = count()


@pytest.fixture(params=["folder", "bucket"])
def medium(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def ann(tmp_path: Path, origin: Remote) -> Repository:
    """Returns a working copy that shares ``cats`` and ``dogs``, and has ``secret``, which is for a team."""
    repo = working_copy(tmp_path / "ann", origin)
    add_tasks(repo, "cats", "dogs")
    add_sample_task(repo, "secret", TEAM)
    evolve_sample(repo, "secret", score=0.5, seed=7, trains=("embedding", "head"))
    exchange(push, repo, origin)
    return repo


@pytest.fixture
def store(ann: Repository, origin: Remote) -> Store:
    """Returns the remote as the attacker has it."""
    return open_store(origin.url, origin.options)


def later() -> datetime:
    """Returns a time at which nothing is relied on that was looked at before."""
    return _NOON + timedelta(minutes=next(_minutes))


def exchange(verb: Callable[..., Exchange], repo: Repository, remote: Remote) -> Exchange:
    return verb(repo, remote if verb is push else connect(remote), clock=later)


def fetch_and_push(repo: Repository, remote: Remote) -> None:
    """Does so twice, whatever they say: what the attacker made may be refused."""
    for verb in (fetch, push, fetch, push):
        with suppress(Mu2netError):
            exchange(verb, repo, remote)


def leaked(store: Store, repo: Repository, task: str) -> list[str]:
    """Returns the keys in a remote that hold, or tell of, what a task's data taught."""
    model = repo.objects.model(model_of(repo, task))
    ids = {model_of(repo, task), *(ref.id for ref in model.components if task in ref.training)}
    keys = [key for key in store.list("objects") if key.rpartition("/")[2].split(".")[0]]
    own = {object_key(kind, oid) for oid in ids for kind in ("model", "component")}
    named = [key for key in keys if not key.startswith("objects/component") and f'"{task}"'.encode() in store.read(key)]
    return sorted({*own & set(keys), *named})


def lose(store: Store, *keys: str) -> None:
    for key in keys:
        store.delete(key)


def test_a_forged_root_brings_no_private_model(ann: Repository, origin: Remote, store: Store) -> None:
    Refs(store).create_root("evil", model_of(ann, "secret"))
    fetch_and_push(ann, origin)
    lose(store, "refs/roots/evil")
    fetch_and_push(ann, origin)
    assert leaked(store, ann, "secret") == []


def test_a_forged_tag_brings_no_private_history(ann: Repository, origin: Remote, store: Store) -> None:
    heads = {task: state.commit for task, state in ann.refs.heads().items()}
    snapshot = ann.objects.put(Snapshot(heads=heads, roots=ann.refs.roots()))
    Refs(store).create_tag("evil", snapshot)
    fetch_and_push(ann, origin)
    lose(store, "refs/tags/evil")
    fetch_and_push(ann, origin)
    assert leaked(store, ann, "secret") == []
    assert not store.exists(object_key("snapshot", snapshot))


def test_a_forged_head_brings_no_private_history(ann: Repository, origin: Remote, store: Store) -> None:
    Refs(store).append("secret", commit_of(ann, "secret"), after=None)
    fetch_and_push(ann, origin)
    lose(store, entry_key("secret", 1))
    fetch_and_push(ann, origin)
    assert leaked(store, ann, "secret") == []
    assert not store.exists(entry_key("secret", 1))


@pytest.mark.parametrize("is_partial", [False, True])
def test_a_forged_model_brings_no_private_component(
    ann: Repository, origin: Remote, store: Store, tmp_path: Path, is_partial: bool
) -> None:
    """It says of others' components that nobody's data trained them; a partial clone would bring them from the team."""
    team = Remote(name="team", url=str(tmp_path / "team"), readers=("team-a",), partial=True)
    victim = ann
    if is_partial:
        exchange(push, ann, team)
        victim = sample_repository(tmp_path / "bob")
        victim.update_config(lambda config: config.with_remote(origin).with_remote(team))
        attach(victim)
        exchange(fetch, victim, team)
        exchange(fetch, victim, origin)
    before = ann.objects.commit(commit_of(ann, "cats"))
    model = ann.objects.model(model_of(ann, "cats"))
    private = [replace(ref, training={}) for ref in ann.objects.model(model_of(ann, "secret")).components]
    evil = Writer(store=store).put(replace(model, components=tuple(private), parent=model_of(ann, "cats"), score=0.99))
    commit = replace(before, model=evil, parents=(commit_of(ann, "cats"),), identity=None, message="better")
    Writer(store=store).move("cats", commit)
    fetch_and_push(victim, origin)
    assert leaked(store, ann, "secret") == []


@pytest.mark.parametrize("lost", ["entries", "commits", "everything of it"])
def test_what_became_private_since_does_not_come_back(ann: Repository, origin: Remote, store: Store, lost: str) -> None:
    heads = {"dogs": commit_of(ann, "dogs")}
    ann.refs.create_tag("v1", ann.objects.put(Snapshot(heads=heads, roots=ann.refs.roots())))
    exchange(push, ann, origin)
    before = ann.objects.commit(commit_of(ann, "dogs"))
    narrow = replace(before, parents=(commit_of(ann, "dogs"),), identity=None, message="for the team only")
    narrow = replace(narrow, task_id=ann.objects.put(sample_task("dogs", TEAM)), model=None)
    ann.refs.append("dogs", ann.objects.put(narrow), after=ann.refs.head("dogs"))
    own = {object_key("commit", heads["dogs"]), object_key("model", before.model or ""), "refs/tags/v1"}
    gone = {
        "entries": [*store.list("refs/heads/dogs"), "refs/tags/v1"],
        "commits": list(store.list("objects/commit")),
        "everything of it": [*store.list("refs/heads/dogs"), *own],
    }[lost]
    lose(store, *gone)
    result = exchange(push, ann, origin)
    assert outcomes(result)["dogs"] == "skipped"
    back = {key for key in gone if store.exists(key)}
    assert back <= {object_key("commit", oid) for oid in _history(ann, "cats")}
    assert result.missing


def _history(repo: Repository, task: str) -> Iterator[str]:
    pending = [commit_of(repo, task)]
    while pending:
        yield (oid := pending.pop())
        pending += repo.objects.commit(oid).parents


def _parts(repo: Repository) -> dict[str, Node]:
    model = repo.objects.model(model_of(repo, "cats"))
    return {
        "component": ("component", model.components[-1].id),
        "model": ("model", model_of(repo, "cats")),
        "commit": ("commit", repo.objects.commit(commit_of(repo, "cats")).parents[0]),
    }


_IN_A_BUCKET = [("bucket", "component", "cats", 0, False), ("bucket", "commit", "zebras", 1_000, True)]
_KINDS = ("component", "model", "commit")
_CLAIMS = list(product(["folder"], _KINDS, ["cats", "zebras"], [0, 1_000], [False, True])) + _IN_A_BUCKET


@pytest.mark.parametrize(("medium", "kind", "task", "through", "is_new_epoch"), _CLAIMS)
def test_a_forged_tombstone_hides_no_loss(
    ann: Repository, origin: Remote, store: Store, kind: str, task: str, through: int, is_new_epoch: bool
) -> None:
    node = _parts(ann)[kind]
    Refs(store).create_tombstone(sample_tombstone(task, through, objects=[f"{node[0]}/{node[1]}"]))
    if is_new_epoch:
        new_epoch(store)
        with suppress(Mu2netError):
            exchange(fetch, ann, origin)
    lose(store, object_key(*node))
    evolve_sample(ann, "dogs", score=0.9, seed=9)
    result = exchange(push, ann, origin)
    assert outcomes(result)["dogs"] == "updated"
    assert store.exists(object_key(*node)) or outcomes(result)["cats"] not in {"up-to-date", "unchanged"}
    assert result.restored or result.missing or outcomes(result)["cats"] == "skipped"


def test_a_backup_under_the_known_epoch_is_noticed(ann: Repository, origin: Remote, store: Store) -> None:
    backup = {key: store.read(key) for key in store.list("")}
    evolve_sample(ann, "cats", score=0.9, seed=9)
    exchange(push, ann, origin)
    new_epoch(store)
    exchange(fetch, ann, origin)
    known = current_epoch(store)
    lose(store, *(key for key in list(store.list("")) if key not in backup and not key.startswith("refs/epoch")))
    for key, data in backup.items():
        if not store.exists(key):
            store.create(key, data)
    assert store.exists(f"refs/epoch/{known}")
    assert "entry 2 of cats" in str(exchange(push, ann, origin).restored)


def test_an_entry_far_ahead_blocks_its_own_head_only(ann: Repository, origin: Remote, store: Store) -> None:
    key = entry_key("cats", 99_999_999)
    store.create(key, encode_entry(ann))
    for task in ("cats", "dogs"):
        evolve_sample(ann, task, score=0.9, seed=90 + len(task))
    before = Refs(store).head("dogs")
    result = exchange(push, ann, origin)
    assert outcomes(result)["dogs"] == "updated"
    assert Refs(store).head("dogs") != before
    assert result.missing == ("entry 2 of cats",)
    lose(store, key)
    assert outcomes(exchange(push, ann, origin))["cats"] == "updated"


def encode_entry(repo: Repository) -> bytes:
    state = repo.refs.head("cats")
    assert state is not None
    return repo.store.read(entry_key("cats", state.number))


@pytest.mark.parametrize("medium", ["folder"])
@pytest.mark.parametrize("what", ["a pipe", "a link to a file without end"])
@pytest.mark.parametrize("key", ["config.toml", "refs/roots/tiny"])
def test_nothing_is_read_from_what_is_no_file(
    ann: Repository, origin: Remote, store: Store, key: str, what: str
) -> None:
    """A push would wait, or fill the memory, for ever."""
    file = Path(origin.url, key)
    file.unlink()
    if what == "a pipe":
        os.mkfifo(file)
    else:
        file.symlink_to("/dev/zero")
    assert not is_damaged(store, key)
    fetch_and_push(ann, origin)
    assert not file.is_file()


@pytest.mark.parametrize("medium", ["folder"])
@pytest.mark.parametrize("key", ["refs/heads/cats/00000001", "refs/roots/tiny", "config.toml"])
def test_a_link_in_place_of_a_file_is_neither_followed_nor_deleted(
    ann: Repository, origin: Remote, store: Store, tmp_path: Path, key: str
) -> None:
    outside = tmp_path / "outside"
    outside.write_bytes(b"")
    file = Path(origin.url, key)
    file.unlink()
    file.symlink_to(outside)
    fetch_and_push(ann, origin)
    assert file.is_symlink()
    assert outside.read_bytes() == b""
