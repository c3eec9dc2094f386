from __future__ import annotations

import importlib.util
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mu2net_core.api.context import Context
from mu2net_core.api.looking.tasks import tasks
from mu2net_core.api.tasks.add_task import add_task
from mu2net_core.api.tasks.options import TaskOptions
from mu2net_core.api.tasks.rm_task import rm_task
from mu2net_core.data.rows.source import RowSource
from mu2net_core.errors import AlreadyExistsError, DataError, InvalidInputError, NotFoundError
from mu2net_core.objects import PUBLIC, AccessRule
from mu2net_core.repo import HeadState, Repository, load_system, open_repository
from mu2net_core.testing.building.samples import add_sample_task


@pytest.fixture
def numbers(tmp_path: Path) -> str:
    images = (np.arange(60 * 4 * 4) % 251).astype(np.uint8).reshape(60, 4, 4)
    np.savez(tmp_path / "numbers.npz", x=images, y=np.arange(60) % 3)
    return "npz:numbers.npz"


def test_a_task_is_stored_with_a_head_and_no_model(repo: Repository, context: Context, numbers: str) -> None:
    head = add_task(repo, context, numbers)
    state = repo.refs.head("numbers")
    assert state is not None
    assert (state.number, state.commit) == (1, head.commit_id)
    commit = repo.objects.commit(state.commit)
    assert commit == head.commit
    assert (commit.model, commit.parents, commit.iteration, commit.message) == (None, (), 0, "add task numbers")
    assert commit.finished_at == "2026-01-02T03:04:05.678901+00:00"
    assert commit.agent is not None
    assert (commit.agent.id, commit.agent.host) == (repo.agent_id, "test-host")
    task = repo.objects.task(commit.task_id)
    assert task == head.task
    assert task.source == "npz:numbers.npz"
    assert task.access == PUBLIC
    assert load_system(repo).heads["numbers"].model is None


def test_the_same_data_set_may_be_two_tasks_of_other_splits(repo: Repository, context: Context, numbers: str) -> None:
    add_task(repo, context, numbers)
    head = add_task(repo, context, numbers, TaskOptions(name="team/small", train="all[:10]", validation="all[20:30]"))
    assert [(s.spec, s.num_examples) for s in head.task.splits.values()] == [
        ("all[:10]", 10),
        ("all[20:30]", 10),
        ("all[10:20]+all[30:32]", 12),
    ]
    assert [info.name for info in tasks(repo)] == ["numbers", "team/small"]


@pytest.mark.parametrize(
    ("options", "rule"),
    [
        ({}, PUBLIC),
        ({"private": True}, AccessRule.only(["numbers"])),
        ({"readers": ("team-b", "team-a")}, AccessRule.only(["team-a", "team-b"])),
    ],
)
def test_who_may_read(repo: Repository, context: Context, numbers: str, options: dict, rule: AccessRule) -> None:
    assert add_task(repo, context, numbers, TaskOptions(**options)).task.access == rule
    (info,) = tasks(repo)
    assert (info.readers, info.private) == (rule.readers, "private" in options)


def test_a_task_that_exists_already(repo: Repository, context: Context, numbers: str) -> None:
    add_task(repo, context, numbers)
    with pytest.raises(AlreadyExistsError, match="There is a task numbers already") as error:
        add_task(repo, context, numbers)
    assert "--name" in str(error.value.hint)
    assert len(repo.refs.log("numbers")) == 1


def test_a_task_that_is_added_twice_at_once_exists_already(
    repo: Repository, context: Context, numbers: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    append = repo.refs.append

    def slower(task: str, commit_id: str, *, after: HeadState | None) -> HeadState:
        add_sample_task(open_repository(repo.worktree), task)
        return append(task, commit_id, after=after)

    monkeypatch.setattr(repo.refs, "append", slower)
    with pytest.raises(AlreadyExistsError, match="There is a task numbers already"):
        add_task(repo, context, numbers)


def test_a_removed_task_can_be_added_again_and_keeps_its_history(
    repo: Repository, context: Context, numbers: str
) -> None:
    add_task(repo, context, numbers, TaskOptions(private=True))
    removed = rm_task(repo, context, "numbers")
    again = add_task(repo, context, numbers)
    assert again.commit.parents == (removed.commit_id,)
    assert [state.number for state in repo.refs.log("numbers")] == [1, 2, 3]
    assert load_system(repo).rules["numbers"] == AccessRule.only(["numbers"])


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"metric": "acuracy"}, r"No metric 'acuracy'; there are accuracy, auroc, balanced-accuracy, f1, mac"),
        ({"metric": "r2"}, "No metric 'r2' of classes; there are accuracy, auroc"),
        ({"metric": "accuracy", "output": "number"}, "No metric 'accuracy' of number; there are mae, r2"),
    ],
)
def test_a_metric_is_checked_before_any_example_is_read(
    repo: Repository, context: Context, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: dict, match: str
) -> None:
    (tmp_path / "rows.csv").write_text("size,label\n" + "1,a\n2,b\n" * 20)
    monkeypatch.setattr(RowSource, "read", None)
    with pytest.raises(InvalidInputError, match=match):
        add_task(repo, replace(context, cwd=tmp_path), "rows.csv", TaskOptions(**options))
    if options["metric"] == "acuracy":
        with pytest.raises(InvalidInputError, match=match):
            add_task(repo, replace(context, cwd=tmp_path), "gone.csv", TaskOptions(**options))


