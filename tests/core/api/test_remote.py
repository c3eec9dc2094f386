from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from mu2net_core.api.context import Context
from mu2net_core.api.sharing import check_remote, remote, tag
from mu2net_core.api.sharing.clone import clone
from mu2net_core.api.sharing.purge import purge
from mu2net_core.api.sharing.push import push
from mu2net_core.errors import AlreadyExistsError, ConflictError, InvalidInputError, NotFoundError, StorageError
from mu2net_core.repo import Remote, Repository, open_repository
from mu2net_core.repo.remotes import remotes
from mu2net_core.repo.remotes.tracking import Tracking, read_tracking, write_tracking
from mu2net_core.storage import open_store
from mu2net_core.testing.building.samples import sample_repository
from mu2net_core.testing.servers.wrappers import WrappedStore


def test_added_remotes_are_listed_and_stay(repo: Repository, context: Context, tmp_path: Path) -> None:
    added = remote.add(repo, context, "origin", "shared")
    team = remote.add(repo, context, "team", str(tmp_path / "team"), readers=["red", "blue", "red"], full=True)
    assert (added.url, added.readers, added.partial) == (str(tmp_path / "shared"), None, True)
    assert (team.readers, team.partial) == (("blue", "red"), False)
    assert remote.list_(repo) == (added, team)
    assert remote.list_(open_repository(repo.worktree)) == (added, team)
    assert not (tmp_path / "shared").exists()


def test_a_folder_means_the_same_from_everywhere(repo: Repository, context: Context, tmp_path: Path) -> None:
    deep = replace(context, cwd=tmp_path / "work" / "deep")
    assert remote.add(repo, deep, "up", "../../shared").url == str(tmp_path / "shared")
    assert remote.add(repo, deep, "file", f"file://{tmp_path}/my%20files").url == str(tmp_path / "my files")
    assert remote.add(repo, deep, "memory", "memory://place").url == "memory://place"


def test_components_come_from_it_at_once(repo: Repository, context: Context, tmp_path: Path) -> None:
    other = sample_repository(tmp_path / "other")
    oid = repo.objects.put_component(repo.objects.component(next(repo.objects.ids("component"))))[0]
    repo.store.delete(f"objects/component/{oid[:2]}/{oid[2:]}.zarr.zip")
    with pytest.raises(NotFoundError):
        repo.objects.component(oid)
    remote.add(repo, context, "origin", str(other.worktree))
    repo.objects.component(oid)
    remote.remove(repo, "origin")
    assert repo.objects.fetch_missing is None


def test_removing_forgets_it(repo: Repository, context: Context) -> None:
    added = remote.add(repo, context, "origin", "shared")
    write_tracking(repo.state, "origin", Tracking(url=added.url).with_root("tiny", "a" * 64))
    assert remote.remove(repo, "origin") == added
    assert remote.list_(repo) == ()
    assert read_tracking(repo.state, Remote(name="origin", url=added.url)).roots == {}


def test_refuses_a_second_of_that_name(repo: Repository, context: Context, tmp_path: Path) -> None:
    remote.add(repo, context, "origin", "shared")
    with pytest.raises(AlreadyExistsError, match=f"a remote origin already: {tmp_path}/shared"):
        remote.add(repo, context, "origin", "elsewhere")
    assert [info.url for info in remote.list_(repo)] == [str(tmp_path / "shared")]


def test_refuses_to_remove_what_is_not_there(repo: Repository) -> None:
    with pytest.raises(NotFoundError, match="no remote origin"):
        remote.remove(repo, "origin")


@pytest.mark.parametrize(
    ("name", "url", "message"),
    [
        ("Origin", "shared", "Not a remote name"),
        ("origin", " ", "Expected a folder or URL"),
        ("origin", "gopher://host/x", "got the scheme 'gopher'"),
        ("origin", "s3:/team/system", "Not a URL: 's3:/team/system'"),
        ("origin", "work", "this repository itself"),
        ("origin", "photos", "holds other things"),
    ],
)
def test_refuses_what_cannot_be_one(
    repo: Repository, context: Context, tmp_path: Path, name: str, url: str, message: str
) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "cat.jpg").touch()
    with pytest.raises(InvalidInputError, match=message):
        remote.add(repo, context, name, url)
    assert remote.list_(repo) == ()


def test_a_refused_name_forgets_nothing_of_the_remote_that_has_it(ann: Repository, context: Context) -> None:
    known = read_tracking(ann.state, ann.config.remotes["origin"])
    assert known.heads
    with pytest.raises(AlreadyExistsError, match="remote origin already"):
        remote.add(ann, context, "origin", "elsewhere")
    assert read_tracking(ann.state, ann.config.remotes["origin"]) == known


def test_refuses_to_remove_the_only_place_of_what_we_lack(bob: Repository, context: Context) -> None:
    with pytest.raises(ConflictError, match=r"Cannot remove the remote origin: \d+ components .* only there") as info:
        remote.remove(bob, "origin")
    assert "mu2net clone --full" in str(info.value.hint)
    assert [info.name for info in remote.list_(bob)] == ["origin"]
    clone("shared", "full", context, full=True)
    remote.add(bob, context, "full", "full")
    remote.remove(bob, "origin")
    assert [info.name for info in remote.list_(bob)] == ["full"]


def test_what_a_tag_names_and_was_purged_keeps_no_remote(ann: Repository, context: Context) -> None:
    tag.create(ann, context, "v1")
    purge(ann, context, "a")
    remote.remove(ann, "origin")
    assert remote.list_(ann) == ()


