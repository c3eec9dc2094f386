"""Whoever names data in a way that is not understood is told what lies there, and a name that is."""

from __future__ import annotations

import io
import os
import shlex
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mu2net_core.data import absolute_uri, mistyped, open_source
from mu2net_core.errors import DataError, InvalidInputError, Mu2netError, NotFoundError

ARRAYS = {"x": np.arange(64).astype(np.uint8).reshape(4, 4, 4), "y": np.arange(4) % 2}


@pytest.fixture
def here(tmp_path: Path) -> Path:
    """Returns a folder with photos, an archive, and what people have instead of them."""
    for name in ("photos/cat-dog/cat", "photos/cat-dog/dog", "my photos/a"):
        (tmp_path / name).mkdir(parents=True)
        Image.new("L", (4, 4)).save(tmp_path / name / "0.png")
    np.savez(tmp_path / "arrays.npz", **ARRAYS)
    (tmp_path / "archives").mkdir()
    np.savez(tmp_path / "archives" / "data.npz", **ARRAYS)
    png = (tmp_path / "my photos/a/0.png").read_bytes()
    with zipfile.ZipFile(tmp_path / "pics.zip", "w") as archive:
        for name in ("cat/0.png", "dog/0.png"):
            archive.writestr(name, png)
    with tarfile.open(tmp_path / "pics2.tar.gz", "w:gz") as tar:
        for name in ("cat/0.png", "dog/0.png"):
            info = tarfile.TarInfo(name)
            info.size = len(png)
            tar.addfile(info, io.BytesIO(png))
    (tmp_path / "picture.png").write_bytes(png)
    (tmp_path / "notes.txt").write_text("hello")
    return tmp_path


def refused(given: str, here: Path) -> Mu2netError:
    with pytest.raises(Mu2netError) as error:
        open_source(absolute_uri(given, here))
    return error.value


def last_uri(error: Mu2netError) -> str:
    return shlex.split(str(error.hint))[-1]


@pytest.mark.parametrize(
    ("given", "found", "meant"),
    [
        ("file:photos/cat-dog", "a folder", "folder:photos/cat-dog"),
        ("dir:photos/cat-dog", "a folder", "folder:photos/cat-dog"),
        ("numpy:arrays.npz", "a NumPy archive", "npz:arrays.npz"),
        ("zip:pics.zip", "a ZIP archive", "archive:pics.zip"),
    ],
)
def test_a_path_with_a_scheme_that_is_none_gets_the_right_one(here: Path, given: str, found: str, meant: str) -> None:
    error = refused(given, here)
    assert isinstance(error, InvalidInputError)
    assert f"At that path is {found}." in error.message
    assert last_uri(error) == meant
    open_source(absolute_uri(meant, here)).info()


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("./photos/cat-dog", "folder:{}/photos/cat-dog"),
        ("{}/my photos/", "folder:{}/my photos"),
        ("arrays.npz", "npz:{}/arrays.npz"),
        ("./arrays.npz", "npz:{}/arrays.npz"),
        ("pics.zip", "archive:{}/pics.zip"),
        ("./pics2.tar.gz", "archive:{}/pics2.tar.gz"),
        ("list.csv", "csv:{}/list.csv"),
    ],
)
def test_a_path_is_understood_without_a_scheme(here: Path, given: str, meant: str) -> None:
    assert absolute_uri(given.format(here), here) == meant.format(here)


@pytest.mark.parametrize(
    ("given", "found", "meant"),
    [
        ("folder:arrays.npz", "Expected a folder, found a NumPy archive", "npz:{}/arrays.npz"),
        ("npz:photos/cat-dog", "Expected a NumPy archive (.npz), found a folder", "folder:{}/photos/cat-dog"),
        ("npz:archives", "found a folder", "npz:{}/archives/data.npz"),
        ("folder:photo", "No such folder", "folder:{}/photos?"),
        ("npz:array.npz", "No such file", "npz:{}/arrays.npz?"),
        ("NPZ:arrays.npz", "Not a data set", "npz:arrays.npz"),
        ("Folder:photos", "Not a data set", "folder:photos"),
    ],
)
def test_the_wrong_scheme_or_a_near_name_is_put_right(here: Path, given: str, found: str, meant: str) -> None:
    error = refused(given, here)
    assert found in error.message
    assert last_uri(error) == meant.format(here)


@pytest.mark.parametrize("given", ["folder:pics.zip", "npz:pics.zip", "folder:pics2.tar.gz", "file:pics.zip"])
def test_an_archive_of_pictures_is_named_as_one(here: Path, given: str) -> None:
    error = refused(given, here)
    assert "archive" in error.message
    assert open_source(absolute_uri(last_uri(error), here)).info().classes == ("cat", "dog")


