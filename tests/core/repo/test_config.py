from __future__ import annotations

import threading
from pathlib import Path

import pytest

from mu2net_core.errors import ConflictError, CorruptObjectError, InvalidInputError, NotFoundError
from mu2net_core.repo import Config, Layers, Remote, Repository, open_repository
from mu2net_core.repo.core.config import Value, parse_value, read_user_config
from mu2net_core.storage import FileLock
from mu2net_core.testing.building.samples import SAMPLE_IDENTITY


def test_settings_and_remotes_survive_the_file() -> None:
    config = Config(
        identity=SAMPLE_IDENTITY,
        preset="vit-b",
        settings={"search.mu": 0.1, "search.learning_rate": [0.1, 0.2], "children": 4, "name": "x y", "on": True},
        remotes={
            "origin": Remote(name="origin", url="/mnt/shared"),
            "team": Remote(name="team", url="/mnt/team", readers=("a", "b"), partial=False),
        },
    )
    assert Config.parse(config.dump(), what="it") == config


def test_setting_and_unsetting() -> None:
    config = Config(identity=SAMPLE_IDENTITY, preset="x").with_setting("search.mu", 0.2).with_setting("children", 3)
    assert config.settings == {"search.mu": 0.2, "children": 3}
    assert config.without_setting("search.mu").settings == {"children": 3}
    with pytest.raises(NotFoundError, match="generations is not set"):
        config.without_setting("generations")
    with pytest.raises(InvalidInputError, match=r"search.mu is set, and one cannot lie inside"):
        config.with_setting("search", 1)


@pytest.mark.parametrize("key", ["", ".", "a.", "a b", "a=b", "ä"])
def test_a_key_is_words_and_dots(key: str) -> None:
    with pytest.raises(InvalidInputError, match="Not a setting"):
        Config(identity=SAMPLE_IDENTITY, preset="x").with_setting(key, 1)


def test_the_validation_hook_has_the_last_word() -> None:
    def validate(key: str, value: Value) -> None:
        raise InvalidInputError(f"Unknown setting {key} = {value}.")

    with pytest.raises(InvalidInputError, match="Unknown setting children = 3"):
        Config(identity=SAMPLE_IDENTITY, preset="x").with_setting("children", 3, validate=validate)


def test_stronger_layers_win_and_say_who_they_are() -> None:
    layers = Layers(
        options={"a": 1},
        environ={"MU2NET_A": "2", "MU2NET_SEARCH_MU": "0.5"},
        repository={"a": 3, "search.mu": 0.1, "c": 3},
        user={"c": 4, "d": 4},
        defaults={"d": 5, "e": 5},
    )
    found = {s.key: (s.value, s.origin) for s in layers.all()}
    assert found == {
        "a": (1, "option"),
        "search.mu": (0.5, "environment"),
        "c": (3, "repository"),
        "d": (4, "user"),
        "e": (5, "default"),
    }
    assert layers.get("nothing") is None


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("3", 3), ("0.5", 0.5), ("1e-3", 0.001), ("true", True), ("[1, 2]", [1, 2]), ('"3"', "3"),
        ("vit-b", "vit-b"), ("", ""), ("a b", "a b"), ("2026-01-01", "2026-01-01"), ("1\nx = 2", "1\nx = 2"),
        ("{}", "{}"),
    ],
)  # fmt: skip
def test_text_is_read_as_the_value_it_spells(text: str, value: Value) -> None:
    assert parse_value(text) == value


