"""Shared repositories with anything anywhere: every verb ends with an exit code of ours, and prints harmless text."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mu2net_cli.main import main
from mu2net_core.objects import HeadEntry, encode
from mu2net_core.repo import Repository, open_repository
from mu2net_core.testing.building.samples import add_sample_task, evolve_sample, sample_repository

QUICK = settings(
    max_examples=int(os.environ.get("MU2NET_TEST_EXAMPLES", "12")),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
VERBS = [
    ["log"],
    ["log", "--json"],
    ["show", "cats"],
    ["reflog", "cats"],
    ["status"],
    ["leaderboard"],
    ["ancestry", "cats", "--transfer"],
    ["tasks"],
    ["tag"],
    ["fsck"],
    ["pull"],
    ["gc"],
    ["verify"],
]
TEXTS = ["", "\x1b[2J", "\u202e", "../..", "cats", "1" * 64, "x" * 9000]
ODD = st.sampled_from([None, True, -1, 0, 2**53, 2**64, 1e308, -0.0, [], {}, [[]], *TEXTS])
JSON = st.recursive(
    ODD | st.integers() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=9), inner, max_size=4),
    max_leaves=8,
)
EDITS = st.lists(st.tuples(st.floats(0, 1), st.integers(0, 20), st.binary(max_size=20)), min_size=1, max_size=3)


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Returns a shared repository with two tasks, one built on the other, and a tag."""
    repo = sample_repository(tmp_path_factory.mktemp("fuzz") / "good", bare=True)
    for task in ("cats", "dogs"):
        add_sample_task(repo, task)
        evolve_sample(repo, task, score=0.5)
    evolve_sample(repo, "cats", score=0.75)
    return repo.path


@pytest.fixture(autouse=True)
def _world(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(os, "fsync", lambda handle: None)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "none"))


@contextmanager
def copy_of(good: Path) -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as folder:
        shutil.copytree(good, Path(folder) / "bucket")
        yield Path(folder)


def use(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Clones the bucket in ``folder``; runs every verb in the clone, and in the bucket itself if that is not whole."""
    code = checked(["clone", str(folder / "bucket"), str(folder / "mine")], capfd)
    is_made = (folder / "mine").exists()
    assert code in ({0, 5} if is_made else {1, 2, 3, 4, 5, 6})
    for place in [*["mine"] * is_made, *["bucket"] * (code != 0)]:
        for verb in VERBS:
            checked(["-C", str(folder / place), *verb], capfd)


def checked(args: list[str], capfd: pytest.CaptureFixture[str]) -> int:
    capfd.readouterr()
    code = main(args)
    out, err = capfd.readouterr()
    assert code in {0, 1, 2, 3, 4, 5, 6}
    assert "this is a defect" not in err, (args, err)
    assert all(char.isprintable() or char in "\n\t" for char in out + err), (args, out, err)
    return code


@QUICK
@given(data=st.data())
def test_any_change_to_any_file(data: st.DataObject, good: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with copy_of(good) as folder:
        files = sorted(path for path in (folder / "bucket").rglob("*") if path.is_file())
        for file in data.draw(st.lists(st.sampled_from(files), min_size=1, max_size=3)):
            content = file.read_bytes()
            for share, cut, inserted in data.draw(EDITS):
                place = int(share * len(content))
                content = content[:place] + inserted + content[place + cut :]
            file.chmod(0o644)
            file.write_bytes(content)
        use(folder, capfd)


def somewhere(table: Any, data: st.DataObject) -> tuple[Any, Any]:
    """Returns a list or object in ``table``, and a key of it."""
    while True:
        keys = list(range(len(table))) if isinstance(table, list) else sorted(table)
        key = data.draw(st.sampled_from(keys))
        if not (isinstance(table[key], list | dict) and table[key]) or data.draw(st.booleans()):
            return table, key
        table = table[key]


@QUICK
@given(data=st.data())
def test_any_value_in_manifests_whose_ids_are_right(
    data: st.DataObject, good: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with copy_of(good) as folder:
        repo = open_repository(folder / "bucket")
        state = repo.refs.head("cats")
        assert state is not None
        commit = json.loads(repo.objects.read("commit", state.commit)) | {"parents": [state.commit]}
        changed = data.draw(st.sampled_from(["commit", "model", "task", "snapshot"]))
        if changed == "commit":
            change(commit, data)
        else:
            key = {"model": "model", "task": "task_id", "snapshot": "snapshot"}[changed]
            table = json.loads(repo.objects.read(changed, commit[key]))  # type: ignore[arg-type]
            change(table, data)
            commit[key] = store(repo, changed, table)
        entry = HeadEntry(commit=store(repo, "commit", commit), previous=state.entry_hash)
        (repo.path / f"refs/heads/cats/{state.number + 1:08d}").write_bytes(encode(entry))
        use(folder, capfd)


def change(table: Any, data: st.DataObject) -> None:
    for _ in range(data.draw(st.integers(1, 2))):
        inner, key = somewhere(table, data)
        inner[key] = data.draw(JSON)


def store(repo: Repository, kind: Any, table: Any) -> str:
    text = json.dumps(table, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return repo.objects.put_bytes(kind, text.encode(errors="replace"))
