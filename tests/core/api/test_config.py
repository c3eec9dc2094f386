from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from mu2net_core.api.context import Context
from mu2net_core.api.setup import config
from mu2net_core.errors import InvalidInputError, NotFoundError
from mu2net_core.repo import Repository, open_repository


def test_every_setting_has_a_value_and_an_origin(repo: Repository, context: Context) -> None:
    settings = {setting.key: setting for setting in config.list_(repo, context)}
    assert settings["preset"].value == "vit-ti0"
    assert (settings["evolve.generations"].value, settings["evolve.generations"].origin) == (4, "default")
    assert "default.learning_rate" in settings
    assert isinstance(settings["space.learning_rate"].value, list)


def test_a_value_is_set_kept_and_unset(repo: Repository, context: Context) -> None:
    set_ = config.set_(repo, context, "evolve.children", "3")
    assert (set_.value, set_.origin) == (3, "repository")
    assert config.get(open_repository(repo.path), context, "evolve.children") == set_
    assert config.unset(repo, context, "evolve.children").origin == "default"
    with pytest.raises(NotFoundError, match="not set in this repository"):
        config.unset(repo, context, "evolve.children")


def test_environment_beats_repository_beats_user(repo: Repository, context: Context, tmp_path: Path) -> None:
    user = tmp_path / "user.toml"
    user.write_text("[settings.evolve]\nchildren = 5\n")
    context = replace(context, user_config=user)
    assert config.get(repo, context, "evolve.children").origin == "user"
    assert config.set_(repo, context, "evolve.children", "3").origin == "repository"
    context = replace(context, environ={"MU2NET_EVOLVE_CHILDREN": "2"})
    found = config.get(repo, context, "evolve.children")
    assert (found.value, found.origin) == (2, "environment")


@pytest.mark.parametrize(
    ("key", "text", "error", "message"),
    [
        ("evolve.childrn", "3", NotFoundError, "Did you mean evolve.children"),
        ("nothing", "3", NotFoundError, "no setting 'nothing'"),
        ("evolve.children", "many", InvalidInputError, "expected a whole number, got 'many'"),
        ("evolve.children", "0", InvalidInputError, r"^evolve\.children: expected a positive number, got 0\."),
        ("default.momentum", "0.123", InvalidInputError, r"Cannot set default\.momentum to 0\.123\. .*is not one of"),
        ("preset", "vit-ti3", InvalidInputError, "chosen once"),
        ("a b", "3", InvalidInputError, "Not a setting"),
    ],
)
def test_what_cannot_be_set(
    repo: Repository, context: Context, key: str, text: str, error: type[Exception], message: str
) -> None:
    before = (repo.path / "config.toml").read_bytes()
    with pytest.raises(error, match=message):
        config.set_(repo, context, key, text)
    assert (repo.path / "config.toml").read_bytes() == before


def test_an_unknown_key_gets_near_ones(repo: Repository, context: Context) -> None:
    with pytest.raises(NotFoundError, match=r"Did you mean scorer.factor"):
        config.get(repo, context, "scorer.factr")
