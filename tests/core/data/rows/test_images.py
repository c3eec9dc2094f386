"""Images that rows name: manifests, and metadata beside images as Hugging Face has it, in folders and archives."""

from __future__ import annotations

import io
import json
import re
import zipfile
from pathlib import Path

import pyarrow
import pytest
from PIL import Image
from pyarrow import parquet

from mu2net_core.data import SourceInfo, describe_task, open_source
from mu2net_core.data.sources import metadata
from mu2net_core.errors import DataError, InvalidInputError, Mu2netError
from mu2net_core.objects import Slice

NAMES = [f"{number}.png" for number in range(10)]
LABELS = dict.fromkeys(NAMES[:5], "cat") | dict.fromkeys(NAMES[5:], "dog")


def png(value: int) -> bytes:
    file = io.BytesIO()
    Image.new("L", (4, 4), value).save(file, "png")
    return file.getvalue()


def put(folder: Path, *, inside: str = "") -> Path:
    """Puts all images into a folder, and returns it."""
    for number, name in enumerate(NAMES):
        (folder / inside).mkdir(parents=True, exist_ok=True)
        (folder / inside / name).write_bytes(png(number))
    return folder


def manifest(column: str = "file_name", label: str = "label", inside: str = "") -> str:
    return f"{column},{label},patient\n" + "".join(f"{inside}{name},{LABELS[name]},{name[0]}\n" for name in NAMES)


def told(uri: str, **options: str | bool) -> tuple[SourceInfo, dict[str, str]]:
    """Returns what a source says it holds, and the class of each image by its name."""
    source = open_source(uri, options=options)
    info = source.info()
    slices = [Slice(split=split, start=0, stop=count) for split, count in info.splits.items()]
    stored = list(source.read(slices))
    assert all(one.input == png(int(Path(one.name).stem)) for one in stored)
    return info, {Path(one.name).name: info.classes[int(one.label)] for one in stored}  # type: ignore[arg-type]


def write_metadata(path: Path, ending: str) -> None:
    rows = [{"file_name": name, "label": LABELS[name]} for name in NAMES]
    if ending == "csv":
        (path / "metadata.csv").write_text(manifest())
    elif ending == "jsonl":
        (path / "metadata.jsonl").write_text("\n".join(map(json.dumps, rows)))
    else:
        parquet.write_table(pyarrow.Table.from_pylist(rows), path / "metadata.parquet")


@pytest.mark.parametrize("ending", ["csv", "jsonl", "parquet"])
@pytest.mark.parametrize("packed", [False, True])
def test_metadata_says_the_classes_of_the_images_beside_it(tmp_path: Path, ending: str, packed: bool) -> None:
    folder = put(tmp_path / "set")
    write_metadata(folder, ending)
    uri = f"folder:{folder}"
    if packed:
        with zipfile.ZipFile(tmp_path / "set.zip", "w") as archive:
            for file in folder.iterdir():
                archive.write(file, f"set/{file.name}")
        uri = f"archive:{tmp_path / 'set.zip'}"
    info, classes = told(uri)
    assert classes == LABELS
    assert (info.input, info.metric, sum(info.splits.values())) == ("image", "accuracy", 10)


def test_metadata_in_each_split_names_the_images_of_that_split(tmp_path: Path) -> None:
    for split in ("train", "test"):
        put(tmp_path / split, inside="images")
        (tmp_path / split / "metadata.csv").write_text(manifest(inside="images/"))
    info, classes = told(f"folder:{tmp_path}")
    assert info.splits == {"train": 8, "test": 10, "validation": 2}
    assert classes == LABELS


