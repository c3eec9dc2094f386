"""A shared repository in which somebody else may write any bytes, and what the program makes of it."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mu2net_cli.main import main
from mu2net_core.api.context import Context
from mu2net_core.objects import Agent, HeadEntry, Task, encode, hash_bytes, object_key
from mu2net_core.repo import Repository
from mu2net_core.testing.samples import SAMPLE_IDENTITY, add_sample_task, evolve_sample, sample_repository, sample_task

EVIL = "x\x1b]8;;http://evil\x07\x1b[2J\r\n\u202eetihw\u2066\x9b[red]a[/red][link=http://evil]b[/link]"
HUGE = 2**40
Attack = Callable[[Repository], object]

HEAD = f'format = 1\nidentity = "{SAMPLE_IDENTITY}"\npreset = "vit-mini"\n'.encode()


class Outcome:
    """What a command line exited with and printed."""

    def __init__(self, code: int, out: str, err: str) -> None:
        self.code, self.out, self.err = code, out, err

    @property
    def is_harmless(self) -> bool:
        """Whether nothing was printed that a terminal would act upon."""
        return all(char.isprintable() or char in "\n\t" for char in self.out + self.err)


Run = Callable[..., Outcome]


@pytest.fixture(autouse=True)
def _quick_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "fsync", lambda handle: None)


@pytest.fixture
def run(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    """Returns what runs a command line in this process, with no settings of the user's."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "none"))
    for name in [name for name in os.environ if name.startswith("MU2NET_LIMITS")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)

    def run_mu2net(*args: str) -> Outcome:
        capfd.readouterr()
        return Outcome(main([*args]), *capfd.readouterr())

    return run_mu2net


@pytest.fixture
def bucket(tmp_path: Path) -> Repository:
    """Returns a shared repository with the task ``cats`` and one model."""
    repo = sample_repository(tmp_path / "bucket", bare=True)
    add_sample_task(repo, "cats")
    evolve_sample(repo, "cats", score=0.5)
    return repo


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
    what: str, bucket: Repository, run: Run, tmp_path: Path
) -> None:
    attack, complaint = REFUSED[what]
    attack(bucket)
    result = run("clone", str(bucket.path), "mine")
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
def test_a_working_copy_is_not_harmed_by_pulling_it(what: str, bucket: Repository, run: Run, tmp_path: Path) -> None:
    assert run("clone", str(bucket.path), "mine").code == 0
    attack, _ = REFUSED[what]
    attack(bucket)
    result = run("-C", "mine", "pull")
    assert "this is a defect" not in result.err
    assert "Traceback" not in result.err
    assert run("-C", "mine", "log").code == 0
    problems = json.loads(run("-C", "mine", "fsck", "--json").out)["problems"]
    assert {problem["kind"] for problem in problems} <= {"unreachable-remote"}, problems


def test_names_that_are_none_are_passed_over(bucket: Repository, run: Run) -> None:
    good = (bucket.path / "refs/heads/cats/00000001").read_bytes()
    for name in ("CON", "Cats", "con", "a b", ".hidden", "cats.", "é", "a" * 150, "x\n", "-x", "12345678", "a\x1b[31m"):
        write(bucket, f"refs/heads/{name}/00000001", good)
        write(bucket, f"refs/tags/{name}", b"a" * 64 + b"\n")
    for number in ("1", "0000001", "000000001", "00000000", "٠٠٠٠٠٠٠١"):
        write(bucket, f"refs/heads/cats/{number}", b"")
    result = run("clone", str(bucket.path), "mine")
    assert result.code == 0, result.err
    assert [row.split("\t")[0] for row in run("-C", "mine", "tasks").out.splitlines()] == ["cats"]


def test_a_list_of_names_without_end_is_not_taken_in(bucket: Repository, run: Run, monkeypatch: Any) -> None:
    for number in range(30):
        write(bucket, f"refs/tags/t{number}", b"a" * 64 + b"\n")
    monkeypatch.setenv("MU2NET_LIMITS_REFS", "20")
    result = run("clone", str(bucket.path), "mine")
    assert result.code == 5
    assert "more than 20 tags" in result.err
    assert "limits.refs" in result.err


def test_settings_of_theirs_change_no_limit_and_name_no_place(bucket: Repository, run: Run) -> None:
    settings = (
        '[settings]\nevolve.children = 7\nlimits.layers = 5\nevil.key = "x"\n[settings.data]\ncats = "folder:/etc"\n'
    )
    remotes = '[remotes.evil]\nurl = "s3://evil/bucket"\npartial = false\n'
    write(
        bucket,
        "config.toml",
        HEAD + f"{settings}{remotes}".encode(),
    )
    result = run("clone", str(bucket.path), "mine")
    assert result.code == 0, result.err
    assert "left out the setting evil.key" in result.err
    values = {row.split("\t")[0]: row.split("\t")[1] for row in run("-C", "mine", "config", "list").out.splitlines()}
    assert values["evolve.children"] == "7"
    assert values["limits.layers"] == "1000"
    assert "data.cats" not in values
    assert [row.split("\t")[0] for row in run("-C", "mine", "remote", "list").out.splitlines()] == ["origin"]


