from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import fsspec
import numpy as np
import pytest

import mu2net_core as m
from mu2net_core.api.looking.status import status
from mu2net_core.api.models.add_root import add_root
from mu2net_core.api.models.checkpoints import CHECKPOINTS
from mu2net_core.api.setup.init import init
from mu2net_core.api.sharing import remote
from mu2net_core.api.sharing.clone import clone
from mu2net_core.api.sharing.pull import pull
from mu2net_core.api.sharing.push import push
from mu2net_core.api.tasks.add_task import add_task
from mu2net_core.api.upkeep.fsck import fsck
from mu2net_core.api.upkeep.gc import gc
from mu2net_core.errors import (
    AlreadyExistsError,
    CorruptObjectError,
    InvalidInputError,
    Mu2netError,
    NotFoundError,
    StorageError,
)
from mu2net_core.objects import Limits, hash_bytes
from mu2net_core.repo import load_system, open_repository
from mu2net_core.testing.building.checkpoints import public_arrays, write_checkpoint

MINI = {"preset": "vit-mini"}


@pytest.fixture
def mini(tmp_path: Path) -> Path:
    """Returns a checkpoint that fits ``vit-mini``, for larger images and with more blocks."""
    return write_checkpoint(tmp_path / "mini.npz", public_arrays(image=16, blocks=3))


@pytest.fixture
def served(mini: Path) -> Iterator[str]:
    """Returns the URL of the same in this process's memory."""
    fs = fsspec.filesystem("memory")
    fs.pipe_file("/zoo/mini.npz", mini.read_bytes())
    yield "memory://zoo/mini.npz"
    fs.rm("/zoo", recursive=True)


def test_a_repository_begins_with_a_checkpoint(world, mini: Path) -> None:
    here = world()
    made = init(Path("repo"), here.context, root="mini.npz", **MINI)
    repo = open_repository(made.path)
    root = load_system(repo).roots[made.root_id]
    assert made.origin == root.origin
    assert root.origin.source == "mini.npz"
    assert root.origin.blake3 == hash_bytes(mini.read_bytes())
    assert (root.seed, root.task) == (None, None)
    layers = [ref.name for ref in root.components]
    assert layers == ["patch_embedding", "class_token", "position_embedding", "encoderblock_0", "encoder_norm"]
    block = repo.objects.component(root.component("encoderblock_0").id)
    stored = public_arrays(image=16, blocks=3)["Transformer/encoderblock_0/MlpBlock_3/Dense_0/kernel"]
    np.testing.assert_array_equal(block.params["dense_0/kernel"], stored)
    positions = repo.objects.component(root.component("position_embedding").id).params["pos_embedding"]
    assert positions.shape == (1, 17, 96)
    assert "first 1 of 3 blocks" in made.remarks[0]
    assert fsck(repo, here.context).problems == ()


def test_the_same_checkpoint_in_the_same_preset_is_the_same_root_wherever_it_lies(world, mini: Path, tmp_path) -> None:
    here = world()
    (tmp_path / "elsewhere").mkdir()
    there = Path(mini.replace(tmp_path / "elsewhere" / "mini.npz"))
    first = init(Path("a"), here.context, root=str(there), **MINI)
    second = init(Path("b"), here.context, root=there.as_uri(), seed=5, **MINI)
    assert first.root_id == second.root_id


def test_the_presets_depth_says_how_many_blocks_are_taken(world, mini: Path) -> None:
    here = world(MU2NET_SPACE_NUM_LAYERS="[0, 2, 4]", MU2NET_DEFAULT_NUM_LAYERS="2")
    made = init(Path("repo"), here.context, root="mini.npz", **MINI)
    assert load_system(open_repository(made.path)).roots[made.root_id].component("encoderblock_1") is not None
    here = world(MU2NET_SPACE_NUM_LAYERS="[4]", MU2NET_DEFAULT_NUM_LAYERS="4")
    with pytest.raises(InvalidInputError, match="it has 3 blocks, and 4 are asked for"):
        init(Path("deeper"), here.context, root="mini.npz", **MINI)


def test_a_child_of_a_checkpoint_inherits_its_layers(world, mini: Path) -> None:
    here = world()
    made = init(Path("repo"), here.context, root="mini.npz", **MINI)
    repo = open_repository(made.path)
    add_task(repo, here.context, "sklearn:digits")
    here.evolve(repo, seed=1, generations=1, children=1)
    (head,) = load_system(repo).heads.values()
    assert head.model.root == made.root_id
    assert head.model.origin is None
    root = load_system(repo).roots[made.root_id]
    assert any(ref in root.components for ref in head.model.components)  # shared as it is, frozen
    parents = {ref.id for ref in root.components}
    assert {ref.parent or ref.id for ref in head.model.components if ref.name != "head"} <= parents