def test_a_number_is_learned_from_images_and_groups_stay_together(tmp_path: Path) -> None:
    put(tmp_path)
    rows = [{"file_name": name, "weight": 1.5 * number, "patient": number // 2} for number, name in enumerate(NAMES)]
    (tmp_path / "metadata.jsonl").write_text("\n".join(map(json.dumps, rows)))
    source = open_source(f"folder:{tmp_path}", options={"target": "weight", "group_by": "patient"})
    assert source.info().metric == "r2"
    for split, count in source.info().splits.items():
        stored = list(source.read([Slice(split=split, start=0, stop=count)]))
        patients = {int(Path(one.name).stem) // 2 for one in stored}
        assert len(stored) == 2 * len(patients)
    described = describe_task(f"folder:{tmp_path}", options={"target": "weight", "group_by": "patient"})
    assert described.task.input.kind == "image"


def test_folders_are_the_classes_where_metadata_names_none(tmp_path: Path) -> None:
    put(tmp_path, inside="cat")
    put(tmp_path, inside="dog")
    for data, told in (
        (b"file_name,camera\ncat/0.png,x\n", "folders of images are their classes, not metadata.csv: it has no column"),
        (b"colour,label\nred,x\n", "not read, as no column of it is called file_name: metadata.csv"),
        (b"\x89HDF of something else", "not read, as no column of it is called file_name: metadata.csv"),
        (
            b"file_name,label\ncat/0.png\xe9,x\ndog/0.png\xc3\xa9,y\n",
            "folders of images are their classes: .* no one enc",
        ),
    ):
        (tmp_path / "metadata.csv").write_bytes(data)
        info = open_source(f"folder:{tmp_path}").info()
        assert info.classes == ("cat", "dog")
        assert any(re.search(told, note) for note in info.notes)
    (tmp_path / "metadata.csv").write_bytes(b"colour,label\nred,x\n")
    with pytest.raises(InvalidInputError, match=r"target: for rows, and .* has no metadata"):
        open_source(f"folder:{tmp_path}", options={"target": "x"})


def test_metadata_that_is_not_about_images_is_not_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(tmp_path, inside="cat")
    put(tmp_path, inside="dog")
    (tmp_path / "metadata.csv").write_text("colour,label\nred,x\n")
    monkeypatch.setattr(metadata, "open_file", None)
    assert open_source(f"folder:{tmp_path}").info().classes == ("cat", "dog")


def test_metadata_of_utf_16_beside_folders_is_found_to_name_images(tmp_path: Path) -> None:
    put(tmp_path, inside="x")
    (tmp_path / "metadata.csv").write_text(manifest(inside="x/"), encoding="utf-16")
    assert told(f"folder:{tmp_path}")[1] == LABELS


def test_metadata_that_cannot_be_read_is_an_error_where_nothing_else_tells_images_apart(tmp_path: Path) -> None:
    put(tmp_path)
    (tmp_path / "metadata.csv").write_bytes(b"file_name,label\n0.png\xe9,x\n1.png\xc3\xa9,y\n")
    with pytest.raises(DataError, match="is of no one encoding"):
        open_source(f"folder:{tmp_path}")
    (tmp_path / "metadata.csv").write_text(manifest(), encoding="utf-16")
    assert told(f"folder:{tmp_path}")[1] == LABELS


def test_metadata_without_a_class_asks_for_the_column(tmp_path: Path) -> None:
    put(tmp_path)
    (tmp_path / "metadata.csv").write_text(manifest(label="breed"))
    with pytest.raises(DataError, match=r"Which column of .* file_name, breed, patient") as caught:
        open_source(f"folder:{tmp_path}")
    assert "--target" in str(caught.value.hint)
    assert told(f"folder:{tmp_path}", target="breed")[1] == LABELS


def test_images_that_no_row_names_are_left_out_and_told(tmp_path: Path) -> None:
    put(tmp_path)
    (tmp_path / "x.png").write_bytes(png(0))
    (tmp_path / "metadata.csv").write_text(manifest())
    info, classes = told(f"folder:{tmp_path}")
    assert (len(classes), "left out 1 image that no row names: x.png" in info.notes) == (10, True)


@pytest.mark.parametrize("column", ["image", "path", "file"])
def test_a_column_of_paths_of_images_is_found_and_told(tmp_path: Path, column: str) -> None:
    put(tmp_path, inside="photos")
    (tmp_path / "labels.csv").write_text(manifest(column, inside="photos/"))
    info, classes = told(f"csv:{tmp_path / 'labels.csv'}")
    assert (classes, info.options["image"], info.input) == (LABELS, column, "image")
    assert any(f"which the column {column} names" in note for note in info.notes)
    again, _ = told(f"csv:{tmp_path / 'labels.csv'}", **info.options)  # type: ignore[arg-type]
    assert again.splits == info.splits


def test_paths_of_windows_and_whole_paths_below_the_file_are_understood(tmp_path: Path) -> None:
    put(tmp_path, inside="photos")
    (tmp_path / "labels.csv").write_text(manifest("image", inside="photos\\"))
    assert told(f"csv:{tmp_path / 'labels.csv'}")[1] == LABELS
    (tmp_path / "labels.csv").write_text(manifest("image", inside=f"{tmp_path}/photos/"))
    assert told(f"csv:{tmp_path / 'labels.csv'}")[1] == LABELS


def test_columns_named_to_go_in_stay_a_table(tmp_path: Path) -> None:
    put(tmp_path)
    (tmp_path / "labels.csv").write_text(manifest("image"))
    assert open_source(f"csv:{tmp_path / 'labels.csv'}", options={"columns": '["image"]'}).info().input == "table"


def refused(uri: str, **options: str | bool) -> Mu2netError:
    with pytest.raises(Mu2netError) as caught:
        told(uri, **options)
    return caught.value


@pytest.mark.parametrize("away", ["../secret.png", "{}/secret.png", "link.png", "nowhere.png", "linked/secret.png", ""])
@pytest.mark.parametrize("of_folder", [False, True])
def test_an_image_that_is_not_there_or_lies_elsewhere_is_named(tmp_path: Path, away: str, of_folder: bool) -> None:
    folder = put(tmp_path / "set")
    (tmp_path / "secret.png").write_bytes(png(9))
    (folder / "link.png").symlink_to(tmp_path / "secret.png")
    (folder / "linked").symlink_to(tmp_path)
    (folder / "metadata.csv").write_text(manifest() + f"{away.format(tmp_path)},cat,1\n")
    uri = f"folder:{folder}" if of_folder else f"csv:{folder / 'metadata.csv'}"
    error = refused(uri)
    assert (f"there is no image {away.format(tmp_path)}" if away else "a row names no image") in error.message
    assert "--skip-bad" in str(error.hint)
    assert told(uri, skip_bad=True)[1] == LABELS


def test_a_broken_image_is_left_out_on_request(tmp_path: Path) -> None:
    put(tmp_path)
    (tmp_path / "labels.csv").write_text(manifest("image") + "x.png,dog,1\n")
    (tmp_path / "x.png").write_bytes(b"no image")
    with pytest.raises(DataError, match=r"Cannot read the image .*x\.png") as error:
        describe_task(f"csv:{tmp_path / 'labels.csv'}")
    assert "--skip-bad" in str(error.value.hint)
    described = describe_task(f"csv:{tmp_path / 'labels.csv'}", options={"skip_bad": True})
    assert sum(split.num_examples for split in described.task.splits.values()) == 10
    assert any("x.png cannot be read" in name for name in described.skipped)


def test_names_of_images_of_which_none_is_there_are_told(tmp_path: Path) -> None:
    (tmp_path / "labels.csv").write_text(manifest("image"))
    notes = open_source(f"csv:{tmp_path / 'labels.csv'}").info().notes
    assert any("none of them lies below" in note for note in notes)


def test_two_columns_of_images_are_a_question(tmp_path: Path) -> None:
    put(tmp_path)
    (tmp_path / "labels.csv").write_text("left,right,y\n" + "".join(f"{n},{n},{LABELS[n]}\n" for n in NAMES))
    error = refused(f"csv:{tmp_path / 'labels.csv'}")
    assert "Several columns name images: left, right" in error.message
    assert told(f"csv:{tmp_path / 'labels.csv'}", image="right")[1] == LABELS


def test_two_files_of_metadata_in_one_folder_are_refused(tmp_path: Path) -> None:
    put(tmp_path)
    for ending in ("csv", "jsonl"):
        write_metadata(tmp_path, ending)
    assert "Expected one file of metadata" in refused(f"folder:{tmp_path}").message


def test_broken_metadata_is_called_by_its_own_path(tmp_path: Path) -> None:
    put(tmp_path)
    (tmp_path / "metadata.csv").write_text("")
    error = refused(f"folder:{tmp_path}")
    assert str(tmp_path / "metadata.csv") in error.message
