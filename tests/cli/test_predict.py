"""predict on folders, on stdin, on lists of names; eval with details."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import pytest

from mu2net_core.api.models.demo import write_images
from mu2net_core.objectives import Classify


@pytest.fixture
def images(tmp_path: Path) -> Path:
    """Returns a folder ``images`` beside the repository, with three images."""
    write_images("sklearn:digits", tmp_path / "images", 3)
    return tmp_path / "images"


def give(monkeypatch: pytest.MonkeyPatch, data: bytes) -> None:
    """Lets ``data`` come on stdin."""
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))


def test_a_list_with_a_broken_file_is_predicted_but_for_that(run, trained_repo: Path, images: Path) -> None:
    here = ("-C", trained_repo, "predict", "digits")
    alone = run(*here, "../images").rows()
    assert [row[0] for row in alone] == ["../images/00.png", "../images/01.png", "../images/02.png"]
    (images / "01 b.png").write_text("not an image")
    names = sorted(f"../images/{path.name}" for path in images.iterdir())
    result = run(*here, *names, "../none.png")
    assert result.code == 6
    assert result.rows() == alone
    first, second, last = result.err.splitlines()
    assert "01 b.png" in first
    assert "none.png" in second
    assert last == "error: 2 of 5 images could not be used; the other 3 were."
    assert "error: 1 of 2 images could not be used; the other 1 was." in run(*here, names[0], "../none.png").err


def test_json_has_an_item_for_every_image(run, trained_repo: Path, images: Path) -> None:
    (images / "01b.png").write_text("not an image")
    result = run("-C", trained_repo, "predict", "digits", "../images", "--json")
    assert result.code == 6
    items = result.json()
    assert [Path(item["path"]).name for item in items] == ["00.png", "01.png", "01b.png", "02.png"]
    assert ["error" in item for item in items] == [False, False, True, False]
    assert items[2]["error"]["kind"] == "data"
    assert "1 of 4 images could not be used" in result.err


def test_nothing_usable_is_an_error(run, trained_repo: Path, images: Path, tmp_path: Path) -> None:
    here = ("-C", trained_repo, "predict", "digits")
    (tmp_path / "empty").mkdir()
    result = run(*here, "../empty", "../none.png")
    assert (result.code, result.out) == (6, "")
    assert "2 of 2 images could not be used; none could" in result.err
    assert run(*here).code == 2
    alone = run(*here, "../empty").err
    assert alone.startswith("error: No images in the folder ../empty")
    assert len(alone.splitlines()) == 1


def test_an_image_comes_on_stdin(run, trained_repo: Path, images: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    here = ("-C", trained_repo, "predict", "digits")
    ((_, *expected),) = run(*here, "../images/02.png").rows()
    give(monkeypatch, (images / "02.png").read_bytes())
    assert run(*here, "-").rows() == [["-", *expected]]
    give(monkeypatch, b"")
    assert run(*here, "-").code == 6


@pytest.mark.parametrize("end", ["\n", "\r\n", "\0"])
def test_names_come_from_a_list(run, trained_repo: Path, images: Path, monkeypatch, end: str) -> None:
    here = ("-C", trained_repo, "predict", "digits")
    (images / "00.png").rename(images / "\u00e9 f.png")
    names = ["../images/02.png", "../images/\u00e9 f.png"]
    expected = run(*here, *names).rows()
    give(monkeypatch, end.join([*names, ""]).encode())
    assert run(*here, "--paths-from", "-").rows() == expected
    (trained_repo / "list").write_text(end.join(names), newline="")
    assert run(*here, "--paths-from", "list").rows() == expected
    assert run(*here, "-", "--paths-from", "-").code == 2
    assert run(*here, "--paths-from", "nowhere").code == 3


def test_a_name_with_a_newline_stays_on_its_line(run, trained_repo: Path, images: Path) -> None:
    (images / "00.png").rename(images / "a\nb\tc.png")
    rows = run("-C", trained_repo, "predict", "digits", "../images").rows()
    assert [row[0] for row in rows] == ["../images/01.png", "../images/02.png", "../images/a\\nb\\tc.png"]
    assert all(len(row) == 3 for row in rows)


def test_eval_tells_classes_confusions_and_wrong_examples(run, trained_repo: Path) -> None:
    here = ("-C", trained_repo, "eval", "digits")
    plain = run(*here)
    assert dict(plain.rows())["95% interval"].count("%") == 2
    report = run(*here, "--by-class", "--wrong", "--json").json()
    printed = run(*here, "--by-class", "--wrong")
    fields, classes, confused, wrong = printed.out.split("\n\n")
    assert f"{fields}\n" == plain.out
    assert [line.split("\t")[0] for line in classes.splitlines()] == [str(digit) for digit in range(10)]
    assert len(confused.splitlines()) == 10
    assert f"{len(report['confused']) - 10} more pairs of classes are confused" in printed.err
    assert len(wrong.splitlines()) == len(report["wrong"]) == report["num_examples"] - report["correct"]
    low, high = report["interval"]
    assert low < report["accuracy"] < high


def test_eval_warns_of_a_model_at_chance_and_only_of_such_a_one(
    run, trained_repo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = ("-C", trained_repo, "eval", "digits")
    assert "warning" not in run(*here).err
    monkeypatch.setattr(Classify, "is_chance", lambda *_: True)
    told = run(*here)
    assert "warning: no better than always saying the most frequent class, 12.53%" in told.err
    assert told.code == 0
    assert run(*here, "--json").json()["at_chance"] is True