def test_the_users_settings(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    assert read_user_config(file) == read_user_config(None) == {}
    file.write_text("[settings]\nchildren = 3\n[settings.search]\nmu = 0.1\n")
    assert read_user_config(file) == {"children": 3, "search.mu": 0.1}
    file.write_text("[settings")
    with pytest.raises(InvalidInputError, match="Cannot read"):
        read_user_config(file)


def test_remotes_are_added_and_removed(repo: Repository) -> None:
    remote = Remote(name="origin", url="/mnt/x", readers=("a",))
    repo.update_config(lambda config: config.with_remote(remote))
    assert open_repository(repo.path).config.remotes == {"origin": remote}
    repo.update_config(lambda config: config.without_remote("origin"))
    assert open_repository(repo.path).config.remotes == {}
    with pytest.raises(NotFoundError, match="no remote origin"):
        repo.update_config(lambda config: config.without_remote("origin"))


@pytest.mark.parametrize(("name", "url"), [("", "/x"), ("../x", "/x"), ("origin", "")])
def test_a_remote_needs_a_name_and_a_url(name: str, url: str) -> None:
    with pytest.raises(InvalidInputError):
        Remote(name=name, url=url)


def test_a_change_never_undoes_anothers(repo: Repository) -> None:
    other = open_repository(repo.path)
    other.update_config(lambda config: config.with_setting("a", 1))
    repo.update_config(lambda config: config.with_setting("b", 2))
    assert open_repository(repo.path).config.settings == {"a": 1, "b": 2}


def test_two_changes_at_once_are_a_conflict(repo: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mu2net_core.repo.core.repository._PATIENCE_S", 0.0)
    outcome: list[str] = []

    def change() -> None:
        try:
            repo.update_config(lambda config: config)
        except ConflictError as exc:
            outcome.append(exc.message)

    with FileLock(repo.state / "config.lock"):
        thread = threading.Thread(target=change)
        thread.start()
        thread.join()
    assert "the settings of this repository" in outcome[0]


def test_a_remotes_options_survive_the_file() -> None:
    remote = Remote(name="origin", url="s3://b", options={"region": "eu-central-1", "endpoint": "https://s3.org"})
    config = Config(identity=SAMPLE_IDENTITY, preset="x").with_remote(remote)
    assert Config.parse(config.dump(), what="it") == config


def test_who_a_shared_repository_is_for_survives_the_file() -> None:
    for readers in (None, (), ("a", "b")):
        config = Config(identity=SAMPLE_IDENTITY, preset="x", readers=readers)
        assert Config.parse(config.dump(), what="it") == config


def test_settings_of_this_machine_stay_here() -> None:
    config = Config(
        identity=SAMPLE_IDENTITY,
        preset="x",
        settings={"data.a": "/a", "limits.layers": 9, "commit.host": "x", "search.mu": 0.1},
    )
    assert config.shared_settings == {"search.mu": 0.1}


IDENTITY = f'identity = "{SAMPLE_IDENTITY}"\n'
HEAD = f'format = 1\n{IDENTITY}preset = "x"\n'


class TestWhatOthersWrite:
    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ('format = true\npreset = "x"', "missing or misplaced"),
            ('format = "1"\npreset = "x"', "missing or misplaced"),
            ('format = 1.0\npreset = "x"', "missing or misplaced"),
            (f"format = 1\n{IDENTITY}preset = 3", "missing or misplaced"),
            ('format = 1\npreset = "x"', "missing or misplaced entry .'identity'"),
            (f'format = 1\nidentity = "{"5A" * 16}"\npreset = "x"', "32 lower-case hex digits"),
            (f'format = 1\n{IDENTITY}preset = "\\u001b[31m"', "Not a preset"),
            (HEAD + "settings = 3", "missing or misplaced"),
            (HEAD + "remotes = [1]", "missing or misplaced"),
            (HEAD + "readers = 'a'", "missing or misplaced"),
            (HEAD + "readers = ['../a']", "Not a reader"),
            (HEAD + '[settings]\na = 1\n"a.b" = 2', "one lies inside another"),
            (HEAD + '[settings]\n"a.b.c" = 2\na = 1', "one lies inside another"),
            (HEAD + '[settings]\na.b = 1\n"a.b" = 2', "share a key"),
            (HEAD + '[settings]\n"../a" = 1', "Not a setting"),
            (HEAD + "[settings]\na = 2026-01-01", "the value of a is none of"),
            (HEAD + "[settings]\na = [{}]", "the value of a is none of"),
            (HEAD + '[settings]\na = "\\u001b[31m"', "the value of a is none of"),
            (HEAD + f"[settings]\n{'a.' * 20_000}b = 1", "missing or misplaced|Not a setting"),
        ],
    )
    def test_is_refused_with_the_place(self, text: str, message: str) -> None:
        with pytest.raises(InvalidInputError, match=f"Cannot read it: .*({message})"):
            Config.parse(text.encode(), what="it", foreign=True)

    @pytest.mark.parametrize("text", ["a = " + "[" * 100_000, HEAD + "[settings]\na = " + "9" * 10_000, "\xff", "= 1"])
    def test_that_is_no_toml(self, text: str) -> None:
        with pytest.raises(CorruptObjectError, match="Cannot read it"):
            Config.parse(text.encode("latin-1"), what="it", foreign=True)

    @pytest.mark.parametrize(("partial", "is_partial"), [("true", True), ("false", False), ("'no'", False)])
    def test_of_their_remotes_only_is_known_that_there_is_a_partial_one(self, partial: str, is_partial: bool) -> None:
        text = f"{HEAD}[remotes.o]\nurl = 's3://b'\npartial = {partial}"
        config = Config.parse(text.encode(), what="it", foreign=True)
        assert (config.remotes, config.is_partial) == ({}, is_partial)
        assert b"s3://b" not in config.dump()

    def test_remotes_that_make_no_sense_are_no_hindrance(self) -> None:
        text = HEAD + "[remotes.origin]\nurl = 's3://b'\n[remotes.bad]\nurl = 's3://k:hunter2@b'\n[remotes.worse]\n"
        assert Config.parse(text.encode(), what="it", foreign=True).remotes == {}
        with pytest.raises(InvalidInputError, match="Cannot read it: Not stored") as info:
            Config.parse(text.encode(), what="it")
        assert "hunter2" not in str(info.value)
