"""What add-task says of a new task in the system it comes to, and what others see of where its data lies."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mu2net_core.api.context import Context
from mu2net_core.api.looking.show import show
from mu2net_core.api.machine.runtime import split_at
from mu2net_core.api.setup import config
from mu2net_core.api.tasks import examine as examine_module
from mu2net_core.api.tasks.add_task import add_task
from mu2net_core.api.tasks.options import TaskOptions
from mu2net_core.data import Described, Resident, absolute_uri, describe_task, shared_uri
from mu2net_core.errors import DataError, InvalidInputError, NotFoundError
from mu2net_core.nn import InputSpec
from mu2net_core.repo import Repository
from mu2net_core.testing.building.samples import sample_repository

SMALL = InputSpec.image(8)


@pytest.fixture
def told() -> list[str]:
    return []


@pytest.fixture
def listening(context: Context, told: list[str]) -> Context:
    return replace(context, warn=told.append)


def save_photos(folder: Path, *, side: int = 8, count: int = 60) -> Path:
    """Makes a folder with two classes of pictures that differ."""
    rng = np.random.default_rng(0)
    for number in range(count):
        file = folder / "ab"[number % 2] / f"{number}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 256, (side, side, 3)).astype(np.uint8)).save(file)
    return folder


def test_good_data_is_added_without_a_word(
    repo: Repository, listening: Context, told: list[str], tmp_path: Path
) -> None:
    save_photos(tmp_path / "photos")
    add_task(repo, listening, "folder:photos")
    assert told == []


def test_of_a_path_the_task_has_the_last_part_and_no_object_the_rest(
    repo: Repository, context: Context, tmp_path: Path
) -> None:
    place = save_photos(tmp_path / "home-of-ann" / "photos")
    head = add_task(repo, context, "folder:home-of-ann/photos")
    assert head.task.source == "folder:photos"
    assert repo.config.settings["data.photos"] == f"folder:{place}"
    assert "data.photos" not in repo.config.shared_settings
    files = [file for file in repo.path.rglob("*") if file.is_file() and file.name != "config.toml"]
    assert files
    assert not [file for file in files if b"home-of-ann" in file.read_bytes()]
    assert show(repo, "photos").data_here == f"folder:{place}"
    assert isinstance(split_at(repo, context, head.task, "test", SMALL), Resident)


def test_examples_come_as_the_model_takes_them_and_are_refused_to_one_that_takes_others(
    repo: Repository, context: Context, tmp_path: Path
) -> None:
    save_photos(tmp_path / "photos")
    task = add_task(repo, context, "folder:photos").task
    for input_spec in (SMALL, InputSpec.image(6, 1), InputSpec(kind="image", shape=(4, 6, 3), dtype="uint8")):
        (resident,) = split_at(repo, context, task, "test", input_spec).in_order(chunk=100)
        (streamed,) = split_at(repo, context, task, "test", input_spec, resident_bytes=0).in_order(chunk=100)
        assert resident.inputs.shape[1:] == streamed.inputs.shape[1:] == input_spec.shape
    with pytest.raises(DataError, match="of photos are of the kind image; the model takes text of 5 numbers"):
        split_at(repo, context, task, "test", InputSpec(kind="text", shape=(5,), dtype="int32"))


def test_the_same_data_in_different_places_is_the_same_task(repo: Repository, context: Context, tmp_path: Path) -> None:
    other = sample_repository(tmp_path / "other")
    save_photos(tmp_path / "home-of-ann" / "photos")
    shutil.copytree(tmp_path / "home-of-ann" / "photos", tmp_path / "data" / "of-bob" / "photos")
    first = add_task(repo, context, "folder:home-of-ann/photos")
    second = add_task(other, replace(context, cwd=tmp_path / "data"), "folder:../data/of-bob/photos")
    assert first.commit.task_id == second.commit.task_id


def test_where_nobody_said_where_the_data_lies_the_command_to_say_it_works(
    repo: Repository, context: Context, tmp_path: Path
) -> None:
    place = save_photos(tmp_path / "elsewhere" / "photos")
    task = add_task(repo, context, "folder:elsewhere/photos").task
    config.unset(repo, context, "data.photos")
    with pytest.raises(DataError, match="The data of the task photos is folder:photos") as error:
        split_at(repo, context, task, "test", SMALL)
    assert error.value.hint == "mu2net config set data.photos folder:PATH"
    shutil.move(place, repo.worktree / "photos")
    with pytest.raises(DataError) as error:
        split_at(repo, context, task, "test", SMALL)
    command = str(error.value.hint).split()
    assert command[:4] == ["mu2net", "config", "set", "data.photos"]
    config.set_(repo, context, command[3], command[4])
    assert isinstance(split_at(repo, context, task, "test", SMALL), Resident)


def test_data_that_moved_away_names_the_kind_of_place_to_set(
    repo: Repository, context: Context, tmp_path: Path
) -> None:
    place = save_photos(tmp_path / "photos")
    task = add_task(repo, context, "folder:photos").task
    shutil.move(place, tmp_path / "moved")
    with pytest.raises(DataError, match="No such folder") as error:
        split_at(repo, context, task, "test", SMALL)
    assert str(error.value.hint).endswith("mu2net config set data.photos folder:PATH")


def test_a_setting_that_names_no_data_is_blamed(repo: Repository, context: Context, tmp_path: Path) -> None:
    place = save_photos(tmp_path / "photos")
    task = add_task(repo, context, "folder:photos").task
    repo.update_config(lambda found: found.with_setting("data.photos", f"dir:{place}"))
    with pytest.raises(DataError, match=r"The setting data\.photos names no data") as error:
        split_at(repo, context, task, "test", SMALL)
    assert str(error.value.hint).endswith(f"folder:{place}")


def test_the_same_examples_as_another_task_are_told(
    repo: Repository, listening: Context, told: list[str], tmp_path: Path
) -> None:
    save_photos(tmp_path / "photos")
    add_task(repo, listening, "folder:photos")
    add_task(repo, listening, "folder:photos", TaskOptions(name="again"))
    assert told == ["the task photos has the same examples in the same splits"]
    add_task(repo, listening, "folder:photos", TaskOptions(name="other", train="all[:10]"))
    assert len(told) == 1


@pytest.mark.parametrize(
    ("preset", "side", "ways"),
    [
        ("vit-mini", 16, ["models of the preset vit-mini see 8 x 8;", "vit-ti0 up to 112"]),
        (
            "vit-ti0",
            230,
            ["see 32 x 32, at most 112 x 112;", "'[16, 32, 48, 64, 80, 96, 112, 224]'", "vit-l up to 384"],
        ),
    ],
)
def test_pictures_much_larger_than_models_see_are_told_with_what_sees_more(
    repo: Repository, listening: Context, told: list[str], tmp_path: Path, preset: str, side: int, ways: list[str]
) -> None:
    repo.update_config(lambda found: replace(found, preset=preset))
    save_photos(tmp_path / "photos", side=side)
    add_task(repo, listening, "folder:photos")
    assert told[0].startswith(f"a typical image has {side} x {side} pixels")
    assert all(way in told[0] for way in ways)
    if "config set" in told[0]:
        value = told[0].partition("space.image_size '")[2].partition("'")[0]
        config.set_(repo, listening, "space.image_size", value)
        add_task(repo, listening, "folder:photos", TaskOptions(name="again"))
        assert told[1:] == ["the task photos has the same examples in the same splits"]


@pytest.fixture
def catalogue(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[str], None]:
    """Returns what lets a catalogue know one data set, given its full name."""

    def know(source: str) -> None:
        np.savez(tmp_path / "known.npz", x=np.arange(60 * 64).astype(np.uint8).reshape(60, 8, 8), y=np.arange(60) % 2)
        known = describe_task(f"npz:{tmp_path / 'known.npz'}")

        def describe(uri: str, *, name: str, **_: object) -> Described:
            return replace(known, notes=(), task=replace(known.task, source=source, name=name))

        monkeypatch.setattr(examine_module, "describe_task", describe)

    return know


@pytest.mark.parametrize("given", ["cmaterdb", "tfds:cmaterdb", "cmaterdb:1.0.0"])
def test_the_configuration_that_was_chosen_is_told(
    repo: Repository, listening: Context, told: list[str], catalogue: Callable[[str], None], given: str
) -> None:
    catalogue("tfds:cmaterdb/bangla:1.0.0")
    add_task(repo, listening, given)
    assert told == [
        "cmaterdb has several configurations: this is cmaterdb/bangla (to choose: mu2net add-task cmaterdb/CONFIG)"
    ]
    add_task(repo, listening, "cmaterdb/bangla")
    assert told[1:] == ["the task cmaterdb has the same examples in the same splits"]


def test_a_folder_of_the_same_name_as_a_catalogues_data_set_is_told(
    repo: Repository, listening: Context, told: list[str], catalogue: Callable[[str], None], tmp_path: Path
) -> None:
    catalogue("tfds:mnist:3.0.1")
    save_photos(tmp_path / "mnist")
    add_task(repo, listening, "mnist")
    assert told == [
        "this is mnist of the catalogue, not a folder of that name here. If you mean the folder of images: folder:mnist"
    ]


@pytest.mark.parametrize(
    ("given", "error", "kind", "hint"),
    [
        ("photos", NotFoundError("Unknown data set"), InvalidInputError, "folder:photos"),
        ("dat/f3", NotFoundError("Unknown data set", hint="Did you mean dtd?"), InvalidInputError, "folder:dat/f3"),
        ("photos", DataError("Not prepared.", hint="Prepare it."), DataError, "Prepare it. If you mean the folder"),
        ("tfds:photos", NotFoundError("Unknown data set"), InvalidInputError, "folder:photos"),
        ("dtf", NotFoundError("Unknown data set", hint="Did you mean dtd?"), NotFoundError, "Did you mean dtd?"),
    ],
)
def test_a_path_that_is_there_wins_over_near_names_of_the_catalogue(
    repo: Repository, context: Context, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    given: str, error: NotFoundError | DataError, kind: type[Exception], hint: str,
) -> None:  # fmt: skip
    def fail(*_: object, **__: object) -> Described:
        raise error

    monkeypatch.setattr(examine_module, "describe_task", fail)
    for name in ("photos", "dat/f3"):
        save_photos(tmp_path / name, count=2)
    with pytest.raises(kind) as caught:
        add_task(repo, context, given)
    assert hint in str(caught.value.hint)  # type: ignore[attr-defined]


def test_every_name_of_a_path_is_the_last_part(tmp_path: Path) -> None:
    save_photos(tmp_path / "x" / "photos", count=2)
    for given in ("folder:x/photos", "folder:x/photos/", "folder:./x/../x/photos", f"folder:{tmp_path}/x/photos"):
        assert shared_uri(absolute_uri(given, tmp_path)) == "folder:photos"
    assert shared_uri("npz:/home/ann/a b.npz") == "npz:a b.npz"
    assert shared_uri("folder:/") == "folder:folder"
    assert shared_uri("tfds:cmaterdb/bangla:1.0.0") == "tfds:cmaterdb/bangla:1.0.0"
