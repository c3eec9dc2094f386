from __future__ import annotations

from dataclasses import fields, replace
from math import inf, nan

import pytest

from mu2net_core.errors import InvalidInputError, NotFoundError
from mu2net_core.nn import family_named
from mu2net_core.objects import PREPARATION
from mu2net_core.presets import PRESETS, Preset, TrainingConfig, preset_named, preset_values, with_settings
from mu2net_core.testing.building.samples import sample_task

MINI = preset_named("vit-mini")


@pytest.mark.parametrize("name", sorted(PRESETS))
def test_every_preset_builds_its_root_and_every_size_it_may_grow_to(name: str) -> None:
    preset = preset_named(name)
    family = family_named(preset.architecture.name)
    assert preset.name == name
    config, size = preset.architecture.config, family.vocabulary.input
    if size == "image_size":
        assert preset.space.defaults.get(size, config["image"]) == config["image"]
    for num_layers in preset.space.values["num_layers"]:
        for input_size in preset.space.values.get(size, (None,)):
            wanted = {**preset.space.defaults, "num_layers": num_layers}
            specs = family.layers(config, wanted if input_size is None else {**wanted, size: input_size}, 10)
            assert sum(spec.kind.endswith("_block") and spec.kind != "residual_block" for spec in specs) == num_layers


@pytest.mark.parametrize(
    ("name", "sizes", "blocks", "images", "training"),
    [
        ("vit-ti0", (192, 3, 768), (0, 3), (32, 16, 112), (512, 8, 4, 4, 51200, 5120)),
        ("vit-ti3", (192, 3, 768), (3, 3), (32, 16, 112), (512, 8, 4, 4, 51200, 5120)),
        ("vit-b", (768, 12, 3072), (12, 12), (80, 16, 112), (128, 8, 4, 4, 51200, 5120)),
        ("vit-l", (1024, 16, 4096), (24, 24), (384, 224, 384), (16, 16, 1, 8, 100_000, 10_000)),
    ],
)
def test_presets_of_the_papers(name: str, sizes, blocks, images, training) -> None:
    preset = preset_named(name)
    config, space, found = preset.architecture.config, preset.space, preset.training
    assert (config["width"], config["heads"], config["mlp"]) == sizes
    assert (space.defaults["num_layers"], space.values["num_layers"][-1]) == blocks
    assert space.values["num_layers"] == tuple(range(blocks[1] + 1))
    assert (config["image"], space.values["image_size"][0], space.values["image_size"][-1]) == images
    assert all(size % 16 == 0 for size in space.values["image_size"])
    assert training == (
        found.batch_size,
        found.children,
        found.generations,
        found.validations,
        found.samples_cap,
        found.validation_cap,
    )
    assert space.structural == ("adapter",)
    assert set(PREPARATION) - set(space.values) == {"shift", "rotation", "scale", "shear"}  # the papers have none
    assert space.defaults["mu"] == (0.2 if name in {"vit-ti0", "vit-l"} else 0.1)


@pytest.mark.parametrize(
    ("name", "first", "second"),
    [("convnet-8", 64, 16), ("convnet-16", 64, 16), ("convnet-32", 64, 16), ("convnet-64", 144, 36)],
)
def test_convnets_begin_with_as_many_tokens_as_fit_their_images_and_the_same_layers(
    name: str, first: int, second: int
) -> None:
    preset = preset_named(name)
    family, config = family_named(preset.architecture.name), preset.architecture.config
    specs = family.layers(config, preset.space.defaults, 10)
    tokens = {spec.name: family.kind(spec).takes(spec)[0] for spec in specs[1:-1]}
    assert (tokens["residualblock_0"], tokens["pooling"]) == (first, second)
    assert preset.architecture.config["patch"] * first**0.5 == config["image"]
    common = family.layers(
        preset_named("convnet-32").architecture.config, preset_named("convnet-32").space.defaults, 10
    )
    differ = {one.name for one, other in zip(specs, common, strict=True) if family.shapes(one) != family.shapes(other)}
    assert differ <= {"position_embedding"}


def test_the_smallest_preset_moves_nothing_but_training_and_depth() -> None:
    space = MINI.space
    assert set(space.movable) == {"learning_rate", "warmup_ratio", "momentum", "nesterov", "num_layers"}
    assert space.structural == ()


