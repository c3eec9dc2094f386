from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from mu2net_core.errors import CorruptObjectError, InvalidInputError, NotFoundError
from mu2net_core.objects import AccessRule, Limits, object_key
from mu2net_core.repo import Config, Remote, Repository, create_repository, open_repository
from mu2net_core.repo.remotes import remotes as remotes_module
from mu2net_core.repo.remotes.remotes import (
    attach,
    check_place,
    component_fetcher,
    connect,
    connect_or_create,
    find_remote,
)
from mu2net_core.storage import Store, open_store
from mu2net_core.testing.building.samples import SAMPLE_IDENTITY, sample_repository
from mu2net_core.testing.servers.wrappers import WrappedStore

LIKE = Config(identity=SAMPLE_IDENTITY, preset="vit-ti3", settings={"search.mu": 0.2})


def remote(url: Path | str, name: str = "origin", *, partial: bool = True) -> Remote:
    return Remote(name=name, url=str(url), partial=partial)


def with_remotes(*remotes: Remote) -> Config:
    return Config(identity=SAMPLE_IDENTITY, preset="vit-ti0", remotes={each.name: each for each in remotes})


class TestFindRemote:
    def test_origin_comes_first(self) -> None:
        config = with_remotes(remote("/a", "backup"), remote("/b", "origin"))
        assert find_remote(config).name == "origin"
        assert find_remote(config, "backup").url == "/a"

    def test_the_only_one_needs_no_name(self) -> None:
        assert find_remote(with_remotes(remote("/a", "backup"))).name == "backup"

    def test_none(self) -> None:
        with pytest.raises(NotFoundError, match="has no remote") as info:
            find_remote(with_remotes())
        assert info.value.hint == "Add one: mu2net remote add origin FOLDER"

    def test_unknown(self) -> None:
        with pytest.raises(NotFoundError, match="no remote b; known: a"):
            find_remote(with_remotes(remote("/a", "a")), "b")

    def test_several_without_origin(self) -> None:
        with pytest.raises(InvalidInputError, match="one of a, b"):
            find_remote(with_remotes(remote("/a", "a"), remote("/b", "b")))


class TestConnect:
    def test_says_who_may_read(self) -> None:
        assert connect(remote("/nowhere")).audience == AccessRule()
        team = Remote(name="team", url="/nowhere", readers=("team-b", "team-a"))
        assert connect(team).audience == AccessRule.only(["team-a", "team-b"])

    def test_no_repository(self, tmp_path: Path) -> None:
        with pytest.raises(NotFoundError, match=f"No repository at {tmp_path}/none"):
            connect(remote(tmp_path / "none")).config()

    def test_a_working_folder_stands_for_its_repository(self, repo: Repository) -> None:
        reached = connect(remote(repo.worktree))
        assert reached.config().preset == "vit-ti0"
        assert reached.refs.roots() == repo.refs.roots()

    def test_refuses_a_future_format(self, tmp_path: Path) -> None:
        (tmp_path / "config.toml").write_text('format = 2\npreset = "vit-ti0"\n')
        with pytest.raises(InvalidInputError, match="format 2, a future format"):
            connect(remote(tmp_path)).config()


