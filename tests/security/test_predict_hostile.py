"""Folders and names of pictures that somebody else made up: nothing hangs, and the rest is read."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from mu2net_core.api.models.pictures import Picture, Unreadable, find_pictures
from mu2net_core.data.images import MAX_FILE_BYTES, read_picture
from mu2net_core.errors import DataError, Mu2netError, NotFoundError


@pytest.fixture(autouse=True)
def _in_time() -> Iterator[None]:
    """Kills what waits for ever."""
    before = signal.signal(signal.SIGALRM, lambda *_: pytest.fail("it hangs"))
    signal.alarm(120)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Returns a folder with one good picture."""
    (tmp_path / "pics").mkdir()
    Image.new("L", (8, 8), 7).save(tmp_path / "pics" / "good.png")
    return tmp_path / "pics"


def read_all(folder: Path) -> tuple[list[str], list[str]]:
    """Returns the names of the pictures that are read, and what is said of the others."""
    good, bad = [], []
    for picture in find_pictures(folder, folder=folder, warn=lambda _: None):
        if isinstance(picture, Unreadable):
            bad.append(picture.error.message)
            continue
        try:
            picture.read(None)
        except Mu2netError as exc:
            bad.append(exc.message)
        else:
            good.append(Path(picture.name).name)
    return good, bad


@pytest.mark.parametrize("kind", ["pipe", "link to a pipe", "/dev/zero", "/dev/full", "/proc/self/mem", "/proc/kmsg"])
def test_what_is_no_file_is_named_and_the_rest_is_read(folder: Path, kind: str) -> None:
    if kind.startswith("/"):
        (folder / "bad.png").symlink_to(kind)
    else:
        pipe = folder / ("bad.png" if kind == "pipe" else "pipe")
        os.mkfifo(pipe)
        if pipe.name == "pipe":
            (folder / "bad.png").symlink_to(pipe)
    good, bad = read_all(folder)
    assert good == ["good.png"]
    assert len(bad) == 1
    assert "bad.png" in bad[0]
    with pytest.raises(DataError, match=r"bad\.png"):
        read_picture(folder / "bad.png")


def test_a_file_of_no_real_size_is_not_read_to_be_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with (folder / "bad.png").open("wb") as file:
        file.truncate(MAX_FILE_BYTES + 1)
    good, bad = read_all(folder)
    assert good == ["good.png"]
    assert bad == [f"Cannot read the image {folder / 'bad.png'}: expected at most 1024 MiB, found more."]


def test_folders_that_are_deeper_than_the_system_allows_end(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as there:
        there.chdir(folder)
        for _ in range(1100):
            os.mkdir("d")  # noqa: PTH102
            os.chdir("d")
    good, bad = read_all(folder)
    subprocess.run(["rm", "-rf", folder / "d"], check=True)  # no folder is too deep for it, unlike for Python
    assert good == ["good.png"]
    assert len(bad) == 1
    assert bad[0].endswith("it lies more than 64 folders deep.")


def test_links_that_double_the_ways_into_a_folder_lead_there_once(folder: Path) -> None:
    inner = folder
    for _ in range(40):
        (inner / "r").mkdir()
        (inner / "l").symlink_to("r")
        inner /= "r"
    Image.new("L", (8, 8), 7).save(inner / "inner.png")
    assert read_all(folder) == (["good.png", "inner.png"], [])


def test_links_that_lead_nowhere_are_named(folder: Path) -> None:
    (folder / "a.png").symlink_to("nothing")
    (folder / "b.png").symlink_to("b.png")
    good, bad = read_all(folder)
    assert good == ["good.png"]
    assert [("a.png" in bad[0]), ("b.png" in bad[1])] == [True, True]


def test_names_that_no_file_can_have_are_ordinary_errors(folder: Path) -> None:
    for name in ("a\0b.png", "x" * 300 + ".png", "good.png/x.png"):
        (found,) = find_pictures(name, folder=folder, warn=lambda _: None)
        assert isinstance(found, Picture)
        with pytest.raises((DataError, NotFoundError)):
            found.read(None)
