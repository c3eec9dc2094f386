"""A repository of format 1, as it was committed, must open for ever; docs/format.md must say how."""

from __future__ import annotations

import json
import re
import shutil
import zipfile
from collections.abc import Iterator
from pathlib import Path

import ml_dtypes
import numpy as np
import pytest
import zarr
from blake3 import blake3

from mu2net_core.codec.component import encode_component
from mu2net_core.objects import AccessRule, Component, encode, hash_bytes
from mu2net_core.repo import Repository, load_system, open_repository
from mu2net_core.repo.checking.fsck_run import fsck
from mu2net_core.repo.history.merging import merge
from mu2net_core.repo.history.revisions import resolve

ROOT = Path(__file__).parents[3]
GOLDEN = ROOT / "tests" / "golden" / "v1"
MERGED = "d5627c1cc2b772efc8c4f69b90883e1cd999335d4e563700728f1c0be5ca3490"


@pytest.fixture
def golden(tmp_path: Path) -> Repository:
    """Returns a copy of the golden repository."""
    shutil.copytree(GOLDEN, tmp_path / "v1")
    return open_repository(tmp_path / "v1")


def test_it_is_clean(golden: Repository) -> None:
    report = fsck(golden)
    assert report.is_clean, report.problems
    assert {kind: report.counts[kind] for kind in ("component", "model", "task", "commit", "snapshot", "entries")} == {
        "component": 7,
        "model": 5,
        "task": 3,
        "commit": 9,
        "snapshot": 3,
        "entries": 8,
    }


def test_its_system(golden: Repository) -> None:
    system = load_system(golden)
    assert set(system.heads) == {"numerals/bangla", "numerals/telugu"}
    assert system.rules["numerals/telugu"] == AccessRule.only(["numerals/telugu"])
    head = system.heads["numerals/bangla"]
    assert head.commit_id == MERGED
    assert head.commit.is_merge
    assert head.model is not None
    assert head.model.score == 0.875
    assert set(golden.refs.roots()) == {"tiny"}
    assert resolve(golden, "v1").kind == "snapshot"
    assert golden.objects.commit(resolve(golden, "old").id).removed


def test_its_arrays(golden: Repository) -> None:
    model = load_system(golden).heads["numerals/bangla"].model
    assert model is not None
    head = golden.objects.component(model.components[-1].id)
    assert head.config == {"num_classes": 2, "scale": 0.5, "bias": False, "init": "zeros"}
    np.testing.assert_array_equal(head.params["kernel"], np.full((4, 2), 0.875, "<f4"))
    assert head.params["step"].shape == ()
    assert head.params["step"] == 7
    momentum = head.opt_state["momentum/kernel"]
    assert momentum.dtype == ml_dtypes.bfloat16
    assert momentum[0].astype("f4").tolist() == [1.5, -2.0]


def test_todays_writers_make_the_same_bytes(golden: Repository) -> None:
    for oid in golden.objects.ids("component"):
        assert hash_bytes(encode_component(golden.objects.component(oid))) == oid
    readers = {"model": golden.objects.model, "task": golden.objects.task}
    readers |= {"commit": golden.objects.commit, "snapshot": golden.objects.snapshot}
    for kind, read in readers.items():
        for oid in golden.objects.ids(kind):  # type: ignore[arg-type]
            assert hash_bytes(encode(read(oid))) == oid


def test_todays_merge_is_the_same_merge(golden: Repository) -> None:
    parents = golden.objects.commit(MERGED).parents
    assert merge(golden.objects, parents)[0] == merge(golden.objects, reversed(parents))[0] == MERGED


