"""A shared repository in which somebody else may write any bytes, and what the program makes of it."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mu2net_core.objects import HeadEntry, encode, hash_bytes, object_key
from mu2net_core.repo import Repository
from mu2net_core.testing.building.samples import SAMPLE_IDENTITY
from mu2net_core.testing.worlds.commands import Run

HUGE = 2**40
Attack = Callable[[Repository], object]

HEAD = f'format = 1\nidentity = "{SAMPLE_IDENTITY}"\npreset = "vit-mini"\n'.encode()


def write(repo: Repository, key: str, data: bytes) -> None:
    path = repo.path / key
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    path.write_bytes(data)


def write_sparse(repo: Repository, key: str) -> None:
    write(repo, key, b"")
    os.truncate(repo.path / key, HUGE)


def put(repo: Repository, kind: Any, table: dict[str, Any]) -> str:
    return repo.objects.put_bytes(kind, encode(table))


def table_of(repo: Repository, kind: Any, oid: str) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(repo.objects.read(kind, oid))
    return loaded


def move_head(repo: Repository, commit_id: str, task: str = "cats") -> None:
    number = repo.refs.numbers().get(task, 0) + 1
    before = repo.refs.entry(task, number - 1)[0].entry_hash if number > 1 else None
    write(repo, f"refs/heads/{task}/{number:08d}", encode(HeadEntry(commit=commit_id, previous=before)))


def with_commit(**changes: Any) -> Attack:
    """Returns an attack that moves the head to its commit with some values changed."""

    def attack(repo: Repository) -> None:
        state = repo.refs.head("cats")
        assert state is not None
        table = table_of(repo, "commit", state.commit) | {"parents": [state.commit]}
        move_head(repo, put(repo, "commit", table | changes))

    return attack


def with_model(change: Callable[[dict[str, Any]], object]) -> Attack:
    """Returns an attack that moves the head to its model with something changed."""

    def attack(repo: Repository) -> None:
        state = repo.refs.head("cats")
        assert state is not None
        commit = table_of(repo, "commit", state.commit) | {"parents": [state.commit]}
        model = table_of(repo, "model", commit["model"])
        change(model)
        move_head(repo, put(repo, "commit", commit | {"model": put(repo, "model", model)}))

    return attack


def first_key(repo: Repository, kind: str) -> str:
    return next(iter(repo.store.list(f"objects/{kind}")))


REFUSED: dict[str, tuple[Attack, str]] = {
    "a tag as large as a disk": (lambda repo: write_sparse(repo, "refs/tags/v1"), "size limit"),
    "an entry as large as a disk": (lambda repo: write_sparse(repo, "refs/heads/cats/00000003"), "size limit"),
    "settings as large as a disk": (lambda repo: write_sparse(repo, "config.toml"), "size limit"),
    "a manifest as large as a disk": (lambda repo: write_sparse(repo, first_key(repo, "model")), "size limit"),
    "other bytes than the id says": (lambda repo: write(repo, first_key(repo, "task"), b"{}"), "damaged"),
    "a root that is no id": (lambda repo: write(repo, "refs/roots/r", b"../../x\n"), "names no object"),
    "an entry that is no id": (
        lambda repo: write(repo, "refs/heads/cats/00000003", encode(HeadEntry(commit="../x", previous=None))),
        "names no object",
    ),
    "an entry that nests": (lambda repo: write(repo, "refs/heads/cats/00000003", b"[" * 60_000), "names no object"),
    "a head without its commit": (lambda repo: move_head(repo, "a" * 64), "No objects/commit/aa/aaaa"),
    "a parent that is nowhere": (with_commit(parents=["b" * 64]), "No objects/commit/bb/bbbb"),
    "ten thousand parents": (with_commit(parents=[f"{i:064x}" for i in range(10_000)]), "No objects/commit/00/0000"),
    "a commit of another task": (with_commit(task="dogs"), "of the task dogs"),
    "a time that does not sort": (with_commit(finished_at="tomorrow"), "expected a time"),
    "selections beyond all counting": (with_commit(selections={"a" * 64: {"a": 2**60}}), "selections"),
    "a score that is none": (with_model(lambda model: model.update(score="NaN")), "Expected `float"),
    "a path for an id": (with_model(lambda model: model["components"][0].update(id="../../../etc")), "64 hex digits"),
    "a model of a million layers": (
        with_model(lambda model: model.update(components=[*model["components"] * 60_000])),
        "over the limit|size limit|distinct names",
    ),
    "settings that nest": (lambda repo: write(repo, "config.toml", b"a = " + b"[" * 50_000), "are damaged"),
    "settings that are bytes": (lambda repo: write(repo, "config.toml", b"\xff\x00" * 99), "are damaged"),
    "a preset of theirs": (
        lambda repo: write(repo, "config.toml", HEAD.replace(b"vit-mini", b"../../evil")),
        "preset",
    ),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_is_hostile_is_named_and_nothing_of_it_is_kept(
    what: str, shared: Repository, run: Run, tmp_path: Path
) -> None:
    attack, complaint = REFUSED[what]
    attack(shared)
    result = run("clone", str(shared.path), "mine")
    assert result.code in {2, 3, 4, 5}, (result.code, result.err)
    assert any(part in result.out + result.err for part in complaint.split("|")), result
    assert "this is a defect" not in result.out + result.err
    assert "Traceback" not in result.err
    assert len(result.out + result.err) < 3_000
    if "settings" in what or "preset" in what:
        assert not (tmp_path / "mine").exists()
        return
    assert "! broken " in result.out
    assert run("-C", "mine", "log").code == 0
    assert json.loads(run("-C", "mine", "fsck", "--json").out)["problems"] == []


@pytest.mark.parametrize("what", REFUSED)
def test_a_working_copy_is_not_harmed_by_pulling_it(what: str, shared: Repository, run: Run, tmp_path: Path) -> None:
    assert run("clone", str(shared.path), "mine").code == 0
    attack, _ = REFUSED[what]
    attack(shared)
    result = run("-C", "mine", "pull")
    assert "this is a defect" not in result.err
    assert "Traceback" not in result.err
    assert run("-C", "mine", "log").code == 0
    problems = json.loads(run("-C", "mine", "fsck", "--json").out)["problems"]
    assert {problem["kind"] for problem in problems} <= {"unreachable-remote"}, problems


def test_names_that_are_none_are_passed_over(shared: Repository, run: Run) -> None:
    good = (shared.path / "refs/heads/cats/00000001").read_bytes()
    for name in ("CON", "Cats", "con", "a b", ".hidden", "cats.", "é", "a" * 150, "x\n", "-x", "12345678", "a\x1b[31m"):
        write(shared, f"refs/heads/{name}/00000001", good)
        write(shared, f"refs/tags/{name}", b"a" * 64 + b"\n")
    for number in ("1", "0000001", "000000001", "00000000", "٠٠٠٠٠٠٠١"):
        write(shared, f"refs/heads/cats/{number}", b"")
    result = run("clone", str(shared.path), "mine")
    assert result.code == 0, result.err
    assert [row.split("\t")[0] for row in run("-C", "mine", "tasks").out.splitlines()] == ["cats"]


def test_a_list_of_names_without_end_is_not_taken_in(shared: Repository, run: Run, monkeypatch: Any) -> None:
    for number in range(30):
        write(shared, f"refs/tags/t{number}", b"a" * 64 + b"\n")
    monkeypatch.setenv("MU2NET_LIMITS_REFS", "20")
    result = run("clone", str(shared.path), "mine")
    assert result.code == 5
    assert "more than 20 tags" in result.err
    assert "limits.refs" in result.err


def test_settings_of_theirs_change_no_limit_and_name_no_place(shared: Repository, run: Run) -> None:
    settings = (
        '[settings]\nevolve.children = 7\nlimits.layers = 5\nevil.key = "x"\n[settings.data]\ncats = "folder:/etc"\n'
    )
    remotes = '[remotes.evil]\nurl = "s3://evil/shared"\npartial = false\n'
    write(
        shared,
        "config.toml",
        HEAD + f"{settings}{remotes}".encode(),
    )
    result = run("clone", str(shared.path), "mine")
    assert result.code == 0, result.err
    assert "left out the setting evil.key" in result.err
    values = {row.split("\t")[0]: row.split("\t")[1] for row in run("-C", "mine", "config", "list").out.splitlines()}
    assert values["evolve.children"] == "7"
    assert values["limits.layers"] == "1000"
    assert "data.cats" not in values
    assert [row.split("\t")[0] for row in run("-C", "mine", "remote", "list").out.splitlines()] == ["origin"]


def test_a_limit_can_be_raised_and_lowered(shared: Repository, run: Run, monkeypatch: Any) -> None:
    assert run("clone", str(shared.path), "mine").code == 0
    assert run("-C", "mine", "config", "set", "limits.manifest_bytes", "100").code == 0
    lowered = run("-C", "mine", "log")
    assert lowered.code == 5
    assert "limit" in lowered.err
    assert run("-C", "mine", "config", "set", "limits.manifest_bytes", "0").code == 2
    assert run("-C", "mine", "config", "set", "limits.nothing", "5").code == 3
    monkeypatch.setenv("MU2NET_LIMITS_MANIFEST_BYTES", "1000000")
    assert run("-C", "mine", "log").code == 0


def test_parents_that_go_in_circles_end(shared: Repository, run: Run) -> None:
    def circle(model: dict[str, Any]) -> None:
        first, second, third = model["components"]
        first["parent"], second["parent"], third["parent"] = second["id"], first["id"], third["id"]

    with_model(circle)(shared)
    assert run("clone", str(shared.path), "mine").code == 0
    for args in (["ancestry", "cats", "--transfer"], ["show", "cats"], ["leaderboard"], ["fsck"]):
        assert "this is a defect" not in run("-C", "mine", *args).err


def test_an_object_of_a_megabyte_is_hashed_before_it_is_believed(shared: Repository) -> None:
    data = b"{" * 2**20
    write(shared, object_key("model", hash_bytes(data)), data)
    with pytest.raises(Exception, match="Cannot read model") as caught:
        shared.objects.model(hash_bytes(data))
    assert caught.typename == "CorruptObjectError"
