"""WebDataset: shards are read in place as its own library reads them, and what is wrong with them is told."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import pytest
from PIL import Image

from mu2net_core.data import SourceInfo, absolute_uri, default_name, open_source
from mu2net_core.data.rows import embedded, samples
from mu2net_core.errors import DataError, InvalidInputError, Mu2netError, NotFoundError
from mu2net_core.objects import Limits, Slice


def png(value: int) -> bytes:
    file = io.BytesIO()
    Image.new("L", (4, 4), value).save(file, "png")
    return file.getvalue()


def of_images(numbers: Sequence[int]) -> dict[str, bytes]:
    parts = [{f"n{one:03}.png": png(one), f"n{one:03}.cls": f"{one % 2}\n".encode()} for one in numbers]
    return {name: data for part in parts for name, data in part.items()}


def write(path: Path, files: Mapping[str, bytes] | Sequence[tuple[str, bytes]], mode: str = "w") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, mode) as archive:  # type: ignore[call-overload]
        for name, data in files.items() if isinstance(files, Mapping) else files:
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return path


def read(path: Path | str, cwd: Path = Path("/"), **options: str | bool) -> tuple[SourceInfo, list[tuple[Any, Any]]]:
    """Returns what shards hold that are given by a path alone, and input and label of each row."""
    source = open_source(absolute_uri(str(path), cwd), options=options)
    info = source.info()
    slices = [Slice(split=split, start=0, stop=count) for split, count in info.splits.items()]
    return info, sorted(((one.input, one.label) for one in source.read(slices)), key=lambda one: str(one[0]))


def wanted(numbers: Sequence[int]) -> list[tuple[bytes, int]]:
    return sorted(((png(number), number % 2) for number in numbers), key=lambda one: str(one[0]))


def spoiled(path: Path, **options: str | bool) -> Mu2netError:
    with pytest.raises(Mu2netError) as caught:
        read(path, **options)
    return caught.value


@pytest.mark.parametrize(
    "named", ["shards/train-{000000..000002}.tar", "./shards", "shards/*.tar", "shards/train-00000?.tar"]
)
def test_shards_are_read_by_a_range_a_pattern_or_their_folder(tmp_path: Path, named: str) -> None:
    for shard in range(3):
        write(tmp_path / f"shards/train-{shard:06}.tar", of_images(range(10 * shard, 10 * shard + 10)))
    uri = absolute_uri(named, tmp_path)
    info, found = read(named, tmp_path)
    assert (uri.partition(":")[0], info.input, info.classes) == ("webdataset", "image", ("0", "1"))
    assert info.options["target"] == "cls"
    assert found == wanted(range(30))
    assert default_name(uri) == "shards"


def test_a_single_shard_is_known_by_what_is_in_it(tmp_path: Path) -> None:
    path = write(tmp_path / "pets-000000.tar", of_images(range(10)))
    assert read(path)[1] == wanted(range(10))
    assert default_name(absolute_uri(str(path), tmp_path)) == "pets"
    classes = write(tmp_path / "classes.tar", {f"{name}/{one}.png": png(one) for name in "ab" for one in range(6)})
    assert read(classes)[0].classes == ("a", "b")


def test_images_are_read_in_place_and_those_of_packed_shards_are_copied(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    packed = write(tmp_path / "a-0.tar.gz", of_images(range(10)), "w:gz")
    assert read(f"webdataset:{packed}")[1] == wanted(range(10))
    monkeypatch.setattr(embedded, "_Copy", None)
    path = write(tmp_path / "a-0.tar", of_images(range(10)))
    source = open_source(f"webdataset:{path}")
    (first,) = source.read([Slice(split="train", start=0, stop=1)])
    assert first.name.startswith(f"{path}/n00")
    path.write_bytes(b"")
    with pytest.raises(DataError, match=r"a-0\.tar changed while it was read"):
        list(source.read([Slice(split="train", start=0, stop=1)]))


def test_images_of_packed_shards_are_within_limits(tmp_path: Path) -> None:
    packed = write(tmp_path / "a-0.tar.gz", of_images(range(10)), "w:gz")
    source = partial(open_source, f"webdataset:{packed}", options={"skip_bad": True})
    with pytest.raises(DataError, match=r"take more than 20000 bytes unpacked \(limits\.examples_bytes\)"):
        source(limits=Limits(examples_bytes=20_000))
    assert source(limits=Limits(examples_bytes=50_000)).info().splits


@pytest.mark.parametrize("names", [("train-{}", "val-{}", "test-{}"), ("train/{}", "dev/{}", "test/{}")])
def test_shards_called_as_splits_are_splits(tmp_path: Path, names: Sequence[str]) -> None:
    for number, name in enumerate(names):
        write(tmp_path / f"set/{name.format('00000')}.tar", of_images(range(10 * number, 10 * number + 10)))
    info, found = read(f"webdataset:{tmp_path / 'set'}")
    assert info.splits == {"train": 10, "validation": 10, "test": 10}
    assert found == wanted(range(30))


def test_texts_tables_and_lists_of_labels_are_samples_too(tmp_path: Path) -> None:
    texts = dict[str, bytes]()
    for one in range(20):
        texts |= {f"{one}.txt": f"\ufeffthis is the text {one} é".encode(), f"{one}.cls": b"ab"[one % 2 :][:1]}
    info, found = read(write(tmp_path / "texts-0.tar", texts))
    assert (info.input, info.classes) == ("text", ("a", "b"))
    assert ("this is the text 3 é".encode(), 1) in found
    rows = [{"size": one / 3, "y": ["a", "b"][: one % 3], "cls": "x", "image": "z"} for one in range(20)]
    cells = {f"{one}.json": json.dumps(row).encode() for one, row in enumerate(rows)}
    info, found = read(f"webdataset:{write(tmp_path / 'rows-0.tar', cells)}", target="y")
    assert (info.output.kind, info.input, info.classes) == ("labels", "table", ("a", "b"))
    assert msgspec.json.decode(found[0][0]) == {"size": 0.0, "cls": "x", "json.image": "z"}


def test_of_several_images_in_a_sample_one_must_be_named(tmp_path: Path) -> None:
    files = {f"{one}.{kind}": data for one in range(10) for kind, data in
             (("cls", b"%d" % (one % 2)), ("jpg", png(one)), ("mask.png", png(100 + one)))}  # fmt: skip
    path = write(tmp_path / "a-0.tar", files)
    with pytest.raises(InvalidInputError, match=r"Several columns hold images: image, mask\.png"):
        read(path)
    assert read(path, image="mask.png")[1] == wanted(range(100, 110))


def test_what_samples_lack_is_told(tmp_path: Path) -> None:
    files = of_images(range(20)) | {"n100.png": png(100), "n101.png": png(101)}
    info, found = read(write(tmp_path / "a-0.tar", files))
    assert found == wanted(range(20))
    assert "2 of 22 samples lack .cls, as a-0.tar/n100" in info.notes
    assert "2 rows without a value of cls are left out" in info.notes
    path = write(tmp_path / "b-0.tar", of_images(range(20)) | {"n200.cls": b"0"})
    error = spoiled(path)
    assert "there is no image b-0.tar/n200" in error.message
    assert "--skip-bad" in str(error.hint)
    assert read(path, skip_bad=True)[1] == wanted(range(20))


def test_what_is_no_part_is_left_out_and_counted_and_no_pickle_is_read(tmp_path: Path) -> None:
    files = {
        "README": b"x",
        "__MACOSX/._n000.png": b"x",
        **of_images(range(10)),
        "n009.pyd": b"\x80\x04.",
        "n009.npy": b"",
    }
    info, found = read(write(tmp_path / "a-0.tar", files))
    assert found == wanted(range(10))
    assert "left out what is not read: 1 .npy, 1 .pyd, 1 file without an ending" in info.notes


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("x.json", b"{", r"a-0\.tar/x\.json is no JSON"),
        ("x.json", b"[1]", r"a-0\.tar/x\.json is a list, no object"),
        ("x.json", b"[" * 100_000, r"a-0\.tar/x\.json is (nested too deeply|no JSON)"),
        ("x.txt", b"\xff\xfe", r"a-0\.tar/x\.txt is not UTF-8"),
    ],
)
def test_a_part_that_cannot_be_read_is_told_and_left_out_on_request(
    tmp_path: Path, name: str, data: bytes, message: str
) -> None:
    path = write(tmp_path / "a-0.tar", of_images(range(10)) | {name: data, "x.png": png(99), "x.cls": b"1"})
    with pytest.raises(DataError, match=message) as caught:
        read(path)
    assert "--skip-bad" in str(caught.value.hint)
    info, found = read(path, skip_bad=True)
    assert found == wanted(range(10))
    assert any("left out 1 sample that cannot be read" in note for note in info.notes)
    assert len(info.skipped) == 1


def test_parts_of_one_name_that_lie_apart_or_are_there_twice_are_told(tmp_path: Path) -> None:
    files = list(of_images(range(10)).items())
    twice = write(tmp_path / "a-0.tar", [*files, ("n009.cls", b"0")])
    assert "a-0.tar/n009 has several files called .cls" in spoiled(twice).message
    apart = write(tmp_path / "b-0.tar", [*files[:2], *sorted(files[2:], key=lambda one: one[0][-3:])])
    assert "there is no image b-0.tar/n001" in spoiled(apart).message


def test_a_part_that_is_too_long_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(samples, "ROW_BYTES", 10)
    path = write(tmp_path / "a-0.tar", of_images(range(10)) | {"x.json": b'{"a": "0123456789"}', "x.cls": b"1"})
    assert "a-0.tar/x.json has 19 bytes, at most 10 are read" in spoiled(path).message


def test_a_shard_of_a_range_that_is_missing_is_told(tmp_path: Path) -> None:
    write(tmp_path / "a-000000.tar", of_images(range(10)))
    with pytest.raises(DataError, match=r"is not all there: a-000001\.tar missing"):
        read(tmp_path / "a-{000000..000001}.tar")
    with pytest.raises(NotFoundError, match="No such files"):
        read(tmp_path / "b-{000000..000001}.tar")
    with pytest.raises(NotFoundError, match="No tar files"):
        read(tmp_path / "b-*.tar")
    with pytest.raises(InvalidInputError, match="at most 100000"):
        read(tmp_path / "b-{0..99999999999}.tar")
    with pytest.raises(InvalidInputError, match="at most 100000"):
        read(tmp_path / "{0..999}{0..999}.tar")


@pytest.mark.parametrize("name", ["../x.png", "/x.png", "a/../../x.png"])
def test_shards_made_to_do_harm_are_refused(tmp_path: Path, name: str) -> None:
    path = write(tmp_path / "a-0.tar", {**of_images(range(30)), name: png(1)})
    assert "leads elsewhere" in spoiled(path).message
    many = [(f"n.{kind}.png", png(1)) for kind in range(101)]
    error = spoiled(write(tmp_path / "b-0.tar", [*of_images(range(30)).items(), *many]))
    assert "more than 100 files in it are called n" in error.message


def test_links_in_shards_are_left_out_and_shards_that_are_cut_off_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "a-0.tar", of_images(range(10)))
    with tarfile.open(path, "a") as archive:
        member = tarfile.TarInfo("n999.png")
        member.type, member.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(member)
    info, found = read(path)
    assert found == wanted(range(10))
    assert "left out what is not read: 1 link" in info.notes
    path.write_bytes(path.read_bytes()[:3000])
    assert "Cannot read the archive" in spoiled(Path(f"{tmp_path}/a-{{0..0}}.tar")).message


def test_the_cells_of_all_samples_are_within_limits(tmp_path: Path) -> None:
    path = write(tmp_path / "a-0.tar", of_images(range(30)))
    with pytest.raises(DataError, match="would take more than 200 bytes"):
        open_source(f"webdataset:{path}", limits=Limits(examples_bytes=200))


def test_shards_with_capitals_are_read_and_pointers_and_empty_classes_refused(tmp_path: Path) -> None:
    files = of_images(range(20))
    capitals = {name.replace("png", "PNG").replace("cls", "CLS"): data for name, data in files.items()}
    assert read(write(tmp_path / "a-0.tar", capitals))[1] == wanted(range(20))
    empty = {name: b"" if name.endswith("cls") else data for name, data in files.items()}
    assert "cls has no two different values" in spoiled(write(tmp_path / "b-0.tar", empty)).message
    (tmp_path / "c-0.tar").write_bytes(b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n")
    assert "it is a Git LFS pointer" in spoiled(Path(f"{tmp_path}/c-{{0..0}}.tar")).message