@pytest.mark.parametrize(
    ("given", "found"),
    [
        ("folder:picture.png", "found a PNG image"),
        ("npz:picture.png", "found a PNG image"),
        ("folder:notes.txt", "found a file that is none of those mu2net reads"),
        ("npz:/dev/zero", "found a device or a pipe"),
        ("folder:/dev/null", "found a device or a pipe"),
        ("npz:pipe", "found a device or a pipe"),
    ],
)
def test_other_things_are_called_what_they_are_and_never_waited_for(here: Path, given: str, found: str) -> None:
    os.mkfifo(here / "pipe")
    error = refused(given, here)
    assert isinstance(error, DataError)
    assert found in error.message


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("npz:arrays", "npz:{}/arrays.npz?"),
        ("folder:arrays", "npz:{}/arrays.npz?"),
        ("npz:ARRAYS.NPZ", "npz:{}/arrays.npz?"),
        ("folder:PHOTOS", "folder:{}/photos?"),
        ("folder:photos ", "folder:{}/photos?"),
        ("PHOTOS", "folder:photos?"),
        ("npz:arr*.npz", "npz:{}/arrays.npz"),
        ("folder:ph?tos", "folder:{}/photos"),
        ("folder:*", "folder:{}/archives"),
        ("file://localhost{}/photos", "folder:{}/photos"),
    ],
)
def test_what_is_there_is_told_for_a_path_written_a_little_otherwise(here: Path, given: str, meant: str) -> None:
    error = refused(given.format(here), here)
    if ":" not in given:
        error = mistyped(given, here, error)
    assert last_uri(error) == meant.format(here)


def test_a_folder_may_be_called_like_a_version(here: Path) -> None:
    (here / "photos" / "cat-dog").rename(here / "2024")
    assert open_source(absolute_uri("folder:2024", here)).info().classes == ("cat", "dog")


def test_a_link_of_git_annex_to_nothing_is_told_to_be_one(here: Path) -> None:
    (here / "far.npz").symlink_to(".git/annex/objects/x/SHA256E-s1--0.npz")
    assert "git annex get" in str(refused("npz:far.npz", here).hint)


@pytest.mark.parametrize("given", ["\\\\nas\\share\\pics", "folder:\\\\nas\\share\\pics"])
def test_a_share_of_windows_is_to_be_mounted(here: Path, given: str) -> None:
    error = refused(given, here)
    assert "Mount it" in str((mistyped(given, here, error) if given.startswith("\\") else error).hint)


@pytest.mark.parametrize(
    "given", ["user@nas:/share/pics", "user@nas:/tmp", "www.kaggle.com/x", "zenodo.org/record/1", "kaggle.com"]
)
def test_a_place_on_another_machine_is_told_to_be_one(here: Path, given: str) -> None:
    error = mistyped(given, here, InvalidInputError("Not a catalogue name."))
    assert "Download it first" in str(error.hint)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ("hf:mnist", "Hugging Face"),
        ("huggingface:user/set", "Hugging Face"),
        ("https://example.org/data.npz", "a URL"),
        ("npz:https://example.org/data.npz", "a URL"),
        ("folder:s3://bucket/photos", "a URL"),
        ("s3://bucket/photos", "a URL"),
        ("kaggle:cats", "another collection"),
    ],
)
def test_what_lies_elsewhere_is_to_be_downloaded_first(here: Path, given: str, told: str) -> None:
    error = refused(given, here)
    assert told in error.message
    assert "Download it first" in str(error.hint)


def test_a_place_on_another_machine_is_none_below_this_folder(here: Path) -> None:
    assert "another machine" in refused("folder:user@nas:/share/pics", here).message
    (here / "photos" / "cat-dog").rename(here / "user@nas:pics")
    assert open_source(absolute_uri("folder:user@nas:pics", here)).info().classes == ("cat", "dog")


@pytest.mark.parametrize(
    "given", ["folder:C:\\data\\photos", "npz:d:\\data.npz", "C:\\data\\photos", "C:/data/photos", "d:\\data.npz"]
)
def test_a_path_of_windows_is_told_to_be_one(here: Path, given: str) -> None:
    error = refused(given, here)
    assert "Only Windows has drives" in str(error.hint)
    assert last_uri(error) in {"folder:/mnt/c/data/photos", "npz:/mnt/d/data.npz"}


@pytest.mark.parametrize(
    ("given", "kind"),
    [
        ("folder:nowhere/at/all", NotFoundError),
        ("folder:arrays.npz/inside", NotFoundError),
        ("npz:" + "a" * 300, DataError),
        ("folder:~nobody-of-that-name/x", InvalidInputError),
        ("npz:a\0b", InvalidInputError),
        ("a\0b", Mu2netError),
        ("nope:nothing", NotFoundError),
    ],
)
def test_paths_that_cannot_be_are_ordinary_errors(here: Path, given: str, kind: type[Mu2netError]) -> None:
    assert isinstance(refused(given, here), kind)
