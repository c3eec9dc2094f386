from __future__ import annotations

import pytest

from mu2net_core.engine import schedule_of
from mu2net_core.errors import InvalidInputError
from mu2net_core.nn import family_named
from mu2net_core.objects import Classes, Column, Image, Input, Number, Table, Text
from mu2net_core.presets import AUTO, AUTO_PRESETS, PRESETS, choose, preset_named

CLASSES, NUMBER = Classes(names=("no", "yes")), Number(mean=0.0, deviation=1.0)


def image(channels: int = 3) -> Image:
    return Image(height=None, width=None, channels=channels)


@pytest.mark.parametrize(
    ("what", "size", "channels", "preset"),
    [
        ("digits of scikit-learn", (8, 8), 1, "convnet-8"),
        ("the largest tiny images", (12, 12), 3, "convnet-8"),
        ("digits of 16 pixels", (16, 16), 1, "convnet-16"),
        ("characters of MNIST", (28, 28), 1, "convnet-32"),
        ("characters of CMATERdb", (32, 32), 3, "convnet-32"),
        ("CIFAR", (32, 32), 3, "convnet-32"),
        ("drawings of Omniglot", (105, 105), 1, "convnet-32"),
        ("words in one line, whose longer side counts", (20, 60), 3, "convnet-64"),
        ("photos of 64 pixels", (64, 64), 3, "convnet-64"),
        ("photos of 96 pixels", (96, 96), 3, "convnet-128"),
        ("photos of 1000 x 800 pixels", (800, 1000), 3, "convnet-128"),
        ("X-rays", (1024, 1024), 1, "convnet-128"),
    ],
)
def test_what_images_look_like_chooses_the_preset(what: str, size: tuple[int, int], channels: int, preset: str) -> None:
    choice = choose(image(channels), CLASSES, size, 60_000)
    assert choice.preset == preset, what
    assert f"{size[1]} x {size[0]} pixels" in choice.why


def test_characters_of_28_and_32_pixels_share_a_preset_so_that_they_share_layers() -> None:
    kinds = ((image(1), (28, 28)), (image(3), (32, 32)), (image(1), (105, 105)))
    assert len({choose(given, CLASSES, size, 60_000).preset for given, size in kinds}) == 1


@pytest.mark.parametrize("given", [Text(max_length=80), image()])
def test_what_no_preset_takes_is_told_with_the_way_out(given: Input) -> None:
    with pytest.raises(InvalidInputError, match=f"no preset for examples of the kind {given.kind}") as info:
        choose(given, CLASSES, None, 60_000)
    assert "add-task DATASET --preset NAME" in str(info.value.hint)


SIDES = {(8, 8): 1, (28, 28): 1, (64, 64): 3, (800, 1000): 3}
"""Sizes of images, and their channels."""


@pytest.mark.parametrize("examples", [50, 240, 5_000, 60_000, 500_000])
@pytest.mark.parametrize("size", SIDES)
def test_more_examples_never_get_fewer_steps_few_get_enough_and_very_many_a_bounded_number(
    size: tuple[int, int], examples: int
) -> None:
    training = preset_named(choose(image(SIDES[size]), CLASSES, size, 60_000).preset).training
    least = 1_800 if size == (28, 28) else 960
    found = [schedule_of(count, training) for count in (examples, 2 * examples)]
    assert {schedule.batch for schedule in found} == {32}
    assert found[0].steps <= found[1].steps
    assert found[0].steps == min(max(-(-3 * examples // 32), least), 8 * least)


@pytest.mark.parametrize("classes", [2, 20, 1_000])
@pytest.mark.parametrize("size", SIDES)
def test_every_number_of_classes_gets_a_model_that_is_within_the_limits(size: tuple[int, int], classes: int) -> None:
    preset = preset_named(choose(image(SIDES[size]), CLASSES, size, 60_000).preset)
    family = family_named(preset.architecture.name)
    specs = family.layers(preset.architecture.config, preset.space.defaults, classes)
    assert family.num_outputs(specs) == classes
    assert family.flops(tuple(map(family.roomy, specs))) <= 10 * family.flops(specs[:-1])
    assert family.activations(specs) * 4 * 32 < 2**28  # bytes of a batch in the largest layer


STEPS = {
    **dict.fromkeys(("table-8", "table-16"), 150),
    **dict.fromkeys((name for name in AUTO_PRESETS if name.startswith("curves-")), 600),
    "text-128": 100,
    "text-256": 50,
    "table-32": 100,
    "table-64": 60,
    "table-128": 40,
    "table-256": 30,
}


@pytest.mark.parametrize(
    ("columns", "values", "preset"),
    [
        (1, 0, "table-8"),
        (8, 0, "table-8"),
        (9, 0, "table-16"),
        (8, 15, "table-16"),
        (19, 2, "table-32"),
        (256, 0, "table-256"),
    ],
)
def test_what_a_table_has_room_in_chooses_the_preset(columns: int, values: int, preset: str) -> None:
    told = tuple(map(str, range(values))) or None
    table = Table(columns=tuple(Column(name=str(n), values=told) for n in range(columns)))
    for output, rows in ((CLASSES, 60), (NUMBER, 2_001)):
        choice = choose(table, output, None, rows)
        assert choice.preset == preset
        assert choice.why.endswith("values to be told apart")
        assert f"{columns} columns go in" in choice.why
    few = choose(table, NUMBER, None, 2_000)
    assert few.preset == preset.replace("table", "curves")
    assert "a number is learned from 2000 rows" in few.why


@pytest.mark.parametrize("name", [name for name in AUTO_PRESETS if name.startswith("curves-")])
def test_models_of_curves_have_no_blocks_and_grow_none(name: str) -> None:
    few, usual = preset_named(name), preset_named(name.replace("curves", "table"))
    assert few.architecture.config == usual.architecture.config
    layers = family_named("curves").layers(few.architecture.config, few.space.defaults, 2)
    assert [spec.name for spec in layers] == ["column_embedding", "token_sum", "head"]
    assert (few.space.structural, few.space.values["num_layers"], few.space.crossing) == ((), (0,), False)
    assert few.training.validations == 1  # the best of several on few rows would be the luckiest


def test_a_table_of_more_columns_than_any_preset_has_room_for_is_told_with_the_way_out() -> None:
    with pytest.raises(InvalidInputError, match="No preset has room for 257 columns") as info:
        choose(Table(columns=tuple(Column(name=str(n), values=None) for n in range(257))), CLASSES, None, 9)
    assert "--leave-out" in str(info.value.hint)


@pytest.mark.parametrize("name", STEPS)
@pytest.mark.parametrize("examples", [50, 500_000])
def test_texts_and_tables_get_as_many_steps_however_many_there_are(name: str, examples: int) -> None:
    schedule = schedule_of(examples, preset_named(name).training)
    training = preset_named(name).training
    assert schedule.steps == training.min_steps == STEPS[name]
    assert schedule.batch == (training.batch_size if examples > 10_000 else 32)


def test_auto_is_no_preset_itself_and_chooses_among_those_that_come_with_mu2net() -> None:
    assert AUTO not in PRESETS
    assert set(AUTO_PRESETS) <= set(PRESETS)
