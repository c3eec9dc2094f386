from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from mu2net_core.api.context import Context
from mu2net_core.api.settings.settings import effective_preset, known_keys, unknown_settings
from mu2net_core.errors import InvalidInputError
from mu2net_core.presets import preset_named
from mu2net_core.repo import Repository, open_repository

KEY = "evolve.children"


def children(repo: Repository, context: Context, **options: object) -> int:
    return effective_preset(repo, context, {KEY: options.get("option")}).training.children


def test_the_strongest_layer_that_says_something_wins(repo: Repository, context: Context, tmp_path: Path) -> None:
    assert children(repo, context) == preset_named(repo.config.preset).training.children
    user = tmp_path / "user.toml"
    user.write_text("[settings.evolve]\nchildren = 3\n")
    context = replace(context, user_config=user)
    assert children(repo, context) == 3
    repo.update_config(lambda config: config.with_setting(KEY, 4))
    repo = open_repository(repo.path)
    assert children(repo, context) == 4
    context = replace(context, environ={"MU2NET_EVOLVE_CHILDREN": "5"})
    assert children(repo, context) == 5
    assert children(repo, context, option=6) == 6
    assert children(repo, context, option=None) == 5


def test_lists_and_defaults_can_come_from_the_environment(repo: Repository, context: Context) -> None:
    context = replace(
        context, environ={"MU2NET_SPACE_MOMENTUM": "[0.5, 0.9]", "MU2NET_DEFAULT_MOMENTUM": "0.5", "MU2NET_X": "?"}
    )
    space = effective_preset(repo, context).space
    assert space.values["momentum"] == (0.5, 0.9)
    assert space.defaults["momentum"] == 0.5


@pytest.mark.parametrize(
    ("variable", "value", "complaint"),
    [
        ("MU2NET_EVOLVE_CHILDREN", "many", r"evolve\.children: expected a whole number, got 'many'"),
        ("MU2NET_EVOLVE_CHILDREN", "0", r"^evolve\.children: expected a positive number, got 0"),
        ("MU2NET_SPACE_MOMENTUM", "0.9", r"space\.momentum: expected a list of values, got 0.9"),
        ("MU2NET_SCORER_FACTOR", "2.0", "factor must lie in"),
        ("MU2NET_DEFAULT_MOMENTUM", "0.123", "is not one of"),
    ],
)
def test_a_value_that_cannot_be_right_is_refused(
    repo: Repository, context: Context, variable: str, value: str, complaint: str
) -> None:
    with pytest.raises(InvalidInputError, match=complaint) as error:
        effective_preset(repo, replace(context, environ={variable: value}))
    assert f"Set by the environment variable {variable} (" in error.value.message


def test_a_wrong_value_names_where_it_comes_from(repo: Repository, context: Context, tmp_path: Path) -> None:
    user = tmp_path / "user.toml"
    user.write_text("[settings.evolve]\nchildren = 0\n[settings.space]\nmomentum = [0.5]\n")
    with pytest.raises(InvalidInputError, match=r"Set by the user's settings in .*user\.toml \(evolve\.children = 0\)"):
        effective_preset(repo, replace(context, user_config=user), {"default.momentum": 0.5})
    with pytest.raises(InvalidInputError, match=r"Set by the option --children \(evolve\.children = -1\)"):
        effective_preset(repo, context, {KEY: -1})
    repo.update_config(lambda config: config.with_setting("default.momentum", 0.123))
    with pytest.raises(InvalidInputError, match=r"repository's settings \(default\.momentum = 0\.123\)"):
        effective_preset(open_repository(repo.path), context)


def test_variables_that_are_no_settings_are_told_with_near_ones(repo: Repository, context: Context) -> None:
    environ = {"MU2NET_EVOLVE_CHILDRN": "2", "MU2NET_EVOLVE_CHILDREN": "2", "MU2NET_DATA_DIR": "x", "OTHER": ""}
    (warning,) = unknown_settings(repo, replace(context, environ=environ))
    assert warning.startswith("MU2NET_EVOLVE_CHILDRN is no setting")
    assert "Did you mean MU2NET_EVOLVE_CHILDREN" in warning


def test_a_user_configuration_that_is_no_toml_is_named(repo: Repository, context: Context, tmp_path: Path) -> None:
    user = tmp_path / "user.toml"
    user.write_text("children = = 3")
    with pytest.raises(InvalidInputError, match=r"user\.toml"):
        effective_preset(repo, replace(context, user_config=user))


def test_everything_of_a_preset_can_be_set() -> None:
    keys = known_keys(preset_named("vit-mini"))
    assert list(keys) == sorted(keys)
    assert {"evolve.children", "evolve.clip_norm", "scorer.factor", "space.mu", "default.learning_rate"} <= set(keys)