class TestConnectOrCreate:
    @pytest.mark.parametrize("exists", [True, False])
    def test_makes_a_repository_in_a_new_or_empty_folder(self, tmp_path: Path, exists: bool) -> None:
        place = tmp_path / "deep" / "shared"
        if exists:
            place.mkdir(parents=True)
        connect_or_create(remote(place), LIKE)
        made = open_repository(place)
        assert made.path == place
        assert made.config == LIKE

    def test_does_not_copy_our_remotes(self, tmp_path: Path) -> None:
        connect_or_create(remote(tmp_path / "shared"), with_remotes(remote("/secret/place")))
        assert open_repository(tmp_path / "shared").config.remotes == {}

    def test_takes_what_is_there(self, tmp_path: Path) -> None:
        create_repository(tmp_path / "shared", preset="vit-b", identity=SAMPLE_IDENTITY, bare=True)
        assert connect_or_create(remote(tmp_path / "shared"), LIKE).config().preset == "vit-b"

    def test_makes_one_behind_a_url(self) -> None:
        url = "memory://connect-or-create/shared"
        connect_or_create(remote(url), LIKE)
        assert connect(remote(url)).config() == LIKE

    def test_refuses_a_folder_of_other_things(self, tmp_path: Path) -> None:
        (tmp_path / "thesis.doc").write_text("final")
        with pytest.raises(InvalidInputError, match=r"holds other things \(thesis\.doc\)"):
            connect_or_create(remote(tmp_path), LIKE)
        assert [path.name for path in tmp_path.iterdir()] == ["thesis.doc"]

    def test_refuses_a_url_of_other_things(self) -> None:
        url = "memory://connect-or-create/other"
        open_store(url).create("a/file", b"x")
        with pytest.raises(InvalidInputError, match=r"holds other things \(such as a/file\)"):
            connect_or_create(remote(url), LIKE)

    def test_refuses_a_partial_clone(self, repo: Repository) -> None:
        repo.update_config(lambda config: config.with_remote(remote("/srv/shared")))
        with pytest.raises(InvalidInputError, match="is a partial clone") as info:
            connect_or_create(remote(repo.worktree), LIKE)
        assert info.value.hint == "Push to its own remote instead; in that folder, mu2net remote tells which."


class TestCheckPlace:
    def test_a_missing_an_empty_and_a_used_place_are_fine(self, repo: Repository, tmp_path: Path) -> None:
        (tmp_path / "empty").mkdir()
        sample_repository(tmp_path / "bare", bare=True)
        sample_repository(tmp_path / "other")
        for name in ("missing", "empty", "bare", "other"):
            check_place(remote(tmp_path / name), repo)
        check_place(remote("memory://check-place"), repo)

    def test_refuses_itself(self, repo: Repository) -> None:
        for place in (repo.worktree, repo.path):
            with pytest.raises(InvalidInputError, match="this repository itself"):
                check_place(remote(place), repo)

    def test_refuses_a_file(self, repo: Repository, tmp_path: Path) -> None:
        (tmp_path / "file").touch()
        with pytest.raises(InvalidInputError, match="it is a file"):
            check_place(remote(tmp_path / "file"), repo)

    def test_refuses_other_things(self, repo: Repository, tmp_path: Path) -> None:
        (tmp_path / "photos" / "2025").mkdir(parents=True)
        with pytest.raises(InvalidInputError, match="holds other things"):
            check_place(remote(tmp_path / "photos"), repo)


