"""What a folder of images holds besides images in class folders: nothing of it is left out without a word."""

from __future__ import annotations

import os
import shlex
import shutil
import struct
import sys
from pathlib import Path

import pytest
from PIL import Image

from mu2net_core.data import describe_task, open_source
from mu2net_core.data.formats import readable
from mu2net_core.data.images import read_regular
from mu2net_core.errors import DataError


def put(path: Path, value: int = 0, mode: str = "L") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new(mode, (4, 4), value).save(path)


def tiff_of_floats(bits: int) -> bytes:
    """Returns a picture of 2 by 2 numbers of floating point."""
    size = bits // 2
    tags = [(256, 2), (257, 2), (258, bits), (259, 1), (262, 1), (273, 200), (277, 1), (278, 2), (279, size), (339, 3)]
    entries = b"".join(struct.pack("<HHIHH", tag, 3, 1, value, 0) for tag, value in tags)
    head = b"II*\0" + struct.pack("<IH", 8, len(tags)) + entries + bytes(4)
    return head.ljust(200, b"\0") + bytes(size)


@pytest.fixture
def pets(tmp_path: Path) -> Path:
    root = tmp_path / "pets"
    for index in range(10):
        put(root / "cat" / f"{index}.png", index)
        put(root / "dog" / f"{index}.png", 100 + index)
    return root


def notes(folder: Path, **options: int | str | bool) -> str:
    return "\n".join(open_source(f"folder:{folder}", options=options).info().notes)


def test_a_folder_of_nothing_but_images_has_nothing_to_tell(pets: Path) -> None:
    assert notes(pets) == ""


def test_every_file_left_out_is_counted_by_its_ending(pets: Path) -> None:
    for name in ("a.TXT", "b.txt", "c.eps", "README", ".DS_Store", "._0.png", "Thumbs.db"):
        (pets / "cat" / name).write_text("x")
    assert notes(pets) == "left out what is not read: 2 .txt, 2 hidden, 1 .db, 1 .eps, 1 without an ending"


def test_endings_that_are_none_are_not_listed_one_by_one(pets: Path) -> None:
    for index in range(12):
        (pets / "cat" / f"scan.{index:03}").write_text("x")
    for name in (b"x.\xff", b"notes.about all of my pets"):
        (pets / "cat" / os.fsdecode(name)).write_text("x")
    text = notes(pets)
    assert text.startswith("left out what is not read: 2 without an ending, 1 .000, 1 .001, ")
    assert text.endswith(", 3 of other kinds")


def test_a_folder_of_links_to_elsewhere_tells_what_to_do(pets: Path, tmp_path: Path) -> None:
    (tmp_path / "links" / "cat").mkdir(parents=True)
    (tmp_path / "links" / "cat" / "0.png").symlink_to(pets / "cat" / "0.png")
    with pytest.raises(DataError, match="found 1 link out of the folder") as error:
        describe_task(f"folder:{tmp_path / 'links'}")
    assert "name the folder where the images lie" in str(error.value.hint)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "it is empty"),
        (b"version https://git-lfs.github.com/spec/v1\n", "it is a Git LFS pointer"),
        (b"/annex/objects/MD5E-s1--abc.png\n", "it is a git-annex pointer"),
        (b"<?xml version='1.0'?><Error/>", "it is an XML document"),
        (b'{"error": 1}', "it is JSON text"),
        (b"%PDF-1.4", "it is a PDF document"),
        (b"<?xml version='1.0'?><svg xmlns='x'/>", "it is an SVG drawing"),
        (b"8BPS\0\1", "it is a Photoshop document"),
        (bytes(500), "it is nothing but zeros"),
        (b"\x1f\x8b" + bytes(40), "it is a gzip file"),
        (b"\xff\x0a" + bytes(20), "it is a JPEG XL image"),
        (b"\0\0\0\x1cftypavif" + bytes(20), "it begins as an AVIF image, but is damaged or not all there"),
        (b"II*\0\x10\0\0\0CR\2\0" + bytes(50), "it is a Canon raw photo"),
        (tiff_of_floats(16), "it is a TIFF of floating point with 16 bits: save it with 32"),
        (tiff_of_floats(64), "it is a TIFF of floating point with 64 bits: save it with 32"),
        (b"II*\0" + bytes(20), "a TIFF of a kind that is not read"),
        (b"<html>", "it is a web page"),
        (b"hello", "in none of the formats that are read"),
    ],
)
def test_what_an_image_is_instead_is_told(pets: Path, data: bytes, reason: str) -> None:
    (pets / "cat" / "0.png").write_bytes(data)
    with pytest.raises(DataError, match=f"cat/0.png: .*{reason}"):
        describe_task(f"folder:{pets}")


def test_pointers_are_to_be_replaced_and_not_left_out(pets: Path) -> None:
    for image in pets.rglob("*.png"):
        image.write_text("version https://git-lfs.github.com/spec/v1\n")
    with pytest.raises(DataError, match="Cannot read 20 of 20 images") as error:
        describe_task(f"folder:{pets}")
    assert "git lfs pull (20 images)" in str(error.value.hint)
    assert "--skip-bad" not in str(error.value.hint)