def test_a_limit_can_be_raised_and_lowered(bucket: Repository, run: Run, monkeypatch: Any) -> None:
    assert run("clone", str(bucket.path), "mine").code == 0
    assert run("-C", "mine", "config", "set", "limits.manifest_bytes", "100").code == 0
    lowered = run("-C", "mine", "log")
    assert lowered.code == 5
    assert "limit" in lowered.err
    assert run("-C", "mine", "config", "set", "limits.manifest_bytes", "0").code == 2
    assert run("-C", "mine", "config", "set", "limits.nothing", "5").code == 3
    monkeypatch.setenv("MU2NET_LIMITS_MANIFEST_BYTES", "1000000")
    assert run("-C", "mine", "log").code == 0


def evil_bucket(bucket: Repository) -> Repository:
    """Returns the bucket with hostile text wherever there can be text."""
    state = bucket.refs.head("cats")
    assert state is not None
    task = sample_task("cats")
    splits = {name: replace(split, spec=EVIL) for name, split in task.splits.items()}
    task = replace(task, source=f"folder:/{EVIL}", classes=(EVIL, "b"), splits=splits, options={EVIL: EVIL})
    task_id = bucket.objects.put(task)
    commit = bucket.objects.commit(state.commit)
    assert commit.model is not None
    model = bucket.objects.model(commit.model)
    refs = tuple(replace(ref, name=f"{ref.name}{EVIL}") for ref in model.components)
    model = replace(
        model,
        task_id=task_id,
        components=refs,
        hyperparameters={**model.hyperparameters, EVIL: EVIL},
        device_kind=EVIL,
        versions={EVIL: EVIL},
        architecture=replace(model.architecture, name=EVIL, config={EVIL: EVIL}),
    )
    evil = replace(
        commit,
        task_id=task_id,
        model=bucket.objects.put(model),
        parents=(state.commit,),
        agent=Agent(id=EVIL, host=EVIL, device=EVIL),
        message=EVIL,
        children=replace(commit.children, sampled=1, discarded={EVIL: 1}),
    )
    move_head(bucket, bucket.objects.put(evil))
    return bucket


LOOKING = [
    ["log"],
    ["log", "--oneline"],
    ["show", "cats"],
    ["reflog", "cats"],
    ["status"],
    ["leaderboard"],
    ["ancestry", "cats"],
    ["ancestry", "cats", "--format", "table", "--transfer"],
    ["tasks"],
    ["fetch"],
    ["pull"],
    ["fsck"],
    ["tag"],
    ["config", "list"],
    ["remote", "list"],
    ["verify"],
    ["show", "cats\x1b[31m"],
    ["eval", "cats"],
]