@pytest.mark.parametrize(
    ("uri", "options", "error", "match"),
    [
        ("npz:none.npz", {}, NotFoundError, "No such file: .*none.npz"),
        ("npz:numbers.npz", {"name": "Big Numbers"}, InvalidInputError, "Not a task name"),
        ("npz:numbers.npz", {"private": True, "readers": ("a",)}, InvalidInputError, "private or has readers"),
        ("npz:numbers.npz", {"readers": ("Team A",)}, InvalidInputError, "Not a reader name"),
        ("npz:numbers.npz", {"depth": 2}, InvalidInputError, "are for folders of images"),
        ("npz:numbers.npz", {"skip_bad": True}, InvalidInputError, "are for folders of images"),
        ("npz:numbers.npz", {"skip_stray": True}, InvalidInputError, "are for folders of images"),
        ("npz:numbers.npz", {"value_range": "0:4095"}, InvalidInputError, "images of more than 8 bits"),
        ("npz:numbers.npz", {"value_range": "4095"}, InvalidInputError, "Not a range of values: '4095'"),
        ("npz:numbers.npz", {"output": "class"}, InvalidInputError, "Not an output: 'class'"),
        ("npz:numbers.npz", {"target": "a"}, InvalidInputError, "--target: for rows"),
        ("npz:numbers.npz", {"validation": "dev"}, DataError, "No split 'dev'"),
        ("npz:numbers.npz", {"train": "all["}, InvalidInputError, "Not a split"),
        ("npz:numbers.npz", {"test": "all[:0]"}, DataError, "No examples for test"),
        ("sklearn:faces", {}, NotFoundError, "Unknown data set sklearn:faces"),
        ("zip:numbers.npz", {}, InvalidInputError, "Not a data set name"),
    ],
)
def test_bad_input_leaves_nothing_behind(
    repo: Repository, context: Context, numbers: str, uri: str, options: dict, error: type[Exception], match: str
) -> None:
    with pytest.raises(error, match=match):
        add_task(repo, context, uri, TaskOptions(**options))
    assert repo.refs.tasks() == ()
    assert list(repo.objects.ids("task")) == []


def test_broken_images_are_told_when_left_out(repo: Repository, context: Context, tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / "images" / "x" / name).mkdir(parents=True)
        for index in range(10):
            Image.new("L", (4, 4), index).save(tmp_path / "images" / "x" / name / f"{index}.png")
    (tmp_path / "images" / "x" / "a" / "bad.png").write_bytes(b"no image")
    with pytest.raises(DataError, match=r"Cannot read the image .*bad\.png"):
        add_task(repo, context, "folder:images", TaskOptions(depth=2))
    skipped: list[str] = []
    head = add_task(repo, context, "folder:images", TaskOptions(depth=2, skip_bad=True), on_skipped=skipped.append)
    assert head.task.output.labels == ("x/a", "x/b")
    assert head.task.options == {"depth": 2, "skip_bad": True}
    assert skipped == [str(tmp_path / "images" / "x" / "a" / "bad.png")]


def test_what_was_left_out_of_a_folder_is_told_and_options_are_kept(
    repo: Repository, context: Context, tmp_path: Path
) -> None:
    for name in ("a", "b"):
        (tmp_path / "images" / name).mkdir(parents=True)
        for index in range(10):
            values = np.full((4, 4), 400 * index, np.uint16)
            Image.fromarray(values).save(tmp_path / "images" / name / f"{index}.png")
    Image.new("L", (4, 4)).save(tmp_path / "images" / "overview.png")
    (tmp_path / "images" / "notes.txt").write_text("x")
    told: list[str] = []
    head = add_task(
        repo, replace(context, warn=told.append), "folder:images", TaskOptions(skip_stray=True, value_range="0:4095.0")
    )
    assert head.task.options == {"skip_stray": True, "range": "0:4095"}
    assert told[:3] == [
        "left out what is not read: 1 .txt",
        "left out 1 of 21 images elsewhere: overview.png",
        "20 of 20 images with more than 8 bits: values from 0 to 4095 became 0 to 255 (found 0 to 3600)",
    ]


def test_a_setting_may_say_where_the_data_of_a_task_lies_here(repo: Repository, tmp_path: Path) -> None:
    repo.update_config(lambda config: config.with_setting("data.team/cats.v2", f"folder:{tmp_path}"))
    assert open_repository(repo.path).config.settings["data.team/cats.v2"] == f"folder:{tmp_path}"
    with pytest.raises(InvalidInputError, match="Not a task name: 'Big Cats'"):
        repo.config.with_setting("data.Big Cats", "folder:/x")


def test_data_is_looked_for_where_the_environment_says(
    repo: Repository, context: Context, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    find_spec = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda n, *a: None if n == "tensorflow" else find_spec(n, *a))
    elsewhere = replace(context, environ={"TFDS_DATA_DIR": str(tmp_path / "t"), "MU2NET_DATA_DIR": str(tmp_path / "m")})
    with pytest.raises(DataError, match=f"cmaterdb/bangla is not prepared in {tmp_path / 'm'}"):
        add_task(repo, elsewhere, "cmaterdb/bangla")
    with pytest.raises(DataError, match=f"cmaterdb/bangla is not prepared in {tmp_path / 'o'}"):
        add_task(repo, elsewhere, "cmaterdb/bangla", TaskOptions(data_dir="o"))
