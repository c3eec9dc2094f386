"""Presets of the user's own."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from mu2net_core.api.context import Context
from mu2net_core.api.settings.foreign_settings import fitting_settings
from mu2net_core.api.settings.presets import chosen_preset, preset_names
from mu2net_core.api.settings.settings import effective_preset, unknown_settings
from mu2net_core.api.setup import config
from mu2net_core.api.setup.init import init
from mu2net_core.api.sharing.clone import clone
from mu2net_core.errors import AlreadyExistsError, InvalidInputError, Mu2netError, NotFoundError
from mu2net_core.objects import Limits
from mu2net_core.presets import PRESETS
from mu2net_core.repo import Config, create_repository, load_system, open_repository
from mu2net_core.testing.building.samples import SAMPLE_IDENTITY

MINE = """
[presets.mine]
base = "vit-ti0"
architecture = { width = 12, heads = 3, mlp = 24, image = 48, patch = 16 }
evolve = { children = 4 }
space = { num_layers = [0, 1, 2], structural = [] }
default = { num_layers = 1 }
"""
SIZES = {"image": 48, "patch": 16, "width": 12, "heads": 3, "mlp": 24, "channels": 3}


@pytest.fixture
def user(context: Context, tmp_path: Path):
    """Returns what makes a context whose user has a configuration: ``user("[presets.mine]...")``."""

    def make(text: str) -> Context:
        file = tmp_path / "user.toml"
        file.write_text(text)
        return replace(context, user_config=file)

    return make


def test_a_preset_of_the_users_is_the_base_with_settings(user) -> None:
    context = user(MINE)
    base, settings = chosen_preset("mine", context)
    assert base == PRESETS["vit-ti0"]
    assert settings == {
        **{f"architecture.{name}": size for name, size in SIZES.items() if name != "channels"},
        "evolve.children": 4,
        "space.num_layers": [0, 1, 2],
        "space.structural": [],
        "space.image_size": [16, 32, 48, 64, 80, 96, 112],
        "default.num_layers": 1,
        "default.image_size": 48,
    }
    assert preset_names(context) == tuple(sorted(["auto", *PRESETS, "mine"]))


def test_a_shipped_preset_has_no_settings(context: Context) -> None:
    assert chosen_preset("vit-b", context) == (PRESETS["vit-b"], {})
    assert preset_names(context) == tuple(sorted(["auto", *PRESETS]))


@pytest.mark.parametrize(
    ("table", "sizes", "start"),
    [
        ("architecture = { image = 40, patch = 8 }", [8, 16, 24, 32, 40, 48, 56], 40),
        ("architecture = { image = 128 }", [16, 32, 48, 64, 80, 96, 112, 128], 128),
        ("architecture = { patch = 32 }", [32, 64, 96, 128, 160, 192, 224], 32),
        ("architecture = { image = 64 }\nspace = { image_size = [64] }", [64], 64),
        ("architecture = { width = 96 }", None, None),
    ],
)
def test_sizes_of_images_follow_the_architecture_unless_they_are_given(user, table: str, sizes, start) -> None:
    _, settings = chosen_preset("mine", user(f'[presets.mine]\nbase = "vit-ti3"\n{table}'))
    assert (settings.get("space.image_size"), settings.get("default.image_size")) == (sizes, start)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ('mine = "vit-ti0"', "expected a table, got 'vit-ti0'"),
        ("mine = { }", "its base is None, expected one of bert-b, bert-s, convnet-128, convnet-16"),
        ('mine = { base = "vit-huge" }', "its base is 'vit-huge', expected one of"),
        ("mine = { base = 3 }", "its base is 3"),
        ('mine = { base = "mine" }', "its base is 'mine'"),
        ('mine = { base = "vit-b", evolv = { } }', "expected 'base' and the tables architecture.*, got evolv"),
        ('mine = { base = "vit-b", evolve = 3 }', "expected 'base' and the tables .*, got evolve"),
        ('mine = { base = "vit-b", evolve = { childs = 3 } }', r"there is no setting evolve\.childs"),
        ('mine = { base = "vit-b", space = { mu = { a = 1 } } }', r"there is no setting space\.mu\.a"),
        ('mine = { base = "vit-b", architecture = { depth = 3 } }', r"there is no setting architecture\.depth"),
        ('mine = { base = "vit-b", architecture = { channels = 1 } }', r"there is no setting architecture\.channels"),
        (
            'mine = { base = "vit-b", architecture = { width = "9" } }',
            r"architecture\.width: expected a whole number, got",
        ),
        ('mine = { base = "vit-b", architecture = { image = true } }', r"architecture\.image: expected a whole number"),
        ('mine = { base = "vit-b", evolve = { children = 0 } }', r"evolve\.children: expected a positive number"),
        ('mine = { base = "vit-b", scorer = { factor = 2.0 } }', "factor must lie in"),
        (
            'mine = { base = "vit-b", evolve = { method = "randm" } }',
            "expected mu2net-plus or random or tpe, got 'randm'",
        ),
        ('mine = { base = "vit-b", default = { mu = 0.123 } }', "is not one of"),
        ('mine = { base = "vit-b", default = { mu = 2026-01-01 } }', r"default\.mu: expected a number"),
        ('mine = { base = "vit-b", default = { image_size = 48 } }', r"default\.image_size is 48 and .*image is 80"),
        (
            'mine = { base = "vit-b", architecture = { image = 48 }, space = { image_size = [32] } }',
            "image_size: the default 48 is not one of",
        ),
    ],
)
def test_a_preset_that_cannot_be_right_is_refused_by_name_and_file(user, text: str, complaint: str) -> None:
    context = user(f"[presets]\n{text}")
    with pytest.raises(InvalidInputError, match=rf"^Cannot use the preset mine in .*user\.toml: .*{complaint}"):
        chosen_preset("mine", context)
    assert chosen_preset("vit-b", context)[1] == {}


def test_a_preset_must_not_have_the_name_of_a_shipped_one(user) -> None:
    with pytest.raises(InvalidInputError, match=r"preset vit-b in .*a preset that comes with mu2net has this name"):
        chosen_preset("vit-b", user('[presets.vit-b]\nbase = "vit-ti0"'))
    with pytest.raises(InvalidInputError, match="a preset that comes with mu2net has this name"):
        chosen_preset("auto", user('[presets.auto]\nbase = "vit-ti0"'))


def test_an_unknown_preset_lists_the_users_own_too(user) -> None:
    with pytest.raises(NotFoundError, match="No preset 'mien'") as caught:
        chosen_preset("mien", user(MINE))
    assert caught.value.hint == f"Presets: {', '.join(sorted(['auto', *PRESETS, 'mine']))}"


def test_presets_that_are_no_table_are_said(user) -> None:
    with pytest.raises(InvalidInputError, match=r"user\.toml: presets is no table"):
        preset_names(user("presets = 3"))


def test_init_makes_a_repository_of_the_base_with_the_sizes_in_its_settings(world, tmp_path: Path) -> None:
    here = world(MU2NET_SPACE_NUM_LAYERS="[0, 1, 2]")
    (tmp_path / "user.toml").write_text(MINE)
    context = replace(here.context, user_config=tmp_path / "user.toml")
    made = init(Path("repo"), context, preset="mine")
    assert made.preset == "mine"
    repo = open_repository(made.path)
    assert (repo.config.preset, repo.config.settings["architecture.width"]) == ("vit-ti0", 12)
    root = load_system(repo).roots[made.root_id]
    assert root.architecture.config == SIZES
    assert (root.hyperparameters["image_size"], root.hyperparameters["num_layers"]) == (48, 1)
    # What the user's file says later changes nothing, nor does a clone need it.
    clone("repo", Path("copy"), replace(context, user_config=None))
    copy = open_repository(tmp_path / "copy")
    assert copy.config.settings == repo.config.settings
    for found in (repo, copy):
        preset = effective_preset(found, replace(context, user_config=None))
        assert (preset.architecture.config, preset.training.children) == (SIZES, 4)
        assert preset.space.structural == ()


def test_an_interrupted_init_is_finished_by_the_same_choices_only(world, tmp_path: Path) -> None:
    here = world(MU2NET_SPACE_NUM_LAYERS="[0, 1, 2]")
    file = tmp_path / "user.toml"
    file.write_text(MINE + MINE.replace("mine", "wide").replace("width = 12", "width = 15"))
    context = replace(here.context, user_config=file)
    _, settings = chosen_preset("mine", context)
    create_repository(tmp_path / "repo", preset="vit-ti0", settings=settings)
    for other in ("wide", "vit-ti0"):
        with pytest.raises(AlreadyExistsError):
            init(Path("repo"), context, preset=other)
    assert init(Path("repo"), context, preset="mine").num_components == 5


@pytest.mark.parametrize(
    ("architecture", "complaint"),
    [
        ("width = 0", r"architecture\.width: expected a positive number, got 0"),
        ("width = 99999999999", "ViT: width: expected a whole number"),
        ("width = 100, heads = 7", "width 100 of heads 7"),
        ("width = 12000000, heads = 3", r"The root model would take \d+ bytes, over the limit"),
    ],
)
def test_sizes_that_cannot_be_built_leave_nothing_behind(world, tmp_path: Path, architecture, complaint) -> None:
    context = replace(world().context, user_config=tmp_path / "user.toml")
    (tmp_path / "user.toml").write_text(f'[presets.odd]\nbase = "vit-mini"\narchitecture = {{ {architecture} }}')
    with pytest.raises(InvalidInputError, match=complaint):
        init(Path("repo"), context, preset="odd")
    assert not (tmp_path / "repo").exists()


def test_sizes_are_chosen_once(user, tmp_path: Path) -> None:
    context = user("[settings.architecture]\nwidth = 24\n[settings.evolve]\nchildren = 3")
    context = replace(context, environ={"MU2NET_ARCHITECTURE_WIDTH": "48"})
    repo = create_repository(tmp_path / "repo", preset="vit-ti0", settings={"architecture": {"width": 12}})
    found = config.get(repo, context, "architecture.width")
    assert (found.value, found.origin) == (12, "repository")
    assert config.get(repo, context, "architecture.mlp").value == 768
    preset = effective_preset(repo, context)
    assert (preset.architecture.config["width"], preset.training.children) == (12, 3)
    for change in (
        lambda: config.set_(repo, context, "architecture.width", "24"),
        lambda: config.unset(repo, context, "architecture.width"),
    ):
        with pytest.raises(InvalidInputError, match=r"Cannot change architecture\.width: it is chosen once"):
            change()
    assert open_repository(repo.path).config.settings == {"architecture.width": 12}
    (warning,) = unknown_settings(repo, context)
    assert warning.startswith("MU2NET_ARCHITECTURE_WIDTH is no setting and does nothing")


def test_sizes_survive_other_settings_that_do_not_fit_here(context: Context) -> None:
    told: list[str] = []
    context = replace(context, warn=told.append)
    wrong = {"evolve.children": 0, "architecture.width": 12}
    taken = fitting_settings(Config(identity=SAMPLE_IDENTITY, preset="vit-ti0", settings=wrong), context)
    assert taken.settings == {"architecture.width": 12}
    assert "all settings of that repository but architecture.width: evolve.children" in told.pop()
    wrong["architecture.width"] = "wide"
    assert fitting_settings(Config(identity=SAMPLE_IDENTITY, preset="vit-ti0", settings=wrong), context).settings == {}


def test_settings_of_auto_that_fit_one_of_its_presets_are_taken_over(context: Context) -> None:
    told: list[str] = []
    context = replace(context, warn=told.append)
    images = {"space.num_layers": [2], "space.structural": []}  # a preset for tables begins with 3
    theirs = Config(identity=SAMPLE_IDENTITY, preset="auto", settings=images)
    assert (fitting_settings(theirs, context).settings, told) == (images, [])
    wrong = replace(theirs, settings={"space.num_layers": [99]})
    assert fitting_settings(wrong, context).settings == {}
    assert len(told) == 1


def test_errors_of_presets_are_ours_whatever_the_file_holds(user) -> None:
    for text in (
        "",
        "[presets]",
        "[presets.mine]",
        "[[presets.mine]]",
        '[presets.mine.base]\na = "vit-b"',
        "presets = [",
    ):
        with pytest.raises(Mu2netError):
            chosen_preset("mine", user(text))
    assert json.dumps(chosen_preset("mine", user(MINE))[1])


@pytest.mark.parametrize(
    ("key", "value", "reason"),
    [
        ("evolve.children", 1_000_000, "it is 1000000; of others up to 1000 is taken over"),
        ("evolve.generations", 1001, "up to 1000"),
        ("evolve.validations", 10**15, "up to 1000"),
        ("evolve.batch_size", 10**6, "up to 100000"),
        ("evolve.samples_cap", 10**12, "up to 100000000"),
        ("evolve.population_cap", 10**5, "up to 10000"),
        ("space.num_layers", [0, 9999], "it is 9999; of others up to 7"),
        ("default.num_layers", 8, "up to 7"),
        ("space.image_size", [32, 64], "up to 48"),
        ("space.learning_rate", [0.1] * 257, "it lists 257 values; expected up to 256"),
    ],
)
def test_settings_of_others_that_ask_for_too_much_are_left_out(
    key: str, value: int | list[float], reason: str, context: Context
) -> None:
    told: list[str] = []
    context = replace(context, warn=told.append)
    theirs = Config(identity=SAMPLE_IDENTITY, preset="vit-ti0", settings={key: value, "scorer.factor": 0.2})
    taken = fitting_settings(theirs, context, Limits(layers=7, image_side=48))
    assert taken.settings == {"scorer.factor": 0.2}
    (warning,) = told
    assert warning.startswith(f"left out the setting {key} of that repository: ")
    assert reason in warning
