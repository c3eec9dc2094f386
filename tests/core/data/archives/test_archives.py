"""Archives of images are read like the folders they were, and those made to do harm are refused with a reason."""

from __future__ import annotations

import errno
import gzip
import io
import lzma
import struct
import tarfile
import tracemalloc
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from PIL import Image

from mu2net_core.data import describe_task, open_source
from mu2net_core.data.archives import archive, tars
from mu2net_core.data.rows import content
from mu2net_core.data.rows.content import Scratch
from mu2net_core.errors import DataError, Mu2netError, NotFoundError
from mu2net_core.objects import Limits, Slice


def png(value: int) -> bytes:
    file = io.BytesIO()
    Image.new("L", (4, 4), value).save(file, "png")
    return file.getvalue()


PICTURES = {f"{name}/{number}.png": png(10 * number + len(name)) for name in ("cat", "zebra") for number in range(6)}


def make_zip(path: Path, files: Mapping[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", method) as packed:
        for name, data in files.items():
            packed.writestr(name, data)
    return path


def make_tar(path: Path, files: Mapping[str, bytes], mode: str = "w") -> Path:
    with tarfile.open(path, mode) as packed:  # type: ignore[call-overload]
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            packed.addfile(member, io.BytesIO(data))
    return path


def make_folder(path: Path, files: Mapping[str, bytes]) -> Path:
    for name, data in files.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(data)
    return path


def refused(path: Path) -> Mu2netError:
    with pytest.raises(DataError) as caught:
        read_all(path)
    return caught.value


def read_all(path: Path) -> None:
    source = open_source(f"archive:{path}")
    for split, count in source.info().splits.items():
        list(source.read([Slice(split=split, start=0, stop=count)]))


@pytest.mark.parametrize("packed", ["zip", "stored", "tar", "tar:gz", "tar:bz2", "tar:xz"])
def test_an_archive_is_the_same_task_as_the_folder_it_was(tmp_path: Path, packed: str) -> None:
    inside = {f"./pets/{name}" if "tar" in packed else f"pets/{name}": data for name, data in PICTURES.items()}
    inside |= {"__MACOSX/pets/._0.png": b"x", "pets/.DS_Store": b"x"}
    if "tar" in packed:
        path = make_tar(tmp_path / "pets.tar", inside, "w" + packed.removeprefix("tar"))
    else:
        path = make_zip(tmp_path / "a.bin", inside, zipfile.ZIP_STORED if packed == "stored" else zipfile.ZIP_DEFLATED)
    folder = describe_task(f"folder:{make_folder(tmp_path / 'pets', PICTURES)}", name="pets").task
    task = describe_task(f"archive:{path}", name="pets").task
    assert (task.splits, task.output, task.input) == (folder.splits, folder.output, folder.input)


def test_splits_depths_and_folders_within_are_those_of_folders(tmp_path: Path) -> None:
    path = make_zip(tmp_path / "a.zip", {f"{split}/x/{name}": data for split in ("train", "test")
                                         for name, data in PICTURES.items()})  # fmt: skip
    assert open_source(f"archive:{path}", options={"depth": 2}).info().splits == {"train": 12, "test": 12}
    assert open_source(f"archive:{path}/test/x").info().splits == {"all": 12}
    with pytest.raises(NotFoundError, match="No folder tset in"):
        open_source(f"archive:{path}/tset").info()
    error = refused(path)
    assert "Expected images 1 folder(s) deep" in error.message
    assert "--depth 2" in str(error.hint)


def test_an_image_is_named_by_the_archive_and_its_place_there(tmp_path: Path) -> None:
    path = make_zip(tmp_path / "a.zip", {**PICTURES, "cat/broken.png": b"GIF8 of nothing"})
    with pytest.raises(DataError, match=r"a\.zip/cat/broken\.png") as error:
        describe_task(f"archive:{path}")
    assert "--skip-bad" in str(error.value.hint)
    assert describe_task(f"archive:{path}", options={"skip_bad": True}).skipped == (f"{path}/cat/broken.png",)


def test_names_of_old_and_careless_programs_are_read_as_they_were_meant(tmp_path: Path) -> None:
    path, mac = tmp_path / "a.zip", "é".encode().decode("cp437")
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in PICTURES.items():
            member = zipfile.ZipInfo(name)
            member.filename, member.create_system = name.replace("/", "\\"), 0
            archive.writestr(member, data)
    assert open_source(f"archive:{path}").info().classes == ("cat", "zebra")
    make_zip(path, {name.replace("cat", "xx"): data for name, data in PICTURES.items()})
    path.write_bytes(path.read_bytes().replace(b"xx/", mac.encode("cp437") + b"/"))
    assert open_source(f"archive:{path}").info().classes == ("zebra", "é")


def test_links_and_devices_are_left_out_and_told(tmp_path: Path) -> None:
    path = make_tar(tmp_path / "a.tar", PICTURES)
    with tarfile.open(path, "a") as archive:
        for name, kind in (("cat/l.png", tarfile.SYMTYPE), ("cat/h.png", tarfile.LNKTYPE), ("cat/p.png", b"6")):
            member = tarfile.TarInfo(name)
            member.type, member.linkname = kind, "/etc/passwd"
            archive.addfile(member)
    info = open_source(f"archive:{path}").info()
    assert info.splits == {"all": 12}
    assert any("2 links in the archive" in note and "1 pipe" in note for note in info.notes)
    link = zipfile.ZipInfo("cat/l.png")
    link.create_system, link.external_attr = 3, 0o120777 << 16
    with zipfile.ZipFile(make_zip(tmp_path / "a.zip", PICTURES), "a") as zipped:
        zipped.writestr(link, "/etc/passwd")
    info = open_source(f"archive:{tmp_path / 'a.zip'}").info()
    assert (info.splits, info.notes) == ({"all": 12}, ("left out what is not read: 1 link in the archive",))


@pytest.mark.parametrize("name", ["../cat/x.png", "/cat/x.png", "cat/../../x.png", "C:/cat/x.png", "../x.png"])
@pytest.mark.parametrize("make", [make_zip, make_tar])
def test_names_that_lead_elsewhere_are_refused(tmp_path: Path, name: str, make: Callable[..., Path]) -> None:
    error = refused(make(tmp_path / "a", {**PICTURES, name: png(1)}))
    assert "leads elsewhere" in error.message
    assert "Do not unpack it" in str(error.hint)


@pytest.mark.parametrize("name", ["..\\x.png", "cat\\..\\..\\x.png", "\\cat\\x.png", "C:\\cat\\x.png"])
def test_names_that_lead_elsewhere_by_backslashes_are_refused_where_these_part_them(tmp_path: Path, name: str) -> None:
    member = zipfile.ZipInfo("x.png")
    member.filename, member.create_system = name, 0  # as old programs of Windows wrote it
    with zipfile.ZipFile(make_zip(tmp_path / "a.zip", PICTURES), "a") as archive:
        archive.writestr(member, png(1))
    assert "leads elsewhere" in refused(tmp_path / "a.zip").message


def central(data: bytes, at: int, value: int) -> bytes:
    """Returns a ZIP archive with four bytes of the first entry of its directory changed."""
    place = data.index(b"PK\x01\x02") + at
    return data[:place] + struct.pack("<I", value) + data[place + 4 :]


def test_bombs_are_refused_before_anything_is_unpacked(tmp_path: Path) -> None:
    data = make_zip(tmp_path / "a.zip", PICTURES).read_bytes()
    cases = {
        "claims 4000000000 bytes and can have at most": central(data, 24, 4_000_000_000),
        "overlap, or lie beyond its end": central(data, 20, len(data)),
    }
    for message, changed in cases.items():
        (tmp_path / "b.zip").write_bytes(changed)
        assert message in refused(tmp_path / "b.zip").message


def test_a_file_that_unpacks_to_more_than_it_says_is_not_unpacked_any_further(tmp_path: Path) -> None:
    data = make_zip(tmp_path / "a.zip", {"cat/0.png": bytes(10**6), **dict(list(PICTURES.items())[1:])}).read_bytes()
    (tmp_path / "b.zip").write_bytes(central(data, 24, 100))
    assert "not those that were packed" in refused(tmp_path / "b.zip").message


def test_a_small_file_that_takes_much_room_in_its_archive_is_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archive, "MAX_FILE_BYTES", 2_000)
    files = {"cat/0.png": bytes(3_000), **dict(list(PICTURES.items())[1:])}
    data = make_zip(tmp_path / "a.zip", files, zipfile.ZIP_STORED).read_bytes()
    (tmp_path / "b.zip").write_bytes(central(data, 24, 100))
    assert "0.png: expected at most" in refused(tmp_path / "b.zip").message


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        (Limits(names=5), "more than 5 files (limits.names)"),
        (Limits(examples_bytes=500), "more than 500 bytes unpacked (limits.examples_bytes)"),
    ],
)
def test_too_many_or_too_large_files_are_refused(tmp_path: Path, limits: Limits, message: str) -> None:
    for path in (make_zip(tmp_path / "a.zip", PICTURES), make_tar(tmp_path / "a.tar", PICTURES)):
        with pytest.raises(DataError) as caught:
            open_source(f"archive:{path}", limits=limits)
        assert message in caught.value.message


