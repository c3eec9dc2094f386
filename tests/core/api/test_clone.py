from __future__ import annotations

import subprocess
import sys
import textwrap
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from mu2net_core.api.context import Context
from mu2net_core.api.setup.init import init
from mu2net_core.api.setup.open import open_repo
from mu2net_core.api.sharing import clone as clone_module
from mu2net_core.api.sharing import remote
from mu2net_core.api.sharing.clone import clone
from mu2net_core.api.sharing.push import push
from mu2net_core.errors import (
    AlreadyExistsError,
    ConflictError,
    CorruptObjectError,
    CredentialsExpiredError,
    InvalidInputError,
    NotFoundError,
    StorageError,
)
from mu2net_core.objects import Snapshot, object_key
from mu2net_core.repo import Remote, Repository, load_system, open_repository
from mu2net_core.repo.checking.fsck_run import fsck
from mu2net_core.repo.remotes.remotes import RemoteRepository
from mu2net_core.repo.remotes.reports import Progress
from mu2net_core.storage import LocalStore, open_store
from mu2net_core.testing.building.samples import add_sample_task, evolve_sample, sample_repository
from mu2net_core.testing.servers.wrappers import FaultyStore


@pytest.fixture
def shared(repo: Repository, context: Context, tmp_path: Path) -> Repository:
    """Returns a bare repository with two tasks and a tag."""
    repo.update_config(lambda config: config.with_setting("scorer.factor", 0.2))
    for task in ("a", "b"):
        add_sample_task(repo, task)
        evolve_sample(repo, task, score=0.5, seed=ord(task))
    evolve_sample(repo, "a", score=0.7, trains=("embedding", "head"), seed=5)
    state = repo.refs.head("a")
    assert state is not None
    repo.refs.create_tag("v1", repo.objects.put(Snapshot(heads={"a": state.commit}, roots=repo.refs.roots())))
    remote.add(repo, context, "origin", "shared")
    push(repo, context)
    return open_repository(tmp_path / "shared")


def components(repo: Repository) -> set[str]:
    return set(repo.objects.ids("component"))


def test_brings_the_system_without_its_components(shared: Repository, context: Context, tmp_path: Path) -> None:
    result = clone("shared", "mine", context)
    mine = open_repository(tmp_path / "mine")
    assert (result.worktree, result.path, result.full) == (mine.worktree, mine.path, False)
    assert [(report.task, report.outcome) for report in result.tasks] == [("a", "new"), ("b", "new")]
    assert [tag.name for tag in result.tags] == ["v1"]
    assert [root.name for root in result.roots] == ["tiny"]
    assert load_system(mine) == load_system(shared)
    assert mine.refs.tags() == shared.refs.tags()
    assert components(mine) == set()
    assert fsck(mine).problems == ()
    assert not (mine.state / "unfinished-clone").exists()


def test_takes_the_settings_and_one_remote(shared: Repository, context: Context, tmp_path: Path) -> None:
    shared.update_config(lambda config: config.with_remote(Remote(name="backup", url="/srv/backup", partial=False)))
    clone(str(shared.path), "mine", context, readers=["red"])
    config = open_repository(tmp_path / "mine").config
    assert (config.preset, config.settings) == (shared.config.preset, {"scorer.factor": 0.2})
    assert config.remotes == {"origin": Remote(name="origin", url=str(shared.path), readers=("red",))}


def test_says_which_settings_it_took_over(shared: Repository, context: Context) -> None:
    with (shared.path / "config.toml").open("a") as file:
        file.write("[settings.evolve]\nchildren = 16\ngenerations = 1000000000\n")
    result = clone(str(shared.path), "mine", context)
    assert (result.preset, result.settings) == (shared.config.preset, {"evolve.children": 16, "scorer.factor": 0.2})


def test_components_come_when_needed(shared: Repository, context: Context, tmp_path: Path) -> None:
    clone("shared", "mine", context)
    mine = open_repository(tmp_path / "mine")
    state = mine.refs.head("a")
    assert state is not None
    model_id = mine.objects.commit(state.commit).model
    assert model_id is not None
    refs = mine.objects.model(model_id).components
    for ref in refs:
        assert mine.objects.component(ref.id).num_params == ref.num_params
    assert components(mine) == {ref.id for ref in refs}


