from __future__ import annotations

import importlib.util
import json
import os
import shutil
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from mu2net_core.data import ExampleStream, describe_task, load_split, open_source
from mu2net_core.data.sources import prepare as preparing
from mu2net_core.errors import DataError, InvalidInputError, NotFoundError
from mu2net_core.objects import Image, Task

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def data_dir() -> str:
    path = (ROOT / os.environ.get("MU2NET_TEST_DATA", "../shared/data") / "tfds").resolve()
    if not (path / "cmaterdb").is_dir():
        pytest.skip(f"no prepared data in {path}; point MU2NET_TEST_DATA to the test data")
    return str(path)


@pytest.fixture(scope="module")
def telugu(data_dir: str) -> Task:
    return describe_task("cmaterdb/telugu", data_dir=data_dir).task


@pytest.fixture
def no_tensorflow(monkeypatch: pytest.MonkeyPatch) -> None:
    find_spec = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda n, *a: None if n == "tensorflow" else find_spec(n, *a))


@pytest.mark.parametrize("found", [SimpleNamespace(), ImportError("No module named 'six'")])
def test_a_catalogue_that_does_not_start_here_is_no_broken_data_set(found, data_dir, monkeypatch) -> None:
    def start(_name: str) -> SimpleNamespace:
        if isinstance(found, ImportError):
            raise found
        return found

    monkeypatch.setattr(preparing.importlib, "import_module", start)
    with pytest.raises(DataError, match="tensorflow-datasets does not start here") as caught:
        describe_task("cmaterdb/telugu", data_dir=data_dir)
    assert "says why" in (caught.value.hint or "")


def test_a_prepared_data_set_is_read_without_tensorflow(telugu: Task) -> None:
    assert (telugu.name, telugu.source) == ("cmaterdb/telugu", "tfds:cmaterdb/telugu:1.0.0")
    assert telugu.input == Image(height=32, width=32, channels=3)
    assert {name: (split.spec, split.num_examples) for name, split in telugu.splits.items()} == {
        "train": ("train[20%:]", 2000),
        "validation": ("train[:20%]", 500),
        "test": ("test", 500),
    }
    assert "tensorflow" not in sys.modules


def test_its_examples_are_those_the_catalogue_gives(telugu: Task, data_dir: str) -> None:
    tfds = preparing.import_tfds()
    source = tfds.builder_from_directory(f"{data_dir}/cmaterdb/telugu/1.0.0").as_data_source(
        split="train[20%:21%]", decoders={"image": tfds.decode.SkipDecoding()}
    )
    found = load_split(telugu, "train", shape=(32, 32, 3), data_dir=data_dir)
    assert found.labels[:25].tolist() == [example["label"] for example in source]
    validation = load_split(telugu, "validation", shape=(16, 16, 3), data_dir=data_dir)
    assert validation.inputs.shape == (500, 16, 16, 3)
    assert np.bincount(validation.labels, minlength=10).min() > 20


