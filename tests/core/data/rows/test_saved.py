"""Folders of Hugging Face's ``datasets``: saved ones, and those of the Hub, written here in their exact layout."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pyarrow
import pytest

from mu2net_core.data.rows import embedded
from mu2net_core.errors import DataError, InvalidInputError, Mu2netError
from mu2net_core.objects import Labels
from mu2net_core.testing.building.saved import (
    IMAGE,
    LABEL,
    NAMES,
    PICTURES,
    TEXT,
    TEXTS,
    every,
    png,
    read,
    save,
    save_splits,
    table,
    write_hub,
)


@pytest.mark.parametrize("shards", [1, 4])
def test_a_saved_folder_is_read_by_its_path_with_its_classes_in_their_order(tmp_path: Path, shards: int) -> None:
    save(tmp_path / "set", TEXTS, {"text": TEXT, "label": LABEL}, shards)
    info, found = read(tmp_path / "set")
    assert (info.input, info.classes) == ("text", tuple(NAMES))
    wanted = sorted(((row["text"].encode(), row["label"]) for row in TEXTS), key=str)
    assert every(found) == wanted
    assert sum(info.splits.values()) == 30


def test_the_splits_of_a_saved_folder_are_kept_and_those_that_are_missing_are_taken_from_train(tmp_path: Path) -> None:
    splits = {"train": TEXTS[:20], "test": TEXTS[20:], "unsupervised": [{**TEXTS[0], "label": -1}]}
    save_splits(tmp_path / "set", splits, {"text": TEXT, "label": LABEL})
    info, found = read(tmp_path / "set")
    assert info.splits == {"train": 16, "test": 10, "validation": 4}
    assert every({"test": found["test"]}) == sorted(
        ((row["text"].encode(), row["label"]) for row in TEXTS[20:]), key=str
    )
    assert "1 row without a value of label is left out" in info.notes


def test_a_test_split_without_labels_is_left_out_and_one_is_taken_from_train(tmp_path: Path) -> None:
    splits = {"train": TEXTS[:20], "test": [{**row, "label": -1} for row in TEXTS[20:]]}
    save_splits(tmp_path / "set", splits, {"text": TEXT, "label": LABEL})
    info, _ = read(tmp_path / "set")
    assert info.splits == {"train": 12, "test": 4, "validation": 4}


def test_a_class_that_no_row_has_keeps_its_number(tmp_path: Path) -> None:
    save(tmp_path / "set", [row for row in TEXTS if row["label"] != 1], {"text": TEXT, "label": LABEL})
    info, found = read(tmp_path / "set")
    assert info.classes == tuple(NAMES)
    assert {label for _, label in every(found)} == {0, 2}


def test_classes_called_by_numbers_stay_classes(tmp_path: Path) -> None:
    names = [str(number) for number in range(40, 0, -1)]
    rows = [{"text": f"this is the text {number}", "label": number % 40} for number in range(200)]
    save(tmp_path / "set", rows, {"text": TEXT, "label": {"names": names, "_type": "ClassLabel"}})
    assert read(tmp_path / "set")[0].classes == tuple(names)


def test_numbers_lists_of_classes_and_tables_are_read_as_their_columns_say(tmp_path: Path) -> None:
    rows = [
        {"size": number / 3, "kind": number % 3, "tags": [number % 3, 1], "day": f"2026-01-{number + 1:02}"}
        for number in range(30)
    ]
    number, tags = {"dtype": "float32", "_type": "Value"}, {"feature": LABEL, "_type": "List"}
    save(tmp_path / "set", rows, {"size": number, "kind": LABEL, "tags": tags, "day": TEXT})
    info, found = read(tmp_path / "set", target="size")
    assert (info.output.kind, info.metric, info.input) == ("number", "r2", "table")
    cells = [msgspec.json.decode(row) for row, _ in every(found)]
    assert cells[0] == {"kind": "NA", "day": "2026-01-03"}
    assert any("lists, bytes or other nested values are left out: tags" in note for note in info.notes)
    info, _ = read(tmp_path / "set", target="tags")
    assert isinstance(info.output, Labels)
    assert info.output.names == ("NA", "ant", "zebra")


def test_images_in_the_rows_are_read_where_they_lie(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded, "_Copy", None)
    save(tmp_path / "set", PICTURES, {"image": IMAGE, "label": LABEL}, 3)
    info, found = read(tmp_path / "set")
    assert (info.input, info.classes, info.options["image"]) == ("image", tuple(NAMES), "image")
    assert every(found) == sorted(((png(number), number % 3) for number in range(12)), key=str)
    assert any("images go in, which the column image holds" in note for note in info.notes)
    again, _ = read(tmp_path / "set", **info.options)  # type: ignore[arg-type]
    assert again.splits == info.splits


def test_an_image_that_a_row_only_names_is_read_below_the_folder_and_nowhere_else(tmp_path: Path) -> None:
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "own.png").write_bytes(png(99))
    (tmp_path / "secret.png").write_bytes(png(7))
    named = {"image": {"bytes": None, "path": str(tmp_path / "set" / "own.png")}, "label": 0}
    save(tmp_path / "set", [*PICTURES, named], {"image": IMAGE, "label": LABEL})
    assert (png(99), 0) in every(read(tmp_path / "set")[1])
    stolen = {"image": {"bytes": None, "path": str(tmp_path / "secret.png")}, "label": 0}
    save(tmp_path / "set", [*PICTURES, stolen], {"image": IMAGE, "label": LABEL})
    with pytest.raises(DataError, match=r"there is no image .*secret\.png") as caught:
        read(tmp_path / "set")
    assert "--skip-bad" in str(caught.value.hint)
    assert len(every(read(tmp_path / "set", skip_bad=True)[1])) == 12


def test_a_row_without_an_image_and_a_broken_one_are_left_out_on_request(tmp_path: Path) -> None:
    bad = [{"image": None, "label": 0}, {"image": {"bytes": b"GIF8 of nothing", "path": None}, "label": 1}]
    save(tmp_path / "set", [*PICTURES, *bad], {"image": IMAGE, "label": LABEL})
    with pytest.raises(DataError, match="a row names no image"):
        read(tmp_path / "set")
    info, found = read(tmp_path / "set", skip_bad=True)
    assert len(every(found)) == 12
    assert len(info.skipped) == 2


def test_of_several_columns_of_images_one_must_be_named(tmp_path: Path) -> None:
    rows = [{**row, "mask": {"bytes": png(200), "path": None}} for row in PICTURES]
    save(tmp_path / "set", rows, {"image": IMAGE, "mask": IMAGE, "label": LABEL})
    with pytest.raises(InvalidInputError, match="Several columns hold images: image, mask") as caught:
        read(tmp_path / "set")
    assert "--image image" in str(caught.value.hint)
    assert {data for data, _ in every(read(tmp_path / "set", image="mask")[1])} == {png(200)}


def test_a_table_of_other_columns_is_read_beside_images(tmp_path: Path) -> None:
    rows = [{**row, "size": number / 3} for number, row in enumerate(PICTURES)]
    save(tmp_path / "set", rows, {"image": IMAGE, "size": {"dtype": "float32", "_type": "Value"}, "label": LABEL})
    info, found = read(tmp_path / "set", columns='["size"]')
    assert info.input == "table"
    assert msgspec.json.decode(every(found)[0][0]) == {"size": 0.0}


def spoiled(path: Path) -> Mu2netError:
    with pytest.raises(Mu2netError) as caught:
        read(path)
    return caught.value


def test_a_program_that_loads_data_is_never_run(tmp_path: Path) -> None:
    script = "import datasets, pathlib\npathlib.Path('ran').touch()\nclass A(datasets.GeneratorBasedBuilder): ...\n"
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "set.py").write_text(script)
    error = spoiled(tmp_path / "set")
    assert "is loaded by a program, set.py, and none is ever run" in error.message
    assert "refs/convert/parquet" in str(error.hint)
    write_hub(tmp_path / "both")
    (tmp_path / "both" / "both.py").write_text(script)
    assert read(tmp_path / "both")[0].classes == tuple(NAMES)


def test_what_is_missing_or_leads_elsewhere_in_a_saved_folder_is_told(tmp_path: Path) -> None:
    folder, features = tmp_path / "set", {"text": TEXT, "label": LABEL}
    for state, message in (
        ({"_data_files": [{"filename": "../x.arrow"}]}, "names a file that is not beside it"),
        ({"_data_files": [{"filename": "gone.arrow"}]}, "is not all there: gone.arrow missing"),
        ({"_data_files": []}, "names no files"),
        ({"_indices_data_files": [{"filename": "indices.arrow"}]}, "order of .* lies in a file of its own"),
    ):
        save(folder, TEXTS, features, **state)
        with pytest.raises(DataError, match=message):
            read(folder)
    save(folder, TEXTS, features)
    (folder / "state.json").write_text("{")
    assert "state.json is no JSON" in spoiled(folder).message
    save_splits(tmp_path / "two", {"train": TEXTS, "test": TEXTS}, features)
    (tmp_path / "two" / "test" / "state.json").unlink()
    assert "two/test has no state.json" in spoiled(tmp_path / "two").message
    (tmp_path / "two" / "dataset_dict.json").write_text(json.dumps({"splits": ["../set"]}))
    assert "names a file that is not beside it: '../set'" in spoiled(tmp_path / "two").message


def test_a_part_that_is_missing_or_there_twice_is_told(tmp_path: Path) -> None:
    data = write_hub(tmp_path / "set") / "data"
    (data / "train-00001-of-00002.parquet").rename(data / "train-00001-of-00003.parquet")
    assert "parts of the same split of two versions" in spoiled(tmp_path / "set").message
    (data / "train-00000-of-00002.parquet").rename(data / "train-00000-of-00003.parquet")
    assert "of train, part 00002 of 3 missing" in spoiled(tmp_path / "set").message
    (data / "train-00002-of-00003.parquet").write_bytes((data / "train-00000-of-00003.parquet").read_bytes())
    assert read(tmp_path / "set")[0].splits["test"] == 10
    (data / "train-00002-of-00003-0123abcd.parquet").write_bytes((data / "train-00000-of-00003.parquet").read_bytes())
    assert "has a part twice" in spoiled(tmp_path / "set").message


def test_a_class_without_a_name_and_names_that_are_the_same_are_refused(tmp_path: Path) -> None:
    save(tmp_path / "set", [*TEXTS, {"text": "a", "label": 3}], {"text": TEXT, "label": LABEL})
    assert "has the class 3 in the column label, which has 3 classes" in spoiled(tmp_path / "set").message
    save(tmp_path / "set", TEXTS, {"text": TEXT, "label": {"names": ["a", "a ", "b"], "_type": "ClassLabel"}})
    assert "The classes of the column label have no name each" in spoiled(tmp_path / "set").message


@pytest.mark.parametrize("cut", [3, 100, 700, -9])
def test_an_arrow_file_that_is_cut_off_is_refused(tmp_path: Path, cut: int) -> None:
    file = save(tmp_path / "set", TEXTS, {"text": TEXT, "label": LABEL}) / "data-00000-of-00001.arrow"
    file.write_bytes(file.read_bytes()[:cut])
    assert "data-00000-of-00001.arrow" in spoiled(tmp_path / "set").message


def test_an_arrow_file_whose_places_lead_out_of_it_is_refused(tmp_path: Path) -> None:
    file = save(tmp_path / "set", TEXTS, {"text": TEXT, "label": LABEL}) / "data-00000-of-00001.arrow"
    data, offsets = file.read_bytes(), pyarrow.array([0, 18, 36], pyarrow.int32()).buffers()[1].to_pybytes()[:12]
    at = data.index(offsets) + 4
    file.write_bytes(data[:at] + (2**31 - 1).to_bytes(4, "little") + data[at + 4 :])
    assert "Cannot read" in spoiled(tmp_path / "set").message


def test_images_in_packed_columns_are_refused_with_what_to_do(tmp_path: Path) -> None:
    file = save(tmp_path / "set", PICTURES, {"image": IMAGE, "label": LABEL}) / "data-00000-of-00001.arrow"
    part, options = table(PICTURES, {"image": IMAGE, "label": LABEL}), pyarrow.ipc.IpcWriteOptions(compression="lz4")
    with pyarrow.OSFile(str(file), "wb") as sink, pyarrow.ipc.new_stream(sink, part.schema, options=options) as writer:
        writer.write_table(part)
    error = spoiled(tmp_path / "set")
    assert "are packed" in error.message
    assert "save_to_disk" in str(error.hint)


POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n"
PART, FILE = "data/test-00000-of-00001.parquet", "data-00000-of-00001.arrow"
PAGE = b"---\nlicense: [mit\n---\n# A page for people\n"


@pytest.mark.parametrize(
    ("kind", "name", "data", "told"),
    [
        pytest.param("hub", PART, POINTER, "found a Git LFS pointer", id="a pointer instead of Parquet"),
        pytest.param("hub", PART, b"PAR1" + bytes(20), "Cannot read", id="Parquet cut off"),
        pytest.param("hub", "README.md", PAGE, NAMES, id="a page that is no YAML"),
        pytest.param("hub", "dataset_infos.json", b"[" * 10_000, "is no JSON", id="a description nested too deeply"),
        pytest.param("saved", FILE, b"", "found an empty file", id="nothing instead of Arrow"),
        pytest.param("saved", FILE, b"<!doctype html><p>Log in", "found a web page", id="a web page instead of Arrow"),
        pytest.param("saved", FILE, b"ARROW1" + bytes(20), "found an Arrow file", id="another format of Arrow"),
        pytest.param("saved", "dataset_info.json", b"[]", NAMES, id="a description that is a list"),
        pytest.param("saved", "state.json", b"[]", "is no JSON object", id="a state that is a list"),
        pytest.param("saved", "dataset_dict.json", b'{"splits": ["x"]}', "set/x has no state.json", id="a split gone"),
    ],
)
def test_spoiled_folders_are_refused_with_a_reason_or_read_as_they_were_meant(
    tmp_path: Path, kind: str, name: str, data: bytes, told: str | list[str]
) -> None:
    if kind == "hub":
        write_hub(tmp_path / "set")
    else:
        save(tmp_path / "set", TEXTS, {"text": TEXT, "label": LABEL})
    (tmp_path / "set" / name).write_bytes(data)
    if isinstance(told, list):
        assert list(read(tmp_path / "set")[0].classes) == told
    else:
        assert told in spoiled(tmp_path / "set").message


def test_classes_that_are_texts_already_are_read_as_they_are(tmp_path: Path) -> None:
    rows = [{**row, "label": NAMES[row["label"]]} for row in TEXTS if row["label"] < 2]
    save(tmp_path / "set", rows, {"text": TEXT, "label": LABEL})
    assert read(tmp_path / "set")[0].classes == ("ant", "zebra")