@pytest.mark.parametrize("packed", ["gz", "bz2", "xz"])
def test_a_compressed_archive_that_unpacks_to_more_than_a_limit_is_refused_with_little_in_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, packed: str
) -> None:
    path = make_tar(tmp_path / "a.tar", {"a/x.png": bytes(200 * 2**20)}, f"w:{packed}")
    assert path.stat().st_size < 2**20
    taken, take = list[int](), Scratch.take
    monkeypatch.setattr(Scratch, "take", lambda self, size, of: taken.append(size) or take(self, size, of))
    tracemalloc.start()
    with pytest.raises(DataError, match=r"would take more than 10000000 bytes unpacked") as caught:
        open_source(f"archive:{path}", limits=Limits(examples_bytes=10_000_000))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert "limits.examples_bytes" in str(caught.value.hint)
    assert sum(taken) < 12_000_000
    assert peak < 40_000_000


def test_an_xz_archive_that_asks_for_much_memory_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = make_tar(tmp_path / "a.tar.xz", PICTURES, "w:xz")
    monkeypatch.setattr(tars, "_XZ_MEMORY", 2**20)
    assert "Memory usage limit exceeded" in refused(path).message


def test_an_xz_archive_of_several_streams_is_read_whole(tmp_path: Path) -> None:
    data = make_tar(tmp_path / "a.tar", PICTURES).read_bytes()
    path = tmp_path / "b.tar.xz"
    parts = [lzma.compress(data[start : start + 3_000]) for start in range(0, len(data), 3_000)]
    path.write_bytes(bytes(4).join(parts))
    assert open_source(f"archive:{path}").info().splits == {"all": 12}
    path.write_bytes(b"".join(parts)[:-20])
    assert "It is damaged or not all there" in str(refused(path).hint)


