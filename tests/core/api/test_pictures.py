"""What images people mean by the paths they name."""

from __future__ import annotations

from pathlib import Path

import pytest

from mu2net_core.api.models.pictures import Unreadable, find_pictures
from mu2net_core.errors import DataError


def found(folder: Path, *images: str | bytes | Path) -> tuple[list[str], list[str]]:
    """Returns the names found from within ``folder``, unusable ones with a ``!``, and the warnings."""
    warnings: list[str] = []
    pictures = find_pictures(images, folder=folder, warn=warnings.append)
    return [f"!{one.name}" if isinstance(one, Unreadable) else one.name for one in pictures], warnings


def put(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()


def test_a_folder_stands_for_all_images_below_it_in_order(tmp_path: Path) -> None:
    put(
        tmp_path,
        "new/b.JPG",
        "new/a/2.webp",
        "new/a/1.tiff",
        "new/c d/\u00e9\nx.png",
        "new/.hidden.png",
        "new/.git/x.png",
    )
    expected = ["new/a/1.tiff", "new/a/2.webp", "new/b.JPG", "new/c d/\u00e9\nx.png"]
    assert found(tmp_path, "new") == (expected, [])
    assert found(tmp_path / "new", ".")[0] == [f"./{name.removeprefix('new/')}" for name in expected]
    assert found(tmp_path, tmp_path / "new")[0] == [str(tmp_path / name) for name in expected]


def test_what_a_folder_holds_besides_images_is_counted(tmp_path: Path) -> None:
    put(tmp_path, "new/a.png", "new/Thumbs.db", "new/x/b.EPS", "new/c.eps", "new/README")
    names, warnings = found(tmp_path, "new")
    assert names == ["new/a.png"]
    assert warnings == ["left out of new what is no image by its name: 1 .db, 2 .eps, 1 README"]


def test_a_folder_without_images_is_told(tmp_path: Path) -> None:
    put(tmp_path, "new/notes.txt")
    assert found(tmp_path, "new")[0] == ["!new"]


def test_links_are_followed_but_not_in_circles(tmp_path: Path) -> None:
    put(tmp_path, "new/a.png", "elsewhere/b.png")
    (tmp_path / "new" / "circle").symlink_to(tmp_path / "new")
    (tmp_path / "new" / "linked").symlink_to(tmp_path / "elsewhere")
    assert found(tmp_path, "new")[0] == ["new/a.png", "new/linked/b.png"]


def test_files_and_bytes_are_taken_as_they_are(tmp_path: Path) -> None:
    put(tmp_path, "new/notes.txt")
    assert found(tmp_path, "new/notes.txt", b"", "none.png")[0] == ["new/notes.txt", "-", "none.png"]


@pytest.mark.parametrize("name", ["x" * 5000, "a/" * 3000])
def test_a_name_that_no_file_can_have_is_an_image_that_cannot_be_read(tmp_path: Path, name: str) -> None:
    (picture,) = find_pictures([name], folder=tmp_path, warn=print)
    assert not isinstance(picture, Unreadable)
    with pytest.raises(DataError, match="Cannot read the image"):
        picture.read(None)


@pytest.mark.parametrize("image", ["new/d1.png", b"bytes", Path("new/d1.png")], ids=type)
def test_one_image_needs_no_list_around_it(tmp_path: Path, image: str | bytes | Path) -> None:
    alone = list(find_pictures(image, folder=tmp_path, warn=print))
    assert alone == list(find_pictures([image], folder=tmp_path, warn=print))
    assert len(alone) == 1