def test_its_examples_by_number_and_streamed_are_those_that_are_loaded(
    telugu: Task, data_dir: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mu2net_core.data.sources.tfds._TOGETHER_BYTES", 2000)  # some at a time, not all
    source, slices = open_source("cmaterdb/telugu", data_dir=data_dir), telugu.splits["validation"].slices
    examples = source.examples(slices)
    read = list(source.read(slices))
    assert [examples[index] for index in range(500)] == read
    assert list(examples.take(range(499, 0, -7))) == read[499:0:-7]
    loaded = load_split(telugu, "validation", shape=(16, 16, 3), data_dir=data_dir)
    stream = ExampleStream(telugu, "validation", shape=(16, 16, 3), data_dir=data_dir)
    assert np.array_equal(np.concatenate([part.inputs for part in stream.in_order(chunk=64)]), loaded.inputs)
    drawn = np.concatenate([part.labels for part in stream.shuffled(500, chunk=64, seed=1)])
    assert np.array_equal(np.bincount(drawn), np.bincount(loaded.labels))


def test_a_flipped_bit_in_the_prepared_files_is_noticed(telugu: Task, data_dir: str, tmp_path: Path) -> None:
    shutil.copytree(f"{data_dir}/cmaterdb/telugu", tmp_path / "cmaterdb" / "telugu")
    (file,) = (tmp_path / "cmaterdb").rglob("cmaterdb-test*")
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.chmod(0o644)
    file.write_bytes(data)
    with pytest.raises(DataError, match=r"changed under the task|Cannot read"):
        load_split(telugu, "test", shape=(32, 32, 3), data_dir=str(tmp_path))
    with pytest.raises(DataError, match=r"changed under the task|Cannot read"):
        ExampleStream(telugu, "test", shape=(32, 32, 3), data_dir=str(tmp_path)).in_order(chunk=64)


@pytest.mark.parametrize(
    ("name", "near"),
    [("cmaterdb/bengali", "cmaterdb/bangla"), ("cmaterbd/bangla", "cmaterdb"), ("mnits", "mnist")],
)
def test_an_unknown_data_set_gets_near_names(tmp_path: Path, name: str, near: str) -> None:
    with pytest.raises(NotFoundError, match=r"Unknown data set .* not in the TensorFlow Datasets catalogue") as error:
        open_source(name, data_dir=str(tmp_path))
    assert near in str(error.value.hint)


@pytest.mark.parametrize(
    ("given", "near"),
    [
        ("MNIST", "mnist"),
        ("fashion-mnist", "fashion_mnist"),
        ("Fashion MNIST", "fashion_mnist"),
        ("CIFAR-10", "cifar10"),
        ("SVHN", "svhn_cropped"),
    ],
)
def test_a_name_that_others_write_otherwise_gets_the_one_of_the_catalogue(given: str, near: str) -> None:
    with pytest.raises(InvalidInputError, match="Not a catalogue name") as error:
        open_source(given)
    assert error.value.hint == f"Did you mean {near}?"


def test_a_name_that_is_like_no_other(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="'zzqqxx'") as error:
        open_source("zzqqxx", data_dir=str(tmp_path))
    assert "folder:PATH" in str(error.value.hint)


def test_not_prepared_and_no_tensorflow(tmp_path: Path, no_tensorflow: None) -> None:
    with pytest.raises(DataError, match=f"cmaterdb/bangla is not prepared in {tmp_path}.* needs TensorFlow") as error:
        open_source("cmaterdb/bangla", data_dir=str(tmp_path))
    assert "pip install 'mu2net[prepare]'" in str(error.value.hint)


def test_another_version_than_the_pinned_one_does_not_count(data_dir: str, no_tensorflow: None) -> None:
    with pytest.raises(DataError, match=r"cmaterdb/bangla:2.0.0 is not prepared"):
        open_source("tfds:cmaterdb/bangla:2.0.0", data_dir=data_dir)


def test_with_tensorflow_it_is_prepared_as_array_record(
    data_dir: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    find_spec, tfds = importlib.util.find_spec, preparing.import_tfds()
    calls = []

    def builder(name: str, **options: str) -> SimpleNamespace:
        def download_and_prepare() -> None:
            print("Downloading …")
            calls.append((name, options))
            shutil.copytree(f"{data_dir}/cmaterdb", tmp_path / "cmaterdb")

        return SimpleNamespace(download_and_prepare=download_and_prepare)

    monkeypatch.setattr(importlib.util, "find_spec", lambda n, *a: n if n == "tensorflow" else find_spec(n, *a))
    monkeypatch.setattr(tfds, "builder", builder)
    assert open_source("cmaterdb", data_dir=str(tmp_path)).uri == "tfds:cmaterdb/bangla:1.0.0"
    assert calls == [("cmaterdb", {"data_dir": str(tmp_path), "file_format": "array_record"})]
    assert capsys.readouterr().out == ""


def test_a_failing_preparation_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def builder(*_: str, **__: str) -> None:
        raise OSError("no route to host")

    monkeypatch.setattr(importlib.util, "find_spec", lambda n, *_: n)
    monkeypatch.setattr(preparing.import_tfds(), "builder", builder)
    with pytest.raises(DataError, match=r"Preparing mnist in .* failed: OSError: no route to host"):
        preparing.prepare("mnist", tmp_path)


def test_a_prepared_data_set_of_something_else_than_labelled_images(data_dir: str, tmp_path: Path) -> None:
    folder = tmp_path / "cmaterdb" / "bangla" / "1.0.0"
    shutil.copytree(f"{data_dir}/cmaterdb/bangla/1.0.0", folder, copy_function=shutil.copyfile)
    features = folder / "features.json"
    features.write_text(features.read_text().replace('"label"', '"etikett"'))
    assert open_source("cmaterdb/bangla", data_dir=str(tmp_path)).info().classes[:2] == ("0", "1")
    described = json.loads(features.read_text())
    del described["featuresDict"]["features"]["etikett"]
    features.write_text(json.dumps(described))
    with pytest.raises(DataError, match="expected one image and one class label per example, found image"):
        open_source("cmaterdb/bangla", data_dir=str(tmp_path))


def test_a_damaged_description_is_told(data_dir: str, tmp_path: Path) -> None:
    folder = tmp_path / "cmaterdb" / "bangla" / "1.0.0"
    shutil.copytree(f"{data_dir}/cmaterdb/bangla/1.0.0", folder, copy_function=shutil.copyfile)
    (folder / "features.json").write_text("{")
    with pytest.raises(DataError, match="Cannot read the prepared data set in"):
        open_source("cmaterdb/bangla", data_dir=str(tmp_path))


@pytest.mark.parametrize("name", ["Bad Name", "a/b/c", "tfds:a:b"])
def test_what_is_no_catalogue_name(name: str) -> None:
    with pytest.raises((InvalidInputError, NotFoundError), match=r"Not a catalogue name|Unknown kind"):
        open_source(name)
