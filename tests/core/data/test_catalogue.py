from __future__ import annotations

from pathlib import Path

import pytest

from mu2net_core.data import absolute_uri, data_folder, default_name, open_source
from mu2net_core.data.catalogue import SOURCES, split_uri
from mu2net_core.errors import InvalidInputError, NotFoundError
from mu2net_core.objects import LIMITS, check_name
from mu2net_core.testing.building.plugins import offer


@pytest.mark.parametrize(
    ("uri", "expected"),
    [
        ("cmaterdb/bangla", ("tfds", "cmaterdb/bangla")),
        ("mnist:3.0.1", ("tfds", "mnist:3.0.1")),
        ("tfds:mnist:3.0.1", ("tfds", "mnist:3.0.1")),
        ("folder:/a:b", ("folder", "/a:b")),
        ("sklearn:digits/parity", ("sklearn", "digits/parity")),
    ],
)
def test_a_uri_has_a_scheme_and_the_rest(uri: str, expected: tuple[str, str]) -> None:
    assert split_uri(uri) == expected


@pytest.mark.parametrize("uri", ["folder:", ""])
def test_nothing_is_no_name(uri: str) -> None:
    with pytest.raises(InvalidInputError, match="Not a data set"):
        open_source(uri)


@pytest.mark.parametrize(
    ("uri", "scheme"),
    [
        ("/data/cats", "folder"),
        ("./cats", "folder"),
        ("~/cats", "folder"),
        ("cats.npz", "npz"),
        ("cats.tar.gz", "archive"),
        ("/data/Cats.ZIP", "archive"),
        ("./cats.csv.gz", "csv"),
    ],
)
def test_a_path_is_read_as_its_ending_says(uri: str, scheme: str) -> None:
    assert split_uri(uri) == (scheme, uri)


def test_an_unknown_scheme_gets_near_names() -> None:
    with pytest.raises(NotFoundError, match="Unknown kind of data source 'foldr'") as error:
        open_source("foldr:/data")
    assert error.value.hint == "Did you mean folder:/data?"


def test_other_packages_can_add_a_source(monkeypatch: pytest.MonkeyPatch) -> None:
    offer(monkeypatch, SOURCES, mine=lambda rest, *, options, data_dir, limits: (rest, options, data_dir, limits))
    assert open_source("mine:a/b", options={"k": 1}, data_dir="/d") == ("a/b", {"k": 1}, "/d", LIMITS)


def test_what_looks_like_a_version_is_one_unless_a_package_offers_the_scheme(monkeypatch: pytest.MonkeyPatch) -> None:
    assert split_uri("mnist:3.0.1") == ("tfds", "mnist:3.0.1")
    offer(monkeypatch, SOURCES, mnist=lambda rest, *, options, data_dir, limits: rest)
    assert split_uri("mnist:3.0.1") == ("mnist", "3.0.1")
    assert split_uri("tfds:mnist:3.0.1") == ("tfds", "mnist:3.0.1")


def test_where_prepared_data_lies() -> None:
    both = {"MU2NET_DATA_DIR": "/m", "TFDS_DATA_DIR": "/t"}
    assert data_folder("/o", both) == "/o"
    assert data_folder(None, both) == "/m"
    assert data_folder(None, {"TFDS_DATA_DIR": "/t", "MU2NET_DATA_DIR": ""}) == "/t"
    assert data_folder(None, {}) is None


def test_file_paths_become_absolute(tmp_path: Path) -> None:
    assert absolute_uri("folder:cats", tmp_path) == f"folder:{tmp_path.resolve() / 'cats'}"
    assert absolute_uri("npz:../x.npz", tmp_path / "a") == f"npz:{tmp_path.resolve() / 'x.npz'}"
    assert absolute_uri("sklearn:digits", tmp_path) == "sklearn:digits"


@pytest.mark.parametrize(
    ("uri", "name"),
    [
        ("cmaterdb/bangla", "cmaterdb/bangla"),
        ("tfds:mnist:3.0.1", "mnist"),
        ("sklearn:digits/parity", "digits/parity"),
        ("folder:/data/My Cats", "my-cats"),
        ("npz:/data/Letters.v2.npz", "letters.v2"),
        ("folder:/", "task"),
    ],
)
def test_the_name_a_uri_suggests(uri: str, name: str) -> None:
    assert default_name(uri) == name
    check_name(name)