def test_a_damaged_component_over_there_is_refused_and_named(
    shared: Repository, context: Context, tmp_path: Path
) -> None:
    clone("shared", "mine", context)
    oid = min(components(shared))
    file = shared.path / object_key("component", oid)
    data = bytearray(file.read_bytes())
    data[-1] ^= 0x80
    file.write_bytes(data)
    mine = open_repository(tmp_path / "mine")
    with pytest.raises(CorruptObjectError, match=f"component {oid} on the remote origin"):
        mine.objects.component(oid)
    assert components(mine) == set()


def test_full_brings_all(shared: Repository, context: Context, tmp_path: Path) -> None:
    result = clone("shared", "mine", context, full=True)
    mine = open_repository(tmp_path / "mine")
    assert components(mine) == components(shared)
    assert result.size_bytes == sum(mine.store.size(key) for key in mine.store.list("objects"))
    shared.path.rename(tmp_path / "unplugged")
    assert fsck(mine).problems == ()
    assert load_system(mine).heads.keys() == {"a", "b"}


def test_the_folder_is_called_like_what_was_cloned(shared: Repository, context: Context, tmp_path: Path) -> None:
    there = replace(context, cwd=tmp_path / "there")
    there.cwd.mkdir()
    assert clone("../shared/", None, there).worktree == there.cwd / "shared"


def test_a_working_copy_can_be_cloned(repo: Repository, shared: Repository, context: Context, tmp_path: Path) -> None:
    clone("work", "mine", context)
    assert load_system(open_repository(tmp_path / "mine")) == load_system(shared)


def test_an_empty_repository_can_be_cloned(context: Context, tmp_path: Path) -> None:
    sample_repository(tmp_path / "bare", bare=True)
    assert clone("bare", "mine", context).tasks == ()


def test_no_repository_there_leaves_nothing_here(context: Context, tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match=f"No repository at {tmp_path}/none"):
        clone("none", "mine", context)
    assert not (tmp_path / "mine").exists()


def test_a_name_is_needed_where_there_is_none(context: Context) -> None:
    with pytest.raises((InvalidInputError, NotFoundError)):
        clone("memory://", None, context)


class TestTarget:
    def test_an_empty_folder_is_fine(self, shared: Repository, context: Context, tmp_path: Path) -> None:
        (tmp_path / "mine").mkdir()
        clone("shared", "mine", context)
        assert open_repository(tmp_path / "mine").refs.tasks() == ("a", "b")

    def test_refuses_a_folder_with_other_things(self, shared: Repository, context: Context, tmp_path: Path) -> None:
        (tmp_path / "mine").mkdir()
        (tmp_path / "mine" / "thesis.doc").write_text("final")
        with pytest.raises(AlreadyExistsError, match=r"it holds other things \(thesis\.doc\)"):
            clone("shared", "mine", context)
        assert [path.name for path in (tmp_path / "mine").iterdir()] == ["thesis.doc"]

    def test_refuses_a_repository(self, shared: Repository, context: Context) -> None:
        clone("shared", "mine", context)
        with pytest.raises(AlreadyExistsError, match="mine: there is a repository"):
            clone("shared", "mine", context)

    def test_refuses_a_file(self, shared: Repository, context: Context, tmp_path: Path) -> None:
        (tmp_path / "mine").touch()
        with pytest.raises(AlreadyExistsError, match="it is a file"):
            clone("shared", "mine", context)


