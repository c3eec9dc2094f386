"""add-task --preview: what a data set would be, on the terminal, as a page, as a contact sheet; nothing is added."""

from __future__ import annotations

import re
import sys
from dataclasses import fields
from pathlib import Path

import pytest
from PIL import Image

from mu2net_core.api.tasks import contact_sheet, preview
from mu2net_core.api.tasks.options import TaskOptions


@pytest.fixture(autouse=True)
def repository(empty_repo: Path, monkeypatch) -> Path:
    monkeypatch.chdir(empty_repo)
    return empty_repo


@pytest.fixture
def photos(repository: Path) -> Path:
    for number in range(20):
        folder = repository / "photos" / ("cat" if number % 4 else "<script>x")
        folder.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (40, 30), (255, 0, 0) if number % 4 else (0, 0, 255)).save(folder / f"{number}.png")
    return repository / "photos"


@pytest.fixture
def texts(run, monkeypatch) -> Path:
    """Returns a file of texts in a repository of ``auto``."""
    run("init", "auto", "--preset", "auto")
    monkeypatch.chdir("auto")
    lines = [f'"words of the number {n}, & <b>more</b>",{"ab"[n % 2]}' for n in range(40)]
    Path("texts.csv").write_text("\n".join(["text,label", *lines]))
    return Path("texts.csv")


def test_a_preview_tells_splits_classes_examples_and_warnings_and_adds_nothing(run, photos: Path) -> None:
    ran = run("add-task", "./photos", "--preview")
    assert ran.code == 0
    assert re.search(r"train +12 examples +all\[40%:\]", ran.out)
    assert re.search(r"cat: \d+ train, \d+ validation, \d+ test", ran.out)
    assert "typically 40 x 30 pixels" in ran.out
    assert re.search(r"photos/cat/\d+\.png: 40 x 30 -> cat", ran.out)
    assert "warning: all images of a class are equal" in ran.err
    assert "Nothing was added" in ran.err
    assert run("tasks").rows() == []
    assert run("add-task", "./photos").code == 0


def test_every_option_of_the_command_line_arrives_in_what_is_said_of_the_data(run, monkeypatch) -> None:
    said = list[TaskOptions]()
    monkeypatch.setattr(preview, "examine", lambda repo, context, uri, options: said.append(options) or sys.exit(9))
    names = "name train validation test target split_by group_by time_by image output label_separator separator decimal"
    wanted = {name: f"<{name}>" for name in [*names.split(), "encoding", "metric", "class_weights", "preset"]}
    given = {f"--{name.replace('_', '-')}": value for name, value in wanted.items()}
    plural = {"--readers": "r,q", "--columns": "a,b", "--leave-out": "c,d", "--kind": "a=date"}
    words = [
        str(word)
        for option, value in {**given, **plural, "--depth": 2, "--range": "0:9"}.items()
        for word in (option, value)
    ]
    switches = ["--private", "--skip-bad", "--skip-stray", "--no-header", "--no-quotes", "--data-dir", "/data"]
    run("add-task", "x.csv", "--preview", *words, *switches)
    several = {"readers": ("r", "q"), "columns": ("a", "b"), "leave_out": ("c", "d")}
    switched = {"private": True, "skip_bad": True, "skip_stray": True, "header": False, "quotes": False}
    (options,) = said
    found = {one.name: getattr(options, one.name) for one in fields(options)}
    assert {key: tuple(found.pop(key)) for key in several} == several
    assert found == {
        **wanted,
        **switched,
        "depth": 2,
        "value_range": "0:9",
        "kinds": {"a": "date"},
        "data_dir": "/data",
    }


def test_a_page_holds_its_images_asks_no_server_and_runs_nothing(run, photos: Path) -> None:
    assert run("add-task", "./photos", "--preview", "out.html").code == 0
    page = Path("out.html").read_text()
    assert page.count('src="data:image/png;base64,') == 11
    assert "<script" not in page
    assert "&lt;script&gt;x" in page
    assert "default-src 'none'" in page
    assert "://" not in page
    assert str(photos.parent) not in page
    assert "all images of a class are equal" in page


def test_a_contact_sheet_has_the_images_of_each_class(run, photos: Path) -> None:
    assert run("add-task", "./photos", "--preview", "out.png").code == 0
    with Image.open("out.png") as sheet:
        colours = {colour: count for count, colour in sheet.convert("RGB").getcolors(2**20) or []}
    assert colours[(255, 0, 0)] == 8 * 96 * 72
    assert colours[(0, 0, 255)] % (96 * 72) == 0 < colours[(0, 0, 255)]


