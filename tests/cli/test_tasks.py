"""add-task, rm-task, tasks."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image


@pytest.fixture(autouse=True)
def repository(empty_repo: Path, monkeypatch) -> Path:
    monkeypatch.chdir(empty_repo)
    return empty_repo


def test_a_task_is_added_and_listed(run) -> None:
    added = run("add-task", "sklearn:digits")
    assert added.code == 0
    assert "Added task digits (public): 10 classes" in added.out
    assert "Next: mu2net evolve --task digits" in added.err
    assert run("tasks").rows() == [["digits", "sklearn:digits", "10 classes", "1078/360/359", "public", "0", "-", "-"]]


def test_a_terminal_of_80_columns_gets_each_task_on_a_line_unless_all_is_asked_for(run, monkeypatch) -> None:
    run("add-task", "sklearn:digits/five-or-more", "--private")
    piped = run("tasks").rows()
    assert run("tasks", "--wide").rows() == piped
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("TERM", "dumb")
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    drawn = run("--no-color", "tasks").out.splitlines()
    assert [line.split() for line in drawn] == [
        ["task", "output", "examples", "access", "validation", "test"],
        ["digits/five-or-more", "2", "classes", "1078/360/359", "private", "-", "-"],
    ]
    assert max(map(len, drawn)) <= 80
    monkeypatch.setenv("COLUMNS", "200")
    assert "sklearn:digits/five-or-more" in run("--no-color", "tasks", "--wide").out


def test_tasks_as_json(run) -> None:
    run("add-task", "sklearn:digits", "--private")
    (info,) = run("tasks", "--json").json()
    assert (info["name"], info["private"], info["readers"]) == ("digits", True, ["digits"])
    assert info["num_examples"] == {"train": 1078, "validation": 360, "test": 359}


@pytest.mark.parametrize(
    ("options", "access"),
    [([], "public"), (["--private"], "private"), (["--readers", "team-b,team-a"], "readers team-a,team-b")],
)
def test_access_is_shown(run, options, access) -> None:
    assert run("add-task", "sklearn:digits", *options).code == 0
    assert run("tasks").rows()[0][4] == access


def test_splits_and_name_can_be_chosen(run) -> None:
    options = ["--name", "mine", "--train", "all[:100]", "--validation", "all[100:150]", "--test", "all[150:170]"]
    assert run("add-task", "sklearn:digits", *options).code == 0
    assert run("tasks").rows()[0][3] == "100/50/20"


@pytest.mark.parametrize(
    ("args", "code", "message"),
    [
        (["sklearn:digit"], 3, "Did you mean sklearn:digits?"),
        (["cmaterdb/bangle"], 3, "cmaterdb"),
        (["nope:digits"], 3, "Unknown kind of data source 'nope'"),
        (["folder:nowhere"], 3, "nowhere"),
        (["sklearn:digits", "--test", "nope"], 6, "nope"),
        (["sklearn:digits", "--test", "all[5"], 2, "all[5"),
        (["sklearn:digits", "--test", "all[3:3]"], 6, "test"),
        (["sklearn:digits", "--name", "Bad Name"], 2, "Not a task name: 'Bad Name'"),
        (["sklearn:digits", "--name", "a" * 101], 2, "each of at most 100 characters"),
        (["sklearn:digits", "--private", "--readers", "a"], 2, "either private or has readers"),
        (["sklearn:digits", "--depth", "2"], 2, "--depth"),
    ],
)
def test_what_cannot_be_added(run, args, code, message) -> None:
    result = run("add-task", *args)
    assert result.code == code, result.err
    assert result.err.startswith("error: ")
    assert message in result.err
    assert run("tasks").out == ""


def test_a_task_exists_already(run) -> None:
    run("add-task", "sklearn:digits")
    result = run("add-task", "sklearn:digits")
    assert result.code == 4
    assert "There is a task digits already." in result.err
    assert "--name" in result.err


def image_folder(folder: Path, classes: list[str], per_class: int = 12) -> Path:
    """Makes ``folder`` with one sub-folder of PNG images per class."""
    for value, name in enumerate(classes):
        (folder / name).mkdir(parents=True)
        for number in range(per_class):
            pixels = np.full((8, 8), value * 60 + number, np.uint8)
            Image.fromarray(pixels).save(folder / name / f"{number}.png")
    return folder


def test_a_folder_of_images(run, tmp_path: Path) -> None:
    image_folder(tmp_path / "shapes", ["circle", "square"])
    assert run("add-task", f"folder:{tmp_path / 'shapes'}").code == 0
    row = run("tasks").rows()[0]
    assert (row[0], row[2]) == ("shapes", "2 classes")


def test_a_corrupt_image_is_named_and_can_be_left_out(run, tmp_path: Path) -> None:
    folder = image_folder(tmp_path / "shapes", ["circle", "square"])
    (folder / "circle" / "3.png").write_bytes(b"not an image")
    refused = run("add-task", f"folder:{folder}")
    assert refused.code == 6
    assert "circle/3.png" in refused.err
    assert "--skip-bad" in refused.err
    taken = run("add-task", f"folder:{folder}", "--skip-bad")
    assert taken.code == 0
    assert f"left out {folder / 'circle' / '3.png'}" in taken.err


@pytest.mark.parametrize("classes", [[], ["only"]])
def test_fewer_than_two_classes(run, tmp_path: Path, classes) -> None:
    (tmp_path / "shapes").mkdir()
    folder = image_folder(tmp_path / "shapes", classes)
    result = run("add-task", f"folder:{folder}")
    assert result.code == 6
    assert "class" in result.err


def test_removing_needs_a_yes(run) -> None:
    run("add-task", "sklearn:digits")
    result = run("rm-task", "digits")
    assert result.code == 2
    assert "mu2net rm-task digits --yes" in result.err
    assert len(run("tasks").rows()) == 1


def test_a_removed_task_keeps_its_history(run) -> None:
    run("add-task", "sklearn:digits")
    assert run("rm-task", "digits", "--yes").code == 0
    assert run("tasks").out == ""
    assert run("tasks", "--removed").rows()[0][4] == "removed"
    assert run("log", "digits", "--oneline").out.splitlines()[-1].endswith("add task digits")


def test_a_task_that_is_added_again_says_what_became_of_its_model(
    run, trained_world: Path, tmp_path: Path, monkeypatch
) -> None:
    monkeypatch.chdir(shutil.copytree(trained_world, tmp_path / "trained"))
    row = run("leaderboard").rows()[0]
    run("rm-task", "digits", "--yes")
    added = run("add-task", "sklearn:digits")
    assert "takes up its last model again" in added.out
    assert run("leaderboard").rows()[0] == row
    run("rm-task", "digits", "--yes")
    other = run("add-task", "sklearn:digits", "--train", "all[:100]")
    assert "without a model: none was made for this very task" in other.out


def test_an_unknown_task_gets_near_names(run) -> None:
    run("add-task", "sklearn:digits")
    result = run("rm-task", "digit", "--yes")
    assert result.code == 3
    assert "Did you mean digits?" in result.err


def test_show_says_in_words_what_goes_in_and_where_the_data_lies_here(run, tmp_path: Path) -> None:
    for number in range(24):
        file = tmp_path / "shapes" / "ab"[number % 2] / f"{number}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full((8 + number % 3, 8 + number % 4, 3), number, np.uint8)).save(file)
    assert run("add-task", f"folder:{tmp_path / 'shapes'}").code == 0
    shown = run("show", "shapes").out
    assert "input:           images of several sizes, 3 channels\n" in shown
    assert "data:            folder:shapes\n" in shown
    assert f"here:            folder:{tmp_path / 'shapes'}\n" in shown
    image_folder(tmp_path / "even", ["a", "b"])
    assert run("add-task", f"folder:{tmp_path / 'even'}").code == 0
    assert "input:           images 8x8, 1 channel\n" in run("show", "even").out


def test_what_is_remarkable_about_new_data_is_a_warning_each(run, tmp_path: Path) -> None:
    images = np.arange(40 * 64).astype(np.uint8).reshape(40, 8, 8)
    np.savez(tmp_path / "few.npz", x_train=images[:30], y_train=np.arange(30) % 2 + 1, x_test=images[:10],
             y_test=[1, 2, 3, 1, 2] * 2)  # fmt: skip
    result = run("add-task", f"npz:{tmp_path / 'few.npz'}")
    assert result.code == 0
    assert "warning: the labels begin at 1: the 3 classes are named as they are, 1, 2, 3\n" in result.err
    assert "warning: no training examples of 1 of 3 classes: 3 (2 test)\n" in result.err
    assert "10 test images are exact copies of training images" in result.err
    assert "warning" not in result.out