def test_what_helps_is_told_of_each_kind_of_broken_image(pets: Path) -> None:
    (pets / "cat" / "0.png").write_text("<html>")
    (pets / "cat" / "1.png").write_text("hello")
    with pytest.raises(DataError) as error:
        describe_task(f"folder:{pets}")
    assert "download the data anew (1 image); Repair or remove them, or leave" in str(error.value.hint)


def test_classes_that_are_lost_with_their_broken_images_are_explained(pets: Path) -> None:
    for image in (pets / "dog").iterdir():
        image.write_bytes(b"broken")
    with pytest.raises(DataError, match="found 1 without the 10 broken images"):
        describe_task(f"folder:{pets}", options={"skip_bad": True})


def test_images_of_git_annex_are_to_be_fetched_or_unlocked(pets: Path, tmp_path: Path) -> None:
    store = tmp_path / ".git" / "annex" / "objects"
    store.mkdir(parents=True)
    for image in pets.rglob("*.png"):
        key = store / f"{image.parent.name}{image.name}"
        image.rename(key)
        image.symlink_to(key)
    with pytest.raises(DataError, match="found 20 links of git-annex out of the folder") as error:
        describe_task(f"folder:{pets}")
    assert str(error.value.hint).endswith(shlex.join(("git", "-C", str(pets), "annex", "unlock", ".")))
    with pytest.raises(DataError) as error:  # links that would lead out of pets
        describe_task(f"folder:{tmp_path}")
    assert error.value.hint == "If classes are 2 deep: --depth 2"
    assert describe_task(f"folder:{tmp_path}", options={"depth": 2}).task.output.labels == ("pets/cat", "pets/dog")
    for split in ("train", "test"):
        shutil.copytree(pets, tmp_path / "photos" / split, symlinks=True)
    shutil.move(pets, tmp_path.parent / "pets moved away")
    with pytest.raises(DataError) as error:
        describe_task(f"folder:{tmp_path}")
    assert "'photos' are links that lead out of it" in str(error.value.hint)
    assert f"annex unlock .), then name it: folder:{tmp_path / 'photos'}" in str(error.value.hint)
    pets = Path(shutil.move(tmp_path.parent / "pets moved away", pets))
    for key in store.iterdir():
        key.unlink()
    with pytest.raises(DataError, match="found 20 links of git-annex to what is not here") as error:
        describe_task(f"folder:{pets}")
    assert str(error.value.hint).endswith("annex get .")


@pytest.mark.parametrize(
    ("ending", "kind"), [("mpo", "MPO"), ("dib", "DIB"), ("j2c", "JPEG2000"), ("jpc", "JPEG2000"), ("jif", "JPEG")]
)
def test_rarer_endings_of_formats_that_are_read(pets: Path, ending: str, kind: str) -> None:
    Image.new("RGB", (8, 8), "red").save(pets / "cat" / f"rare.{ending}", kind)
    described = describe_task(f"folder:{pets}")
    assert sum(split.num_examples for split in described.task.splits.values()) == 21


@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("CAT", "upper and lower case only: CAT, cat"),
        ("cat ", "spaces only: 'cat', 'cat '"),
        ("\uff43at", "characters that look alike only: 'cat', '\\uff43at'"),
    ],
)
def test_classes_that_look_alike_are_told_with_what_they_differ_in(pets: Path, name: str, what: str) -> None:
    put(pets / name / "0.png")
    assert notes(pets) == f"classes whose names differ in {what}"


@pytest.mark.parametrize("name", ["@Recycle", "@eaDir", "__MACOSX", "#recycle", "$RECYCLE.BIN"])
def test_the_folders_of_a_system_are_no_classes_and_told(pets: Path, name: str) -> None:
    put(pets / "cat" / name / "0.png" / "thumb.jpg")
    put(pets / name / "cat" / "0.png")
    assert notes(pets) == f"left out what is not read: 2 folder {name}"