def test_a_long_remark_takes_as_many_lines_of_a_contact_sheet_as_it_needs(run, photos: Path, monkeypatch) -> None:
    heights = list[int]()
    for longest in (90, 20):
        monkeypatch.setattr(contact_sheet, "_LONGEST", longest)
        assert run("add-task", "./photos", "--preview", "out.png").code == 0
        with Image.open("out.png") as sheet:
            heights.append(sheet.height)
    assert heights[1] >= heights[0] + 3 * 16


def test_texts_and_tables_are_shown_as_rows(run, texts: Path) -> None:
    ran = run("add-task", "texts.csv", "--preview", "out.html")
    assert re.search(r"texts\.csv row \d+: words of the number \d+, & <b>more</b> -> a", ran.out)
    assert "words of the number 25, &amp; &lt;b&gt;more&lt;/b&gt;" in Path("out.html").read_text()
    lines = [f"{n},{'red' if n % 3 else ''},{n / 2}" for n in range(60)]
    Path("table.csv").write_text("\n".join(["size,colour,y", *lines]))
    ran = run("add-task", "table.csv", "--preview", "out.html")
    assert re.search(r"train +36 examples .*: 0(\.5)? to 29(\.5)?, mean 1\d", ran.out)
    assert "<th>learned</th><th>size</th><th>colour</th>" in Path("out.html").read_text()


@pytest.fixture
def films(repository: Path) -> Path:
    """Returns rows that name images, each with the labels it has and a year: only the newest have ``war``."""
    lines = []
    for number in range(20):
        Image.new("L", (8, 8), 10 * number).save(repository / f"{number}.png")
        genres = ["drama"] * (number % 2) + ["war"] * (number >= 12) + ["west"] * (number < 3)
        lines.append(f"{number}.png,{'|'.join(genres)},{2000 + number}")
    Path("films.csv").write_text("\n".join(["poster,genres,year", *lines]))
    return Path("films.csv")


def test_images_of_rows_may_have_several_labels_each_and_be_split_by_time(run, films: Path) -> None:
    learned = ["--target", "genres", "--output", "labels", "--class-weights", "balanced"]
    words = ["films.csv", *learned, "--time-by", "year"]
    ran = run("add-task", *words, "--preview", "out.html")
    assert "films: image, typically 8 x 8 pixels; 3 labels, map" in ran.out
    assert "  drama: 6 train, 2 validation, 2 test; weight 1" in ran.out
    assert "  war: 0 train, 4 validation, 4 test; weight 1\n" in f"{ran.out}\n"
    assert "  west: 3 train, 0 validation, 0 test; weight 3" in ran.out
    assert "test has 4 rows from 2016 on" in ran.err
    assert "no training examples of 1 of 3 labels: war" in ran.err
    page = Path("out.html").read_text()
    assert "<h2>Labels</h2>" in page
    assert "<td>west</td><td>3</td><td>0</td><td>0</td><td>3</td>" in page
    assert "<b>drama, west</b>" in page
    assert run("add-task", *words, "--preview", "out.png").code == 0
    head = run("add-task", *words, "--json").json()
    assert head["task"]["class_weights"] == [1.0, 1.0, 3.0]
    assert head["task"]["splits"]["test"]["num_examples"] == 4


def test_the_preview_is_there_as_json(run, texts: Path) -> None:
    found = run("add-task", "texts.csv", "--preview", "--json").json()
    assert (found["name"], found["input"]["kind"], found["output"]["names"]) == ("texts", "text", ["a", "b"])
    assert [sum(split["counts"]) for split in found["splits"]] == [24, 8, 8]
    assert found["samples"][0]["label"] == "a"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["../photos", "--preview", "out.jpg"], "written as .html or .png"),
        (["texts.csv", "--preview", "out.png"], "--preview out.html"),
        (["../photos", "--preview", "none/out.html"], "Cannot write"),
        (["../photos", "other"], "One data set at a time"),
    ],
)
def test_a_file_that_cannot_be_written_is_told(run, photos: Path, texts: Path, words: list[str], told: str) -> None:
    ran = run("add-task", *words)
    assert ran.code != 0
    assert told in ran.err
    assert run("tasks").rows() == []