def test_a_remote_that_is_gone_can_be_removed(bob: Repository, tmp_path: Path) -> None:
    shutil.rmtree(tmp_path / "shared")
    remote.remove(bob, "origin")
    assert remote.list_(bob) == ()


class TestProbedWhenAdded:
    @pytest.fixture
    def overwriting(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Lets every storage behind a URL ignore the condition."""

        class Overwriting(WrappedStore):
            def create(self, key: str, data: bytes) -> bool:
                self.inner.delete(key)
                return self.inner.create(key, data)

        monkeypatch.setattr(
            remotes, "default_open_store", lambda url, options={}, **_: Overwriting(open_store(url, options))
        )

    def test_what_was_found_is_listed(self, repo: Repository, context: Context) -> None:
        assert remote.add(repo, context, "origin", "memory://probed/when-added").verdict == "safe"
        assert [info.verdict for info in remote.list_(repo)] == ["safe"]
        assert list(open_store("memory://probed/when-added").list("")) == []

    def test_an_unsafe_place_is_refused(self, overwriting: None, repo: Repository, context: Context) -> None:
        with pytest.raises(StorageError, match="Cannot share through memory://probed/unsafe") as info:
            remote.add(repo, context, "origin", "memory://probed/unsafe")
        assert "--no-check" not in str(info.value.hint)
        assert remote.list_(repo) == ()

    def test_without_a_look_the_first_push_looks(self, overwriting: None, repo: Repository, context: Context) -> None:
        assert remote.add(repo, context, "origin", "memory://probed/later", check=False).verdict is None
        with pytest.raises(StorageError, match="Cannot share through memory://probed/later"):
            push(repo, context)
        assert list(open_store("memory://probed/later").list("")) == []

    def test_a_place_of_other_things_is_refused_untouched(self, repo: Repository, context: Context) -> None:
        open_store("memory://probed/photos").create("2025/cat.jpg", b"cat")
        with pytest.raises(InvalidInputError, match=r"other things \(such as 2025/cat\.jpg\)"):
            remote.add(repo, context, "origin", "memory://probed/photos")
        remote.add(repo, context, "origin", "memory://probed/photos", check=False)
        assert "holds other things" in str(check_remote.check(repo, context)[0].problem)
        with pytest.raises(InvalidInputError, match="holds other things"):
            push(repo, context)
        assert list(open_store("memory://probed/photos").list("")) == ["2025/cat.jpg"]

    def test_one_that_does_not_answer_can_be_added_without_a_look(
        self, repo: Repository, context: Context, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        class Dead(WrappedStore):
            def before(self, method: str, key: str) -> None:
                raise StorageError("Cannot reach it.", hint="Is it up?")

        monkeypatch.setattr(remotes, "default_open_store", lambda url, options={}, **_: Dead(open_store(url, options)))
        with pytest.raises(StorageError, match="Cannot reach it") as info:
            remote.add(repo, context, "origin", "memory://probed/dead")
        assert info.value.hint == "Is it up? To add it all the same, without looking: --no-check"
        remote.add(repo, context, "origin", "memory://probed/dead", check=False)
        [found] = check_remote.check(repo, context)
        assert (found.report, found.problem, found.hint) == (None, "Cannot reach it.", "Is it up?")

    def test_checking_says_what_is_wrong(self, overwriting: None, repo: Repository, context: Context) -> None:
        remote.add(repo, context, "origin", "memory://probed/check", check=False)
        [found] = check_remote.check(repo, context, "origin")
        assert found.report is not None
        assert found.report.verdict == "unsafe"
        assert "Cannot share through memory://probed/check" in str(found.problem)
        assert remote.list_(repo)[0].verdict == "unsafe"

    def test_checking_needs_a_remote(self, repo: Repository, context: Context) -> None:
        with pytest.raises(NotFoundError, match="has no remote"):
            check_remote.check(repo, context)
        with pytest.raises(NotFoundError, match="no remote hub"):
            check_remote.check(repo, context, "hub")


class TestChanging:
    def test_readers_and_options(self, repo: Repository, context: Context) -> None:
        remote.add(repo, context, "origin", "s3://b/x", options={"region": "eu", "profile": "me"}, check=False)
        changed = remote.change(
            repo, "origin", readers=["b", "a"], options={"profile": "", "endpoint": "https://s3.org"}
        )
        assert (changed.readers, changed.options) == (("a", "b"), {"region": "eu", "endpoint": "https://s3.org"})
        assert open_repository(repo.path).config.remotes["origin"].readers == ("a", "b")
        assert remote.change(repo, "origin", options={"region": "us"}).readers == ("a", "b")
        assert remote.change(repo, "origin", readers=[]).readers is None

    def test_refuses_secrets_and_unknown_names(self, repo: Repository, context: Context) -> None:
        remote.add(repo, context, "origin", "s3://b/x", check=False)
        with pytest.raises(InvalidInputError, match="Not stored"):
            remote.change(repo, "origin", options={"endpoint": "https://ann:hunter2@host"})
        with pytest.raises(NotFoundError, match="no remote hub"):
            remote.change(repo, "hub", readers=[])

    def test_what_is_known_of_it_stays(self, ann: Repository) -> None:
        known = read_tracking(ann.state, ann.config.remotes["origin"])
        remote.change(ann, "origin", readers=["red"])
        assert read_tracking(ann.state, ann.config.remotes["origin"]) == known


def test_a_folder_takes_no_options(repo: Repository, context: Context) -> None:
    with pytest.raises(InvalidInputError, match="A folder takes no options; got region"):
        remote.add(repo, context, "origin", "shared", options={"region": "eu"})