def test_no_room_to_unpack_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Full(io.BytesIO):
        def write(self, *_: object) -> int:
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(content, "TemporaryFile", Full)
    error = refused(make_tar(tmp_path / "a.tar.gz", PICTURES, "w:gz"))
    assert "No room to unpack" in error.message
    assert "No space left on device" in error.message
    assert "TMPDIR" in str(error.hint)


def cut(path: Path, keep: int) -> Path:
    path.write_bytes(path.read_bytes()[:keep])
    return path


def damaged_header(path: Path) -> Path:
    data = bytearray(path.read_bytes())
    data[1024:1034] = b"\xff" * 10
    path.write_bytes(data)
    return path


def encrypted(path: Path) -> Path:
    data = path.read_bytes()
    place = data.index(b"PK\x01\x02") + 8
    path.write_bytes(data[:place] + b"\x01" + data[place + 1 :])
    return path


def flipped(path: Path) -> Path:
    data = bytearray(path.read_bytes())
    data[data.index(b"IDAT") + 6] ^= 0xFF
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("spoil", [
    pytest.param((lambda at: cut(make_zip(at, PICTURES), 900), "not a zip file", "get it again"), id="half a ZIP"),
    pytest.param((lambda at: cut(make_tar(at, PICTURES), 3000), "unexpected end", "get it again"), id="half a tar"),
    pytest.param((lambda at: cut(make_tar(at, PICTURES), 2048), "neither a file nor its end", "get it again"),
                 id="a tar that ends between two files"),
    pytest.param((lambda at: damaged_header(make_tar(at, PICTURES)), "neither a file nor its end", "get it again"),
                 id="a tar with a broken header"),
    pytest.param((lambda at: cut(make_tar(at, PICTURES, "w:gz"), 200), "Cannot read the archive", "get it again"),
                 id="half a gzip"),
    pytest.param((lambda at: encrypted(make_zip(at, PICTURES)), "encrypted", "password"), id="a password"),
    pytest.param((lambda at: make_zip(at, PICTURES, zipfile.ZIP_LZMA), "packed by LZMA", "folder:"), id="LZMA"),
    pytest.param((lambda at: flipped(make_zip(at, PICTURES, 0)), "not those that were packed", None), id="a flip"),
    pytest.param((lambda at: make_zip(at, {"train.csv": b"a,b\n"}), "found 1 .csv", "csv:PATH"), id="rows"),
    pytest.param((lambda at: make_zip(at, {}), "No images", None), id="nothing"),
    pytest.param((lambda at: make_tar(at, {"a\udcff/0.png": png(1)}), "not UTF-8", "Rename"), id="no text"),
    pytest.param((lambda at: make_tar(at, {"cat/x.png": png(1), "./cat/x.png": png(2), **PICTURES}), "two files called",
                  "rename"), id="one name twice"),
    pytest.param((lambda at: at.write_bytes(gzip.compress(b"x" * 2000)) and at, "an invalid header", "get it again"),
                 id="a gzip of something else"),
    pytest.param((lambda at: at.write_bytes(b"7z\xbc\xaf\x27\x1c" + bytes(600)) and at, "a 7-Zip archive", None),
                 id="7-Zip"),
    pytest.param((lambda at: at.write_bytes(b"<!doctype html>log in") and at, "a web page", "browser"), id="a page"),
    pytest.param((lambda at: (at.write_bytes(b"") and 0) or at, "an empty file", "Get the file again"), id="empty"),
])  # fmt: skip
def test_a_spoiled_archive_is_refused_with_a_reason(tmp_path: Path, spoil: tuple) -> None:  # type: ignore[type-arg]
    make, message, hint = spoil
    error = refused(make(tmp_path / "a.zip"))
    assert message in error.message
    assert hint is None or hint in str(error.hint)