@pytest.fixture
def no_heif(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    readable.cache_clear()
    yield
    readable.cache_clear()


def test_heic_without_the_extra_is_counted_with_the_command_that_adds_it(pets: Path, no_heif: None) -> None:
    for index in range(12):
        (pets / "cat" / f"IMG_{index}.HEIC").write_bytes(b"\0\0\0\x18ftypheic")
    assert notes(pets) == "left out what is not read: 12 .heic (to read them: pip install 'mu2net[heic]')"
    (pets / "dog" / "0.jpg").write_bytes(b"\0\0\0\x18ftypheic")
    with pytest.raises(DataError, match=r"dog/0\.jpg: it is HEIC, which needs: pip install 'mu2net\[heic\]'"):
        describe_task(f"folder:{pets}")


def test_a_folder_without_images_tells_what_it_holds(tmp_path: Path, no_heif: None) -> None:
    (tmp_path / "cat").mkdir()
    (tmp_path / "cat" / "a.heic").write_bytes(b"x")
    with pytest.raises(DataError, match=r"No images in .*; found 1 \.heic \(to read them: pip install 'mu2net\[heic\]"):
        describe_task(f"folder:{tmp_path}")


def test_links_are_followed_to_files_within_the_folder_only(pets: Path, tmp_path: Path) -> None:
    put(tmp_path / "elsewhere" / "0.png")
    (pets / "cat" / "same.png").symlink_to(pets / "cat" / "0.png")
    (pets / "cat" / "out.png").symlink_to(tmp_path / "elsewhere" / "0.png")
    (pets / "out").symlink_to(tmp_path / "elsewhere")
    (pets / "cat" / "loop").symlink_to(pets)
    (pets / "cat" / "broken.png").symlink_to(tmp_path / "nothing.png")
    (pets / "cat" / "self.png").symlink_to(pets / "cat" / "self.png")
    described = describe_task(f"folder:{pets}")
    assert sum(split.num_examples for split in described.task.splits.values()) == 21
    assert described.notes[:1] == (
        "left out what is not read: 2 links out of the folder, 2 links that lead nowhere, 1 link to a folder",
    )


def test_pipes_are_left_out_and_never_waited_for(pets: Path) -> None:
    os.mkfifo(pets / "cat" / "pipe.png")
    assert notes(pets) == "left out what is not read: 1 pipe, socket or device"
    with pytest.raises(DataError, match=r"pipe\.png: it is no regular file"):
        read_regular(pets / "cat" / "pipe.png")


def test_a_file_larger_than_any_image_is_named(pets: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mu2net_core.data.images.MAX_FILE_BYTES", 2**20)
    (pets / "cat" / "big.png").write_bytes(bytes(2**20 + 1))
    with pytest.raises(DataError, match=r"Cannot read the image .*big\.png: expected at most 1 MiB, found more"):
        describe_task(f"folder:{pets}")


def test_folders_deeper_than_any_class_are_told(pets: Path) -> None:
    put(pets.joinpath("cat", *"123456789", "0.png"))
    assert "1 folder more than 9 deep" in notes(pets)


def test_folders_without_images_are_named(pets: Path) -> None:
    (pets / "owl").mkdir()
    (pets / "docs" / "more").mkdir(parents=True)
    assert notes(pets) == "no image lies in 2 folders: docs, owl"


def test_a_class_that_another_split_has_is_not_told_to_be_empty(pets: Path, tmp_path: Path) -> None:
    pets.rename(tmp_path / "train")
    put(tmp_path / "test" / "cat" / "0.png")
    for name in ("test/dog", "test/owl", "val"):
        (tmp_path / name).mkdir()
    assert notes(tmp_path) == "no image lies in 2 folders: test/owl, val"


def test_all_broken_images_are_counted_and_the_first_named(pets: Path) -> None:
    for index in range(5):
        (pets / "dog" / f"{index}.png").write_bytes(b"broken")
    with pytest.raises(
        DataError, match=r"Cannot read 5 of 20 images: .*dog/0\.png: .*; .*2\.png: .* and 2 more"
    ) as error:
        describe_task(f"folder:{pets}")
    assert error.value.hint == "Repair or remove them, or leave broken images out: --skip-bad"
    assert len(describe_task(f"folder:{pets}", options={"skip_bad": True}).skipped) == 5


def test_a_program_that_calls_itself_an_image_is_never_run(pets: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("subprocess.Popen", lambda *_, **__: pytest.fail("a program was started"))
    (pets / "cat" / "evil.png").write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\n")
    with pytest.raises(DataError, match=r"evil\.png: it is a PostScript document"):
        describe_task(f"folder:{pets}")


def test_names_are_the_same_however_their_accents_are_stored(tmp_path: Path) -> None:
    for form, name, file in (("nfc", "caf\xe9", "\xfc"), ("nfd", "cafe\u0301", "u\u0308")):
        for index in range(10):
            put(tmp_path / form / name / f"{file}{index}.png", index)
            put(tmp_path / form / "tea" / f"{index}.png", 100 + index)
    nfc, nfd = (describe_task(f"folder:{tmp_path / form}", name="t").task for form in ("nfc", "nfd"))
    assert nfc.output.labels == nfd.output.labels == ("caf\xe9", "tea")
    assert nfc.splits == nfd.splits


@pytest.mark.parametrize("place", ["", "tea"])
def test_two_names_that_look_the_same_are_refused(pets: Path, place: str) -> None:
    for name in ("caf\xe9", "cafe\u0301"):
        put(pets / place / name / "0.png")
    with pytest.raises(DataError, match=r"look the same .*'cafe\\u0301', 'caf\\xe9'"):
        open_source(f"folder:{pets}").info()


def test_classes_that_differ_in_case_only_are_told(pets: Path) -> None:
    put(pets / "Cat" / "0.png")
    assert notes(pets) == "classes whose names differ in upper and lower case only: Cat, cat"