class TestInterrupted:
    @pytest.fixture
    def fail(self, shared: Repository, monkeypatch: pytest.MonkeyPatch) -> Callable[..., FaultyStore]:
        """Returns what lets the remote fail at its read number ``at``; without one, it only counts."""

        def fail(at: int = 0) -> FaultyStore:
            store = FaultyStore(LocalStore(shared.path), at=at, methods=frozenset({"read"}))
            monkeypatch.setattr(clone_module, "connect", lambda source, **_: RemoteRepository(source, store))
            return store

        return fail

    @pytest.mark.parametrize("at", [2, 3])
    def test_a_failure_before_anything_came_leaves_nothing(
        self, fail: Callable[..., FaultyStore], context: Context, tmp_path: Path, at: int
    ) -> None:
        fail(at)
        with pytest.raises(StorageError, match="Fault before read"):
            clone("shared", "mine", context)
        assert not (tmp_path / "mine").exists()

    def test_a_failure_leaves_an_empty_folder_empty(
        self, fail: Callable[..., FaultyStore], context: Context, tmp_path: Path
    ) -> None:
        (tmp_path / "mine").mkdir()
        fail(2)
        with pytest.raises(StorageError):
            clone("shared", "mine", context, full=True)
        assert list((tmp_path / "mine").iterdir()) == []

    @pytest.mark.parametrize("full", [True, False])
    def test_what_came_before_the_connection_broke_does_not_come_again(
        self, fail: Callable[..., FaultyStore], shared: Repository, context: Context, tmp_path: Path, full: bool
    ) -> None:
        warnings: list[str] = []
        first = fail(15)
        with pytest.raises(StorageError):
            clone("shared", "mine", replace(context, warn=warnings.append), full)
        assert warnings == [f"what came so far is in {tmp_path}/mine; the same command goes on from there"]
        second = fail()
        clone("shared", "mine", context, full)
        log = (*first.log, *second.log)
        read = [key for method, key in log if method == "read" and key.startswith("objects/")]
        assert len(read) <= len(set(read)) + 1  # the one whose reading failed
        assert load_system(open_repository(tmp_path / "mine")) == load_system(shared)

    def test_what_a_power_cut_left_half_written_comes_again(
        self, fail: Callable[..., FaultyStore], shared: Repository, context: Context, tmp_path: Path
    ) -> None:
        fail(15)
        with pytest.raises(StorageError):
            clone("shared", "mine", context)
        folder = tmp_path / "mine" / ".mu2net"
        half_written = [*folder.glob("objects/*/*/*"), *folder.glob("refs/*/*")]
        assert len(half_written) > 2
        for file in half_written:
            file.write_bytes(b"")
        fail()
        clone("shared", "mine", context)
        assert load_system(open_repository(tmp_path / "mine")) == load_system(shared)
        assert fsck(open_repository(tmp_path / "mine")).problems == ()

    @pytest.mark.parametrize(
        "cut", [KeyboardInterrupt(), CredentialsExpiredError("expired")], ids=["ctrl-c", "expired"]
    )
    def test_ctrl_c_and_credentials_that_expire_keep_what_came(
        self, shared: Repository, context: Context, tmp_path: Path, cut: BaseException
    ) -> None:
        def interrupt(progress: Progress) -> None:
            if progress.num_objects == 4:
                raise cut

        with pytest.raises(type(cut)):
            clone("shared", "mine", context, full=True, progress=interrupt)
        mine = tmp_path / "mine" / ".mu2net"
        assert any(file.is_file() for part in ("objects", "state/incoming") for file in (mine / part).rglob("*"))
        clone("shared", "mine", context, full=True)
        assert fsck(open_repository(tmp_path / "mine")).problems == ()

    def test_nothing_is_done_in_one_that_was_cut_off(
        self, fail: Callable[..., FaultyStore], shared: Repository, context: Context, tmp_path: Path
    ) -> None:
        fail(15)
        with pytest.raises(StorageError):
            clone("shared", "mine", context)
        with pytest.raises(ConflictError, match="a clone that was cut off") as info:
            open_repo(tmp_path / "mine", context)
        assert f"mu2net clone {tmp_path}/shared {tmp_path}/mine" in str(info.value.hint)
        with pytest.raises(AlreadyExistsError):
            init(tmp_path / "mine", context)
        fail()
        clone("shared", "mine", context)
        assert open_repo(tmp_path / "mine", context).refs.tasks() == ("a", "b")

    def test_a_killed_clone_is_taken_up_by_the_same_command(
        self, shared: Repository, context: Context, tmp_path: Path
    ) -> None:
        command = [sys.executable, "-c", _KILLED, str(tmp_path)]
        kills = int(subprocess.run(command, check=True, capture_output=True, text=True, timeout=240).stdout)
        assert kills > 20
        for at in range(1, kills + 1):
            clone("shared", f"mine{at}", context)
            mine = open_repository(tmp_path / f"mine{at}")
            assert load_system(mine) == load_system(shared)
            assert fsck(mine).problems == ()
            assert not (mine.state / "unfinished-clone").exists()

    def test_one_begun_from_elsewhere_is_begun_again(
        self, shared: Repository, context: Context, tmp_path: Path
    ) -> None:
        other = sample_repository(tmp_path / "other", bare=True)
        add_sample_task(other, "z")
        clone("other", "mine", context)
        (tmp_path / "mine" / ".mu2net" / "state" / "unfinished-clone").write_text("/other\nFalse\n")
        clone("shared", "mine", context, full=True)
        mine = open_repository(tmp_path / "mine")
        assert mine.refs.tasks() == ("a", "b")
        assert components(mine) == components(shared)


