"""Every setting, tried with values that cannot be right: refused when it is set, and when it comes from elsewhere."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from mu2net_core.api.context import Context
from mu2net_core.api.settings.settings import effective_preset, known_keys, setting_descriptions, unknown_settings
from mu2net_core.api.setup import config
from mu2net_core.api.tasks.add_task import add_task
from mu2net_core.errors import InvalidInputError, Mu2netError, NotFoundError
from mu2net_core.presets import PRESETS, preset_named
from mu2net_core.repo import Repository, open_repository
from mu2net_core.scoring import SCORERS, decay
from mu2net_core.search import METHODS, RANDOM
from mu2net_core.testing.building.plugins import offer

KEYS = known_keys(preset_named("vit-ti0"))


@pytest.mark.parametrize("key", KEYS)
def test_no_setting_takes_nonsense(repo: Repository, context: Context, key: str) -> None:
    for nonsense in ("nonsense", "[[1]]", '["x"]', "-7", "[]"):
        if key in {"space.structural", "space.merging"} and nonsense == "[]":
            continue  # no change of structure, and no merge, at all: that makes sense
        if key == "commit.host" and nonsense == "nonsense":
            continue  # a machine may be called so
        with pytest.raises(Mu2netError) as error:
            config.set_(repo, context, key, nonsense)
        assert key in error.value.message
    assert open_repository(repo.path).config.settings == {}


def test_a_change_of_structure_is_one_that_the_architecture_knows(repo: Repository, context: Context) -> None:
    known = r"\(adapter, block, heads, lora, mlp\)"
    told = rf"space\.structural: expected kinds of changes that vit knows {known}, got \['wings'\]"
    with pytest.raises(InvalidInputError, match=told):
        config.set_(repo, context, "space.structural", '["wings"]')


@pytest.mark.parametrize("key", [key for key in KEYS if not key.startswith("architecture.")])
def test_every_setting_takes_what_it_has(repo: Repository, context: Context, key: str) -> None:
    value = config.get(repo, context, key).value
    assert config.set_(repo, context, key, json.dumps(value)).value == value


@pytest.mark.parametrize(
    ("key", "text", "message"),
    [
        (
            "evolve.method",
            "randm",
            r"evolve\.method: expected mu2net-plus or random or tpe, got 'randm'(.|\n)*mean random\?",
        ),
        ("evolve.method", "''", r"evolve\.method: expected mu2net-plus or random or tpe, got ''"),
        ("scorer.name", "foo", r"scorer\.name: expected decay, got 'foo'"),
        ("machine.precision", "float16", r"machine\.precision: expected one of auto, float32, bfloat16"),
        ("space.image_size", "[32, 33]", "No model can be built with image_size = 33(.|\n)*multiple of patch 16"),
        ("space.num_layers", "[0, 20000]", "No model can be built with num_layers = 20000"),
        ("space.adapter_dim", "[32, 9999999]", "No model can be built with adapter_dim = 9999999"),
        ("space.learning_rate", "[-0.1, 0.01]", r"space\.learning_rate: expected numbers above 0, got -0\.1"),
        ("space.momentum", "[0.9, 1.0]", r"space\.momentum: expected numbers from 0 up to, but not, 1, got 1\.0"),
        ("default.warmup_ratio", "2.0", r"default\.warmup_ratio: expected numbers from 0 to 1"),
        ("evolve.children", "100000000000000000000", r"evolve\.children: expected at most 2147483648, got 1000"),
        ("evolve.children", "4.0", r"evolve\.children: expected a whole number"),
        ("cache.max_size", "plenty", "cache.max_size: not a size: 'plenty'"),
        ("limits.layers", "0", r"limits\.layers: expected a whole number from 1"),
        ("pull.require_signed", "true", "expected the path of a file, got True(.|\n)*the keys you trust"),
        ("pull.require_signed", "/nope", "There is no file of allowed keys /nope"),
        ("sign.key", "/nope", "There is no key /nope, which sign.key names"),
        ("data.digits", "sklern:digits", "Unknown kind of data source 'sklern'(.|\n)*Did you mean sklearn:digits"),
        ("data.digits", "3", "expected the URI of a data set, got 3"),
        ("data.digit", "folder:x", "There is no task 'digit'(.|\n)*Did you mean digits"),
        ("space.image_size", "32", r"expected a list of values, got 32(.|\n)*space\.image_size = \[32\]"),
    ],
)
def test_what_is_refused_says_what_would_be_right(
    repo: Repository, context: Context, key: str, text: str, message: str
) -> None:
    add_task(repo, context, "sklearn:digits")
    before = (repo.path / "config.toml").read_bytes()
    with pytest.raises(Mu2netError, match=message):
        config.set_(repo, context, key, text)
    assert (repo.path / "config.toml").read_bytes() == before


def test_a_method_of_another_package_can_be_set(repo: Repository, context: Context, monkeypatch) -> None:
    offer(monkeypatch, METHODS, theirs=RANDOM)
    assert config.set_(repo, context, "evolve.method", "theirs").value == "theirs"
    assert config.choices("evolve.method") == ("mu2net-plus", "random", "theirs", "tpe")


def test_a_scorer_of_another_package_can_be_set(repo: Repository, context: Context, monkeypatch) -> None:
    offer(monkeypatch, SCORERS, theirs=decay)
    assert config.set_(repo, context, "scorer.name", "theirs").value == "theirs"
    assert config.choices("scorer.name") == ("decay", "theirs")
    with pytest.raises(InvalidInputError, match=r"expected decay or theirs, got 'their'(.|\n)*Did you mean theirs\?"):
        config.set_(repo, context, "scorer.name", "their")


def test_a_wrong_name_from_the_environment_or_a_file_says_where_it_was_set(
    repo: Repository, context: Context, tmp_path: Path
) -> None:
    with pytest.raises(InvalidInputError, match=r"got 'randm'\. Set by the environment variable MU2NET_EVOLVE_METHOD"):
        effective_preset(repo, replace(context, environ={"MU2NET_EVOLVE_METHOD": "randm"}))
    user = tmp_path / "user.toml"
    user.write_text('[settings.scorer]\nname = "foo"\n[settings.evolve]\nchildrn = 3\n')
    with pytest.raises(
        InvalidInputError, match=r"expected decay, got 'foo'\. Set by the user's settings in .*user\.toml"
    ):
        effective_preset(repo, replace(context, user_config=user))
    (warning,) = unknown_settings(repo, replace(context, user_config=user))
    assert warning.startswith(f"evolve.childrn in {user} is no setting and does nothing. Did you mean evolve.children")


def test_a_place_that_is_not_there_now_is_set_and_told(repo: Repository, context: Context, tmp_path: Path) -> None:
    add_task(repo, context, "sklearn:digits")
    told: list[str] = []
    elsewhere = tmp_path / "elsewhere"
    (elsewhere / "here").mkdir(parents=True)
    context = replace(context, cwd=elsewhere, warn=told.append)
    assert config.set_(repo, context, "data.digits", "folder:here").value == f"folder:{elsewhere / 'here'}"
    assert told == []
    config.set_(repo, context, "data.digits", "folder:there")
    assert told == [f"data.digits: there is no {elsewhere / 'there'} on this machine now."]


def test_a_relative_path_means_what_it_means_from_here(repo: Repository, context: Context, tmp_path: Path) -> None:
    keys = tmp_path / "deep" / "allowed"
    keys.parent.mkdir()
    keys.write_text("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f ann\n")
    found = config.set_(repo, replace(context, cwd=keys.parent), "pull.require_signed", "allowed")
    assert found.value == str(keys)


@pytest.mark.parametrize("name", PRESETS)
def test_every_setting_is_described_in_a_line(name: str) -> None:
    texts = setting_descriptions(preset_named(name))
    assert set(texts) == {*known_keys(preset_named(name)), "preset"}
    assert [key for key, text in texts.items() if not 10 <= len(text) <= 300 or "\n" in text or "``" in text] == []


def test_settings_are_listed_by_how_they_begin(repo: Repository, context: Context) -> None:
    assert {found.key.partition(".")[0] for found in config.list_(repo, context, "evolve")} == {"evolve"}
    (found,) = config.list_(repo, context, "evolve.method")
    assert (found.value, found.choices) == ("mu2net-plus", ("mu2net-plus", "random", "tpe"))
    assert "random search" in found.description
    with pytest.raises(NotFoundError, match=r"No setting begins with 'evlove'(.|\n)*Did you mean evolve"):
        config.list_(repo, context, "evlove")


def test_data_of_scikit_learn_that_there_is_not_is_refused(repo: Repository, context: Context) -> None:
    add_task(repo, context, "sklearn:digits")
    with pytest.raises(NotFoundError, match="Unknown data set sklearn:iris; known: sklearn:digits"):
        config.set_(repo, context, "data.digits", "sklearn:iris")
    assert config.set_(repo, context, "data.digits", "sklearn:digits").value == "sklearn:digits"


def test_a_range_without_the_default_is_told_how_to_choose_another(repo: Repository, context: Context) -> None:
    with pytest.raises(InvalidInputError, match=r"mu2net config set default\.momentum VALUE"):
        config.set_(repo, context, "space.momentum", "[0.5]")
    config.set_(repo, context, "default.momentum", "0.5")
    assert config.set_(repo, context, "space.momentum", "[0.5]").value == [0.5]


def test_a_broken_file_is_named_with_the_line(repo: Repository) -> None:
    file = repo.path / "config.toml"
    file.write_text('format = 1\npreset = "vit-ti0"\n[settings\n')
    with pytest.raises(Mu2netError, match=rf"Cannot read {file}: .*line 3"):
        open_repository(repo.path)
