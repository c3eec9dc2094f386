"""Where the data of a cloned task is: its source is somebody else's word, so nothing is read there unasked."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from mu2net_core.api.context import Context
from mu2net_core.api.machine.runtime import split_at
from mu2net_core.api.setup.open import open_repo
from mu2net_core.data import load, load_split, stream
from mu2net_core.errors import DataError
from mu2net_core.nn import InputSpec
from mu2net_core.objects import Task
from mu2net_core.repo import Repository
from mu2net_core.testing.worlds.commands import Run


def task_of(repo: Repository, name: str) -> Task:
    state = repo.refs.head(name)
    assert state is not None
    return repo.objects.task(repo.objects.commit(state.commit).task_id)


def test_data_is_read_from_no_path_that_came_along(
    shared: Repository, context: Context, run: Run, tmp_path: Path
) -> None:
    assert run("clone", str(shared.path), "mine").code == 0
    mine = open_repo(tmp_path / "mine", context)
    task = task_of(mine, "cats")
    with pytest.raises(DataError, match=r"is npz:/data/cats.npz, as whoever added(.|\n)*config set data.cats npz:PATH"):
        split_at(mine, context, task, "test", InputSpec.image(8))
    assert run("-C", "mine", "config", "set", "data.cats", "npz:/nowhere/cats.npz").code == 0
    with pytest.raises(DataError, match=r"No such file: /nowhere/cats\.npz"):
        split_at(open_repo(tmp_path / "mine", context), context, task, "test", InputSpec.image(8))
    with pytest.raises(DataError, match=r"over the limit of (.|\n)*limits.examples_bytes"):
        split_at(mine, context, task, "test", InputSpec.image(2**30))


@pytest.mark.parametrize(
    "source", ["folder:/etc", "npz:/etc/x.npz", "folder:etc", "plug:os", "http://169.254.169.254/x"]
)
def test_data_of_a_cloned_task_is_read_from_nowhere_after_the_remote_is_removed(
    source: str, shared: Repository, context: Context, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def opened(*_args: object, **_options: object) -> None:
        raise AssertionError("it was opened")

    assert run("clone", "--full", str(shared.path), "mine").code == 0
    assert run("-C", "mine", "remote", "remove", "origin").code == 0
    monkeypatch.setattr(load, "open_source", opened)
    monkeypatch.setattr(stream, "open_split", opened)
    mine = open_repo(tmp_path / "mine", context)
    task = replace(task_of(mine, "cats"), source=source)
    with pytest.raises(DataError, match="nothing is read before you say so") as caught:
        split_at(mine, context, task, "test", InputSpec.image(8))
    assert "mu2net config set data.cats " in str(caught.value.hint)


@pytest.mark.parametrize(
    "options",
    [{"depth": "abc"}, {"depth": -1}, {"depth": 10**9}, {"depth": True}, {"skip_bad": "no"}, {"skip_stray": 2}],
)
def test_nonsense_in_a_tasks_options_is_an_error_in_the_data(
    options: dict[str, int | str | bool], shared: Repository, tmp_path: Path
) -> None:
    for name in ("a/0.png", "b/0.png"):
        (tmp_path / "photos" / name).parent.mkdir(parents=True)
        (tmp_path / "photos" / name).write_bytes(b"x")
    task = replace(task_of(shared, "cats"), source="folder:photos", options=options)
    with pytest.raises(DataError, match="cannot be read as the task says"):
        load_split(task, "test", shape=(8, 8, 3), uri=f"folder:{tmp_path / 'photos'}")