class SecondReader:
    """Reads a repository by docs/format.md alone: no code of ours."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def data(self, kind: str, oid: str) -> bytes:
        suffix = "zarr.zip" if kind == "component" else "json"
        data = (self.root / "objects" / kind / oid[:2] / f"{oid[2:]}.{suffix}").read_bytes()
        assert blake3(data).hexdigest() == oid
        return data

    def json(self, kind: str, oid: str) -> dict:
        found = json.loads(self.data(kind, oid))
        assert (found["format"], found["kind"]) == (1, kind)
        return found

    def head(self, task: str) -> str:
        previous, commit = None, ""
        for number, path in enumerate(sorted((self.root / "refs/heads" / task).glob("[0-9]" * 8)), start=1):
            entry = json.loads(path.read_bytes())
            assert (int(path.name), entry["previous"]) == (number, previous)
            previous, commit = blake3(path.read_bytes()).hexdigest(), entry["commit"]
        return commit

    def arrays(self, model_id: str) -> Iterator[tuple[str, str, np.ndarray]]:
        for ref in self.json("model", model_id)["components"]:
            oid = ref["id"]
            store = zarr.storage.ZipStore(self.root / "objects/component" / oid[:2] / f"{oid[2:]}.zarr.zip", mode="r")
            group = zarr.open_group(store, mode="r")
            assert group.attrs["mu2net"]["name"] == ref["name"]  # type: ignore[index, call-overload]
            for name, array in group["params"].members(max_depth=None):  # type: ignore[union-attr]
                if isinstance(array, zarr.Array):
                    yield ref["name"], name, np.asarray(array[...])
            store.close()


def test_a_second_reader_sees_the_same(golden: Repository) -> None:
    second = SecondReader(GOLDEN)
    for task in ("numerals/bangla", "numerals/telugu"):
        head = golden.refs.head(task)
        assert head is not None
        assert second.head(task) == head.commit
        model_id = second.json("commit", head.commit)["model"]
        arrays = list(second.arrays(model_id))
        assert len(arrays) == 6
        for layer, name, array in arrays:
            ref = golden.objects.model(model_id).component(layer)
            assert ref is not None
            np.testing.assert_array_equal(golden.objects.component(ref.id).params[name], array)


def _documented() -> str:
    return (ROOT / "docs" / "format.md").read_text(encoding="utf-8")


def test_the_documented_examples_have_the_documented_hashes() -> None:
    examples = re.findall(r"```json\n(.+?)\n```\n\n(?:id|hash) `([0-9a-f]{64})`", _documented())
    assert len(examples) == 6
    for text, oid in examples:
        assert hash_bytes(text.encode()) == oid


def test_the_documented_component_has_the_documented_bytes(tmp_path: Path) -> None:
    text = _documented()
    data = encode_component(Component(name="x", config={"width": 2}, params={"a": np.array([1, 2], "i1")}))
    assert f"{len(data)} bytes and the id `{hash_bytes(data)}`" in text
    (tmp_path / "x.zip").write_bytes(data)
    with zipfile.ZipFile(tmp_path / "x.zip") as archive:
        for info in archive.infolist():
            start = data.index(archive.read(info), info.header_offset + 30)
            assert f"| `{info.filename}` | {info.header_offset} | {start} | {info.file_size} | {info.CRC:08x} |" in text
        assert f"is at {archive.start_dir} ({len(data) - 22 - archive.start_dir} bytes)" in text
    beginning = [data[:66].hex(" ")[i : i + 96].strip() for i in (0, 96, 192)]
    assert "\n    ".join(beginning) in text


def test_the_documented_keys_are_the_keys_there_are(golden: Repository) -> None:
    text = _documented()
    for kind in ("task", "model", "commit", "snapshot"):
        section = text.split(f"\n### {kind}\n")[1].split("\n### ")[0].split("\n## ")[0]
        oid = next(iter(golden.objects.ids(kind)))  # type: ignore[arg-type]
        table = json.loads(golden.objects.read(kind, oid))  # type: ignore[arg-type]
        for key in set(table) - {"format", "kind"}:
            assert f"`{key}`" in section, f"{kind}.{key} is not in docs/format.md"