_KILLED = textwrap.dedent("""
    import os, sys
    from datetime import UTC, datetime
    from pathlib import Path
    from mu2net_core.api.sharing import clone as module
    from mu2net_core.api.context import Context
    from mu2net_core.repo.remotes.remotes import RemoteRepository
    from mu2net_core.storage import LocalStore, open_store
    from mu2net_core.testing.servers.wrappers import FaultyStore

    os.fsync = lambda handle: None  # a killed process leaves the machine running
    here = Path(sys.argv[1])
    context = Context(now=lambda: datetime.now(UTC), host="h", environ={}, user_config=None, cwd=here)
    reads = frozenset({"read", "list", "exists"})
    at, status = 0, 9
    while status == 9:
        at += 1
        child = os.fork()
        if child == 0:
            module.connect = lambda source, **_: RemoteRepository(
                source, FaultyStore(LocalStore(here / "shared"), at=at, how="exit", methods=reads))
            module.clone("shared", f"mine{at}", context)
            os._exit(0)
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    __import__("shutil").rmtree(here / f"mine{at}")
    print(at - 1 if status == 0 else f"failed with {status}")
""")


def test_where_data_lies_over_there_is_not_taken_over(shared: Repository, context: Context, tmp_path: Path) -> None:
    shared.update_config(lambda config: config.with_setting("data.a", "folder:/home/ann/a"))
    clone("shared", "mine", context)
    assert open_repository(tmp_path / "mine").config.settings == {"scorer.factor": 0.2}


class TestFromABucket:
    @pytest.mark.parametrize(
        ("url", "name"),
        [("memory://bucket", "bucket"), ("memory://bucket/team/system", "system"), ("memory://bucket/team/", "team")],
    )
    def test_the_folder_is_called_like_its_last_part(
        self, repo: Repository, context: Context, tmp_path: Path, url: str, name: str
    ) -> None:
        add_sample_task(repo, "a")
        remote.add(repo, context, "origin", url, check=False)
        push(repo, context)
        there = replace(context, cwd=tmp_path / "there")
        there.cwd.mkdir()
        assert clone(url, None, there).worktree == there.cwd / name
        assert open_repository(there.cwd / name).config.remotes["origin"].url == url.rstrip("/")
        for key in list(open_store(url).list("")):
            open_store(url).delete(key)

    @pytest.mark.parametrize("url", ["s3://bucket/..", "s3://bucket/.hidden", "/"])
    def test_a_name_that_cannot_be_one_is_asked_for(self, url: str) -> None:
        with pytest.raises(InvalidInputError, match="Cannot name the new folder"):
            clone_module._default_name(url)

    def test_azures_container_gives_its_name(self) -> None:
        assert clone_module._default_name("abfs://system@account.dfs.core.windows.net") == "system"

    def test_options_are_kept_and_secrets_refused(self, context: Context) -> None:
        with pytest.raises(InvalidInputError, match="Not stored"):
            clone("memory://x", "mine", context, options={"endpoint": "https://ann:hunter2@host"})
        with pytest.raises(InvalidInputError, match="Not stored"):
            clone("s3://ann:hunter2@bucket/x", "mine", context)


def test_who_it_is_for_is_told_and_not_taken_over(repo: Repository, context: Context, tmp_path: Path) -> None:
    remote.add(repo, context, "team", "team", readers=["red"])
    push(repo, context)
    result = clone("team", "mine", context)
    assert result.meant_for == ("red",)
    assert open_repository(tmp_path / "mine").config.remotes["origin"].readers is None
    assert open_repository(tmp_path / "mine").config.readers is None


def test_nothing_hostile_is_taken_over(shared: Repository, context: Context, tmp_path: Path) -> None:
    file = shared.path / "config.toml"
    good = file.read_text()
    file.write_text(good + '[remotes.evil]\nurl = "/srv/evil"\n[remotes.worse]\nurl = 3\n')
    clone("shared", "mine", context)
    assert list(open_repository(tmp_path / "mine").config.remotes) == ["origin"]
    file.write_text(good + 'a = 1\n"a.b" = 2\n')
    with pytest.raises(InvalidInputError, match="one lies inside another"):
        clone("shared", "other", context)
    assert not (tmp_path / "other").exists()