def test_a_url_is_read_once(world, served: str, tmp_path: Path) -> None:
    here = world(MU2NET_CACHE_DIR=str(tmp_path / "cache"))
    told = []
    first = init(Path("a"), here.context, root=served, progress=told.append, **MINI)
    fsspec.filesystem("memory").pipe_file("/zoo/mini.npz", b"something else")
    second = init(Path("b"), here.context, root=served, progress=told.append, **MINI)
    assert first.root_id == second.root_id
    assert first.origin is not None
    assert first.origin.source == served
    (one,) = told
    assert one.what == "mini.npz"
    assert one.size_bytes == one.total_bytes > 0


def test_a_query_of_a_url_is_not_recorded(world, mini: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    here = world(MU2NET_CACHE_DIR=str(tmp_path / "cache"))
    monkeypatch.setattr("mu2net_core.storage.download", lambda _url, target, **_: copied(mini, target))
    made = init(Path("a"), here.context, root="https://example.org/mini.npz?signature=secret", **MINI)
    assert made.origin is not None
    assert made.origin.source == "https://example.org/mini.npz"


def copied(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(source.read_bytes())


@pytest.mark.parametrize("name", CHECKPOINTS)
def test_where_nothing_can_be_reached_the_message_says_where_to_put_the_file(
    name: str, world, mini: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def offline(url: str, target: Path, **_: object) -> None:
        raise StorageError(f"Cannot read {url}: no network.", hint="See that this machine is online.")

    here = world(MU2NET_CACHE_DIR=str(tmp_path / "cache"))
    monkeypatch.setattr("mu2net_core.storage.download", offline)
    with pytest.raises(StorageError, match="no network") as caught:
        init(Path("repo"), here.context, root=name, **MINI)
    assert not (tmp_path / "repo").exists()
    url, hint = CHECKPOINTS[name], str(caught.value.hint)
    assert url.startswith(f"https://storage.googleapis.com/vit_models/augreg/{name.partition(':')[2]}-i21k-300ep-")
    assert url in caught.value.message
    assert "--root PATH" in hint
    place = Path(hint.partition("put it at ")[2].partition(", or name it")[0])
    assert place.is_relative_to(tmp_path / "cache")
    copied(mini, place)
    made = init(Path("repo"), here.context, root=name, **MINI)
    assert made.origin is not None
    assert made.origin.source == name


@pytest.mark.parametrize(
    ("root", "error", "complaint"),
    [
        ("nowhere.npz", NotFoundError, "there is no file .*nowhere.npz"),
        ("augreg:H_14", NotFoundError, "'augreg:H_14'"),
        ("memory://zoo/nothing.npz", NotFoundError, "There is no file memory://zoo/nothing.npz"),
        ("https://me:password@example.org/a.npz", InvalidInputError, "no user name or password"),
        ("wide.npz", InvalidInputError, "width 48 instead of 96"),
        ("broken.npz", CorruptObjectError, "File is not a zip file"),
    ],
)
def test_a_root_that_cannot_be_had_leaves_no_repository(root, error, complaint: str, world, tmp_path: Path) -> None:
    here = world(MU2NET_CACHE_DIR=str(tmp_path / "cache"))
    (tmp_path / "broken.npz").write_bytes(b"<html>")
    write_checkpoint(tmp_path / "wide.npz", public_arrays(width=48))
    with pytest.raises(error, match=complaint) as caught:
        init(Path("repo"), here.context, root=root, **MINI)
    assert "password@" not in str(caught.value)
    assert caught.value.hint or error is InvalidInputError
    assert not (tmp_path / "repo").exists()


def test_a_damaged_copy_is_told_to_be_deleted(world, served: str, tmp_path: Path) -> None:
    here = world(MU2NET_CACHE_DIR=str(tmp_path / "cache"))
    init(Path("a"), here.context, root=served, **MINI)
    (copy,) = (tmp_path / "cache" / "checkpoints").rglob("mini.npz")
    copy.write_bytes(copy.read_bytes()[:1000])
    with pytest.raises(CorruptObjectError) as caught:
        init(Path("b"), here.context, root=served, **MINI)
    assert f"Delete {copy}" in str(caught.value.hint)


def test_a_checkpoint_over_the_limit_is_not_taken(world, served: str, tmp_path: Path) -> None:
    here = world(MU2NET_CACHE_DIR=str(tmp_path / "cache"), MU2NET_LIMITS_CHECKPOINT_BYTES="1000")
    with pytest.raises(CorruptObjectError, match="size limit of 1000 bytes"):
        init(Path("a"), here.context, root=served, **MINI)
    assert Limits().checkpoint_bytes > 2**30


def test_several_roots_live_in_one_repository_and_are_parents(world, mini: Path) -> None:
    here = world()
    made = init(Path("repo"), here.context, **MINI)
    repo = open_repository(made.path)
    added = add_root(repo, here.context, "pretrained", root="mini.npz")
    other = add_root(repo, here.context, "random/1", seed=1)
    roots = {"default": made.root_id, "pretrained": added.root_id, "random/1": other.root_id}
    assert dict(repo.refs.roots()) == dict(status(repo, here.context).roots) == roots
    assert set(load_system(repo).roots) == set(roots.values())
    assert (added.preset, added.num_params, other.origin) == ("vit-mini", made.num_params, None)
    assert gc(repo, here.context, dry_run=True, grace=timedelta(0)).num_objects == 0
    assert fsck(repo, here.context).problems == ()
    add_task(repo, here.context, "sklearn:digits")
    here.evolve(repo, seed=3, generations=1, children=1)
    (head,) = load_system(repo).heads.values()
    assert head.model.root in roots.values()


@pytest.mark.parametrize(
    ("name", "options", "error", "complaint"),
    [
        ("default", {"seed": 1}, AlreadyExistsError, "There is a root default already"),
        ("again", {}, AlreadyExistsError, "The root default is this very model"),
        ("digits", {"seed": 1}, InvalidInputError, "a task has that name"),
        ("No Name", {"seed": 1}, InvalidInputError, "root name"),
        ("x", {"root": "wide.npz"}, InvalidInputError, "width 48 instead of 96"),
    ],
)
def test_a_root_that_cannot_be_added(name: str, options, error, complaint: str, planted, tmp_path: Path) -> None:
    write_checkpoint(tmp_path / "wide.npz", public_arrays(width=48))
    repo = planted.open()
    before = dict(repo.refs.roots())
    with pytest.raises(error, match=complaint):
        add_root(repo, planted.context, name, **options)
    assert dict(repo.refs.roots()) == before


def test_a_second_root_is_pushed_pulled_and_cloned_like_the_first(world, mini: Path, tmp_path: Path) -> None:
    here = world()
    ann = open_repository(init(Path("ann"), here.context, **MINI).path)
    remote.add(ann, here.context, "origin", "shared")
    push(ann, here.context)
    clone("shared", "bob", here.context)
    bob = open_repository(tmp_path / "bob")
    added = add_root(ann, here.context, "pretrained", root="mini.npz")
    push(ann, here.context)
    pull(bob, here.context)
    assert dict(bob.refs.roots()) == dict(ann.refs.roots())
    clone("shared", "cid", here.context, full=True)
    cid = open_repository(tmp_path / "cid")
    root = cid.objects.model(added.root_id)
    assert root.origin == added.origin
    for repo in (bob, cid):
        for ref in root.components:
            theirs, ours = repo.objects.component(ref.id).params, ann.objects.component(ref.id).params
            assert all(np.array_equal(theirs[name], ours[name]) for name in ours)
    with pytest.raises(AlreadyExistsError):
        add_root(bob, here.context, "pretrained", root="mini.npz")


def test_two_who_add_different_roots_of_one_name_are_told(world, mini: Path, tmp_path: Path) -> None:
    here = world()
    ann = open_repository(init(Path("ann"), here.context, **MINI).path)
    remote.add(ann, here.context, "origin", "shared")
    push(ann, here.context)
    clone("shared", "bob", here.context)
    bob = open_repository(tmp_path / "bob")
    add_root(ann, here.context, "second", root="mini.npz")
    add_root(bob, here.context, "second", seed=9)
    push(ann, here.context)
    with pytest.raises(Mu2netError, match="The root second is the model"):
        push(bob, here.context)


def test_python_users_add_roots_too(world, mini: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    here = world()
    monkeypatch.chdir(here.folder)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(here.folder / "no-settings"))
    monkeypatch.setenv("MU2NET_CACHE_DIR", here.context.environ["MU2NET_CACHE_DIR"])
    repo = m.init("fresh", root="mini.npz", **MINI)
    added = repo.add_root("random", seed=2)
    assert repo.status().roots["random"] == added.root_id
