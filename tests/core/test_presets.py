from __future__ import annotations

from math import inf, nan

import pytest

from mu2net_core.errors import InvalidInputError, NotFoundError
from mu2net_core.nn import family_named
from mu2net_core.presets import PRESETS, TrainingConfig, preset_named, with_settings

MINI = preset_named("vit-mini")


@pytest.mark.parametrize("name", sorted(PRESETS))
def test_every_preset_builds_its_root_and_every_size_it_may_grow_to(name: str) -> None:
    preset = preset_named(name)
    family = family_named(preset.architecture.name)
    assert preset.name == name
    for num_layers in preset.space.values["num_layers"]:
        wanted = {**preset.space.defaults, "num_layers": num_layers}
        specs = family.layers(preset.architecture.config, wanted, 10)
        assert sum(spec.kind == "encoder_block" for spec in specs) == num_layers


def test_an_unknown_preset_names_those_there_are() -> None:
    with pytest.raises(NotFoundError, match="vit-mini, vit-ti0") as caught:
        preset_named("vit-huge")
    assert caught.value.exit_code == 3


def test_without_settings_a_preset_stays_as_it_is() -> None:
    assert with_settings(MINI, {}) == MINI


def test_settings_override_training_scorer_space_and_defaults() -> None:
    changed = with_settings(
        MINI,
        {
            "evolve.children": 3,
            "evolve.clip_norm": 2,
            "scorer.factor": 0.9,
            "space.momentum": [0.8, 0.9],
            "default.momentum": 0.8,
        },
    )
    assert changed.training.children == 3
    assert changed.training.clip_norm == 2.0
    assert isinstance(changed.training.clip_norm, float)
    assert changed.training.generations == MINI.training.generations
    assert changed.scorer.factor == 0.9
    assert changed.space.values["momentum"] == (0.8, 0.9)
    assert changed.space.defaults["momentum"] == 0.8
    assert changed.space.values["learning_rate"] == MINI.space.values["learning_rate"]


def test_settings_of_other_sections_are_none_of_a_presets_business() -> None:
    assert with_settings(MINI, {"data.digits": "npz:/data/digits.npz", "remote.retries": 3}) == MINI


@pytest.mark.parametrize(
    ("key", "value", "complaint"),
    [
        ("evolve.childs", 3, r"Unknown setting evolve\.childs"),
        ("scorer.weight", 1.0, r"Unknown setting scorer\.weight"),
        ("space.beta", [0.1], r"Unknown setting space\.beta"),
        ("default.beta", 0.1, r"Unknown setting default\.beta"),
        ("evolve.children", 0, "expected a positive number, got 0"),
        ("evolve.children", -1, "expected a positive number, got -1"),
        ("evolve.children", 2.5, "expected int, got 2.5"),
        ("evolve.children", True, "expected int, got True"),
        ("evolve.clip_norm", "1", "expected float, got '1'"),
        ("evolve.clip_norm", float("nan"), "expected a positive number, got nan"),
        ("scorer.factor", 1.5, "factor must lie in"),
        ("scorer.factor", 0, "factor must lie in"),
        ("scorer.name", 5, "expected str, got 5"),
        ("space.momentum", [0.9, 0.8], "expected sorted distinct values"),
        ("space.momentum", [], "expected sorted distinct values"),
        ("space.momentum", [0.5], "the default 0.9 is not one of"),
        ("space.momentum", 0.9, "expected a list"),
        ("space.momentum", "0.9", "expected a list"),
        ("space.momentum", [0.9, "x"], "expected float, got 'x'"),
        ("space.mu", [0.1, 0.2, 1.5], "expected probabilities"),
        ("default.momentum", 0.91, "the default 0.91 is not one of"),
    ],
)
def test_a_setting_that_cannot_be_right_is_refused(key: str, value: object, complaint: str) -> None:
    with pytest.raises(InvalidInputError, match=complaint):
        with_settings(MINI, {key: value})


def test_training_needs_positive_numbers() -> None:
    with pytest.raises(InvalidInputError, match=r"evolve\.batch_size: expected a positive number, got 0"):
        TrainingConfig(batch_size=0)


@pytest.mark.parametrize(
    ("key", "value"),
    [("scorer.params_scale", inf), ("scorer.params_scale", nan), ("space.learning_rate", [0.1, inf])],
)
def test_numbers_that_cannot_be_stored_are_refused_before_they_cost_a_training(key: str, value: object) -> None:
    with pytest.raises(InvalidInputError, match="finite"):
        with_settings(preset_named("vit-ti0"), {key: value})