def test_hostile_text_is_shown_and_not_obeyed(bucket: Repository, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    cloned = run("clone", str(evil_bucket(bucket).path), "mine")
    assert cloned.code == 0, cloned.err
    assert cloned.is_harmless
    for args in LOOKING:
        result = run("-C", "mine", *args)
        assert result.is_harmless, (args, result.out, result.err)
        assert "this is a defect" not in result.err, (args, result.err)
    assert r"\x1b]8;;http://evil\x07\x1b[2J\r\n\u202eetihw" in run("-C", "mine", "log").out
    plain = run("-C", "mine", "log", "--oneline").out.splitlines()
    assert len(plain) == 3


def test_hostile_text_in_json_is_json(bucket: Repository, run: Run) -> None:
    assert run("clone", str(evil_bucket(bucket).path), "mine", "--json").code == 0
    for args in LOOKING:
        if "--oneline" in args or "--format" in args:
            continue
        result = run("-C", "mine", *args, "--json")
        assert result.is_harmless, args
        for line in (result.out if result.code == 0 else result.err).splitlines():
            json.loads(line)
    entry = json.loads(run("-C", "mine", "log", "--json", "-n", "1").out)
    assert (entry["message"], entry["agent"]["host"]) == (EVIL, EVIL)


def test_hostile_text_on_a_terminal(bucket: Repository, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    run("clone", str(evil_bucket(bucket).path), "mine")
    monkeypatch.setenv("TERM", "dumb")
    monkeypatch.setattr("mu2net_cli.render.sys.stdout.isatty", lambda: True, raising=False)
    for args in LOOKING:
        result = run("--no-color", "--no-progress", "-C", "mine", *args)
        assert result.is_harmless, (args, result.out)
    drawn = run("--no-color", "-C", "mine", "tasks").out
    assert drawn.split()[:2] == ["task", "data"]  # titles: it was a terminal
    assert "[red]a[/red]" in drawn.replace("\n", "").replace(" ", "")


def test_parents_that_go_in_circles_end(bucket: Repository, run: Run) -> None:
    def circle(model: dict[str, Any]) -> None:
        first, second, third = model["components"]
        first["parent"], second["parent"], third["parent"] = second["id"], first["id"], third["id"]

    with_model(circle)(bucket)
    assert run("clone", str(bucket.path), "mine").code == 0
    for args in (["ancestry", "cats", "--transfer"], ["show", "cats"], ["leaderboard"], ["fsck"]):
        assert "this is a defect" not in run("-C", "mine", *args).err


def test_data_is_read_from_no_path_that_came_along(
    bucket: Repository, context: Context, run: Run, tmp_path: Path
) -> None:
    from mu2net_core.api.open import open_repo
    from mu2net_core.api.runtime import split_at
    from mu2net_core.errors import DataError

    assert run("clone", str(bucket.path), "mine").code == 0
    mine = open_repo(tmp_path / "mine", context)
    state = mine.refs.head("cats")
    assert state is not None
    task = mine.objects.task(mine.objects.commit(state.commit).task_id)
    with pytest.raises(DataError, match=r"is npz:/data/cats.npz, as whoever added(.|\n)*config set data.cats npz:PATH"):
        split_at(mine, context, task, "test", 8)
    assert run("-C", "mine", "config", "set", "data.cats", "npz:/nowhere/cats.npz").code == 0
    with pytest.raises(DataError, match=r"No such file: /nowhere/cats\.npz"):
        split_at(open_repo(tmp_path / "mine", context), context, task, "test", 8)
    with pytest.raises(DataError, match=r"over the limit of (.|\n)*limits.examples_bytes"):
        split_at(mine, context, task, "test", 2**30)


@pytest.mark.parametrize(
    "source", ["folder:/etc", "npz:/etc/x.npz", "folder:etc", "plug:os", "http://169.254.169.254/x"]
)
def test_data_of_a_cloned_task_is_read_from_nowhere_after_the_remote_is_removed(
    source: str, bucket: Repository, context: Context, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mu2net_core.api.open import open_repo
    from mu2net_core.api.runtime import split_at
    from mu2net_core.data import load, stream
    from mu2net_core.errors import DataError

    def opened(*_args: object, **_options: object) -> None:
        raise AssertionError("it was opened")

    assert run("clone", "--full", str(bucket.path), "mine").code == 0
    assert run("-C", "mine", "remote", "remove", "origin").code == 0
    monkeypatch.setattr(load, "open_source", opened)
    monkeypatch.setattr(stream, "open_split", opened)
    mine = open_repo(tmp_path / "mine", context)
    task = replace(task_of(mine, "cats"), source=source)
    with pytest.raises(DataError, match="nothing is read before you say so") as caught:
        split_at(mine, context, task, "test", 8)
    assert "mu2net config set data.cats " in str(caught.value.hint)


@pytest.mark.parametrize(
    "options",
    [{"depth": "abc"}, {"depth": -1}, {"depth": 10**9}, {"depth": True}, {"skip_bad": "no"}, {"skip_stray": 2}],
)
def test_nonsense_in_a_tasks_options_is_an_error_in_the_data(
    options: dict[str, int | str | bool], bucket: Repository, tmp_path: Path
) -> None:
    from mu2net_core.data import load_split
    from mu2net_core.errors import DataError

    for name in ("a/0.png", "b/0.png"):
        (tmp_path / "photos" / name).parent.mkdir(parents=True)
        (tmp_path / "photos" / name).write_bytes(b"x")
    task = replace(task_of(bucket, "cats"), source="folder:photos", options=options)
    with pytest.raises(DataError, match="cannot be read as the task says"):
        load_split(task, "test", size=(8, 8), uri=f"folder:{tmp_path / 'photos'}")


def task_of(repo: Repository, name: str) -> Task:
    state = repo.refs.head(name)
    assert state is not None
    return repo.objects.task(repo.objects.commit(state.commit).task_id)


def test_an_object_of_a_megabyte_is_hashed_before_it_is_believed(bucket: Repository) -> None:
    data = b"{" * 2**20
    write(bucket, object_key("model", hash_bytes(data)), data)
    with pytest.raises(Exception, match="Cannot read model") as caught:
        bucket.objects.model(hash_bytes(data))
    assert caught.typename == "CorruptObjectError"