@pytest.mark.parametrize("name", [name for name in PRESETS if name.startswith("vit")])
def test_presets_train_as_the_papers_do_until_they_are_told_otherwise(name: str) -> None:
    preset = PRESETS[name]
    fixed = {"optimizer": "sgd", "beta2": 0.999, "weight_decay": 0.0, "label_smoothing": 0.0}
    assert {key: preset.space.defaults[key] for key in fixed} == fixed
    assert not fixed.keys() & set(preset.space.movable)
    assert preset.training.min_steps == 1
    chosen = {"space.optimizer": ["adamw", "sgd"], "default.optimizer": "adamw", "space.label_smoothing": [0.0, 0.1]}
    told = with_settings(preset, chosen)
    assert told.space.defaults["optimizer"] == "adamw"
    assert {"optimizer", "label_smoothing"} <= set(told.space.movable)


@pytest.mark.parametrize("name", [name for name in PRESETS if name.startswith("convnet")])
def test_convnets_are_trained_by_adamw_whose_rates_are_far_below_those_of_sgd(name: str) -> None:
    space, training = PRESETS[name].space, PRESETS[name].training
    assert space.defaults["optimizer"] == "adamw"
    assert space.values["optimizer"] == ("adamw",)
    assert max(space.values["learning_rate"]) < 0.005  # type: ignore[type-var]
    assert {"beta2", "weight_decay", "label_smoothing"} <= set(space.movable)
    assert training.batch_size == 32
    assert training.samples_cap == 8 * 32 * training.min_steps  # very many examples get eight times the steps of few
    line = training.generations * training.validations * training.min_steps
    assert line >= 1_900  # what few examples need shows in a long line, and not in siblings
    assert (training.children, training.validations, training.epochs) == (1, 1, 3)
    assert space.defaults["warmup_ratio"] == 0.3
    assert set(space.movable) >= set(PREPARATION)
    assert all(space.defaults[name] > 0 for name in ("shift", "rotation", "scale", "shear"))  # type: ignore[operator]


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
            "space.structural": ["adapter", "mlp"],
            "architecture.width": 48,
        },
    )
    assert changed.training.children == 3
    assert changed.training.clip_norm == 2.0
    assert isinstance(changed.training.clip_norm, float)
    assert changed.training.generations == MINI.training.generations
    assert changed.scorer.factor == 0.9
    assert changed.space.values["momentum"] == (0.8, 0.9)
    assert changed.space.defaults["momentum"] == 0.8
    assert changed.space.structural == ("adapter", "mlp")
    assert changed.architecture.config == {**MINI.architecture.config, "width": 48}
    assert changed.space.values["learning_rate"] == MINI.space.values["learning_rate"]


@pytest.mark.parametrize("name", sorted(PRESETS))
def test_a_preset_is_what_its_own_values_make_of_it(name: str) -> None:
    preset = preset_named(name)
    assert with_settings(preset, preset_values(preset)) == preset


def test_a_part_of_a_preset_that_is_new_has_to_be_told_too() -> None:
    # Or iterations cannot be repeated: test_a_preset_is_what_its_own_values_make_of_it sees only what differs.
    assert {field.name for field in fields(Preset)} == {
        "name",
        "summary",
        "architecture",
        "space",
        "training",
        "scorer",
    }


def test_settings_of_other_sections_are_none_of_a_presets_business() -> None:
    assert with_settings(MINI, {"data.digits": "npz:/data/digits.npz", "remote.retries": 3}) == MINI