class TestMissingComponents:
    @pytest.fixture
    def oid(self, repo: Repository) -> str:
        return next(repo.objects.ids("component"))

    def test_come_from_the_first_remote_that_has_them(self, repo: Repository, oid: str, tmp_path: Path) -> None:
        create_repository(tmp_path / "empty", preset="vit-ti0", bare=True)
        asked: list[str] = []

        def watched(url: str) -> Store:
            asked.append(url)
            return WrappedStore(open_store(url))

        remotes = [remote(repo.path, "b"), remote(tmp_path / "empty", "origin")]
        fetch = component_fetcher(remotes, open_store=watched)
        assert fetch is not None
        assert fetch("component", oid) == repo.objects.read("component", oid)
        assert asked == [str(tmp_path / "empty"), str(repo.path)]

    def test_are_refused_and_named_if_damaged(self, repo: Repository, oid: str) -> None:
        file = repo.path / object_key("component", oid)
        data = bytearray(file.read_bytes())
        data[len(data) // 2] ^= 1
        file.write_bytes(data)
        fetch = component_fetcher([remote(repo.path)])
        assert fetch is not None
        with pytest.raises(CorruptObjectError, match=rf"component {oid} on the remote origin .*damaged"):
            fetch("component", oid)

    def test_are_nowhere(self, repo: Repository) -> None:
        fetch = component_fetcher([remote(repo.path)])
        assert fetch is not None
        with pytest.raises(NotFoundError, match=rf"is not here and not on origin \({repo.path}\)"):
            fetch("component", "0" * 64)

    def test_manifests_are_never_fetched_one_by_one(self, repo: Repository, tmp_path: Path) -> None:
        fetch = component_fetcher([remote(repo.path)])
        assert fetch is not None
        model_id = next(repo.objects.ids("model"))
        with pytest.raises(NotFoundError, match=f"The model {model_id} is not here"):
            fetch("model", model_id)

    def test_a_repository_without_partial_remotes_asks_nobody(self, repo: Repository) -> None:
        assert component_fetcher([remote("/a", partial=False)]) is None
        attach(repo)
        assert repo.objects.fetch_missing is None


class TestMakingOneAtTheSameMoment:
    def test_behind_a_url_both_get_the_same(self) -> None:
        url = "memory://at-the-same-moment/shared"

        class Slower(WrappedStore):
            """Lets somebody else make the repository while this one looks whether the place is empty."""

            def before(self, method: str, key: str) -> None:
                if (method, key) == ("list", ""):
                    connect_or_create(remote(url), Config(identity=SAMPLE_IDENTITY, preset="vit-b"))

        made = connect_or_create(remote(url), LIKE, open_store=lambda url: Slower(open_store(url)))
        assert made.config().preset == "vit-b"
        assert open_store(url).exists("config.toml")

    def test_in_a_folder_both_get_the_same(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        place = tmp_path / "shared"
        place.mkdir()
        create = remotes_module.create_repository

        def later(*args: Any, **kwargs: Any) -> Repository:
            monkeypatch.setattr(remotes_module, "create_repository", create)
            connect_or_create(remote(place), Config(identity=SAMPLE_IDENTITY, preset="vit-b"))
            return create(*args, **kwargs)

        monkeypatch.setattr(remotes_module, "create_repository", later)
        assert connect_or_create(remote(place), LIKE).config().preset == "vit-b"

    def test_eight_at_once(self) -> None:
        url = "memory://at-the-same-moment/eight"

        def make(number: int) -> str:
            return (
                connect_or_create(remote(url), Config(identity=SAMPLE_IDENTITY, preset=f"vit-{number}")).config().preset
            )

        with ThreadPoolExecutor(8) as pool:
            assert len(set(pool.map(make, range(8)))) == 1

    def test_what_creating_and_probing_leave_is_no_obstacle(self) -> None:
        url = "memory://at-the-same-moment/killed"
        open_store(url).create("probe/kept/one", b"x")
        open_store(url).create("refs/epoch/" + "a" * 32, b"a" * 32 + b"\n")
        assert connect_or_create(remote(url), LIKE).config() == LIKE


def test_a_new_repository_says_who_it_is_for(tmp_path: Path) -> None:
    for place in (str(tmp_path / "shared"), "memory://says-who/shared"):
        team = Remote(name="team", url=place, readers=("a", "b"))
        assert connect_or_create(team, LIKE).config().readers == ("a", "b")


def test_options_reach_the_storage(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []

    def opened(*args: Any, **more: Any) -> Store:
        asked.append((*args, more))
        return open_store(args[0])

    monkeypatch.setattr(remotes_module, "default_open_store", opened)
    connect(Remote(name="origin", url="memory://x", options={"region": "eu"}), limits=Limits(names=7))
    assert asked == [("memory://x", {"region": "eu"}, {"most_names": 7})]


def test_a_huge_config_over_there_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_bytes(b"#" * (1 << 21))
    with pytest.raises(CorruptObjectError, match=r"config\.toml"):
        connect(remote(tmp_path)).config()