@pytest.mark.parametrize(
    ("key", "value", "complaint"),
    [
        ("evolve.childs", 3, r"Unknown setting evolve\.childs"),
        ("scorer.weight", 1.0, r"Unknown setting scorer\.weight"),
        ("space.beta", [0.1], r"Unknown setting space\.beta"),
        ("default.beta", 0.1, r"Unknown setting default\.beta"),
        ("space.structural", ["mlp", "adapter"], "expected sorted distinct kinds"),
        ("space.structural", [3], "expected text, got 3"),
        ("default.structural", "mlp", r"Unknown setting default\.structural"),
        ("architecture.depth", 3, r"Unknown setting architecture\.depth"),
        ("architecture.channels", 1, r"Unknown setting architecture\.channels"),
        ("architecture.width", 1.5, "expected a whole number, got 1.5"),
        ("evolve.population_cap", 0, r"evolve\.population_cap: expected a positive number"),
        ("evolve.children", 0, "expected a positive number, got 0"),
        ("evolve.children", -1, "expected a positive number, got -1"),
        ("evolve.probes", -1, "expected 0 or a positive number, got -1"),
        ("evolve.children", 2.5, "expected a whole number, got 2.5"),
        ("evolve.children", True, "expected a whole number, got True"),
        ("evolve.clip_norm", "1", "expected a number, got '1'"),
        ("evolve.clip_norm", float("nan"), "expected finite numbers, got nan"),
        ("scorer.factor", 1.5, "factor must lie in"),
        ("scorer.factor", 0, "factor must lie in"),
        ("scorer.name", 5, "expected text, got 5"),
        ("evolve.clip_norm", float("inf"), "expected finite numbers, got inf"),
        ("evolve.method", "", "expected the name of a search method"),
        ("space.momentum", [0.9, 0.8], "expected sorted distinct values"),
        ("space.optimizer", ["adam", "sgd"], "expected adamw or sgd, got 'adam'"),
        ("default.optimizer", "lion", "expected adamw or sgd, got 'lion'"),
        ("default.optimizer", 1, "expected text, got 1"),
        ("space.beta2", [0.999, 1.0], "expected numbers from 0 up to, but not, 1"),
        ("space.label_smoothing", [-0.1, 0.0], "expected numbers from 0 to 1"),
        ("space.momentum", [], "expected sorted distinct values"),
        ("space.momentum", [0.5], "the default 0.9 is not one of"),
        ("space.momentum", 0.9, "expected a list"),
        ("space.momentum", "0.9", "expected a list"),
        ("space.momentum", [0.9, "x"], "expected a number, got 'x'"),
        ("space.mu", [0.1, 0.2, 1.5], "expected numbers from 0 to 1, got 1.5"),
        ("default.momentum", 0.91, "the default 0.91 is not one of"),
    ],
)
def test_a_setting_that_cannot_be_right_is_refused(key: str, value: object, complaint: str) -> None:
    with pytest.raises(InvalidInputError, match=complaint):
        with_settings(MINI, {key: value})


def test_the_papers_presets_probe_nothing_and_copy_layers_one_by_one() -> None:
    for name, preset in PRESETS.items():
        is_papers = name.startswith("vit")
        on = (preset.training.probes, preset.space.defaults.get("copy_all", 0.0))
        assert all(value == 0 if is_papers else value > 0 for value in on), name
    assert with_settings(preset_named("convnet-8"), {"evolve.probes": 0}).training.probes == 0


def test_training_needs_positive_numbers() -> None:
    with pytest.raises(InvalidInputError, match=r"evolve\.batch_size: expected a positive number, got 0"):
        TrainingConfig(batch_size=0)


@pytest.mark.parametrize(
    ("first", "iteration", "validation", "refits"),
    [(0, 9, 50, False), (1, 1, 50, True), (2, 1, 50, False), (2, 2, 50, True), (2, 7, 50, True), (2, 2, 49, False)],
)
def test_models_are_refit_from_an_iteration_on_where_that_adds_a_twentieth_of_the_examples(
    first: int, iteration: int, validation: int, refits: bool
) -> None:
    task, sizes = sample_task("a"), {"train": 1000, "validation": validation, "test": 1}
    splits = {split: replace(told, num_examples=sizes[split]) for split, told in task.splits.items()}
    assert TrainingConfig(refit_from=first).refits(replace(task, splits=splits), iteration) is refits


@pytest.mark.parametrize(
    ("key", "value"),
    [("scorer.params_scale", inf), ("scorer.params_scale", nan), ("space.learning_rate", [0.1, inf])],
)
def test_numbers_that_cannot_be_stored_are_refused_before_they_cost_a_training(key: str, value: object) -> None:
    with pytest.raises(InvalidInputError, match="finite"):
        with_settings(preset_named("vit-ti0"), {key: value})


@pytest.mark.parametrize(
    ("key", "value"),
    [("space.hue", [0.0, 0.8]), ("default.crop_area_min", 0.0), ("space.brightness", [-0.1, 0.0])],
)
def test_strengths_beyond_what_images_can_be_changed_by_are_refused(key: str, value: object) -> None:
    with pytest.raises(InvalidInputError, match=rf"{key}: expected numbers from .* to .*, got"):
        with_settings(preset_named("vit-ti0"), {key: value})
