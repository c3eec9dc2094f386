from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import mu2net_core as m
from mu2net_core.api.iterations.workspace import Workspace
from mu2net_core.errors import ConflictError, NotFoundError
from mu2net_core.testing.building.samples import sample_repository


@pytest.fixture
def here(grown, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Makes this process a user in a folder with an evolved ``repo``; returns the folder."""
    monkeypatch.chdir(grown.folder)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(grown.folder / "no-settings"))
    for name, value in grown.context.environ.items():
        monkeypatch.setenv(name, value)
    return grown.folder


def test_a_repository_is_opened_by_path_or_from_within(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    repo = m.open("repo")
    assert repr(repo) == f"Repo({str(here / 'repo')!r})"
    monkeypatch.chdir(here / "repo")
    assert m.open().repository.path == repo.repository.path
    with pytest.raises(NotFoundError):
        m.open(here / "nowhere")


def test_models_predict_and_are_measured(here: Path) -> None:
    repo = m.open("repo")
    labels = repo.model("digits").predict(np.zeros((2, 8, 8), np.uint8))
    assert labels.shape == (2,)
    result = repo.evaluate("digits", split="validation")
    assert result.accuracy == repo.leaderboard().rows[0].validation
    report = repo.replay("digits")
    assert report.outcome == "same", str(report.differences)


def test_what_is_there_can_be_looked_at(here: Path) -> None:
    repo = m.open("repo")
    assert [task.name for task in repo.tasks()] == ["digits"]
    assert len(list(repo.log())) == 2
    assert len(list(repo.log("digits", limit=1))) == 1
    assert [line.task for line in repo.status().tasks] == ["digits"]
    assert repo.ancestry("digits").model == repo.model("digits").stored.model_id
    assert repo.fsck().problems == ()


def test_what_cannot_go_on_is_dropped_only_when_that_is_asked(here: Path) -> None:
    repo = m.open("repo")
    state = Workspace.of(repo.repository, "digits").folder / "state.json"
    state.parent.mkdir(parents=True)
    state.write_text("{")
    with pytest.raises(ConflictError, match="cannot go on"):
        repo.evolve()
    assert state.read_text() == "{"
    repo.evolve(generations=1, children=1, validations=1, restart=True)
    assert not state.exists()


def test_a_whole_life(here: Path) -> None:
    repo = m.init("fresh", preset="vit-mini", seed=3)
    repo.add_task("sklearn:digits", m.TaskOptions(name="a"))
    repo.add_task("sklearn:digits/parity", m.TaskOptions(name="b"))
    repo.remove_task("b")
    assert [task.name for task in repo.tasks()] == ["a"]
    result = repo.evolve(generations=1, children=1, validations=1, seed=1)
    assert [iteration.task for iteration in result.iterations] == ["a"]
    assert repo.evolve(tasks=["a"], generations=1, children=1, validations=1, seed=1).iterations[0].iteration == 2

    repo.add_remote("origin", str(here / "shared"))
    repo.push()
    other = m.clone(str(here / "shared"), "other", full=True)
    images = np.random.default_rng(0).integers(0, 255, (4, 8, 8), dtype=np.uint8)
    ours, theirs = (each.model("a").probabilities(images) for each in (repo, other))
    np.testing.assert_array_equal(ours, theirs)
    newer = other.evolve(generations=1, children=1, validations=1, seed=2).iterations[0]
    other.push(tasks=["a"])
    repo.pull("origin", tasks=["a"])
    assert repo.repository.refs.head("a").commit == other.repository.refs.head("a").commit
    assert repo.repository.objects.has("commit", newer.commit)
    assert repo.fsck().problems == ()


def test_the_exported_names_are_the_promised_ones() -> None:
    assert {"Repo", "clone", "init", "open"} <= set(m.__all__)
    assert all(hasattr(m, name) for name in m.__all__)
    assert list(m.__all__) == sorted(m.__all__)


def test_what_is_remarkable_about_new_data_is_a_warning_of_python(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "no-settings"))
    sample_repository(tmp_path / "work")
    images = np.random.default_rng(0).integers(0, 255, (60, 8, 8), dtype=np.uint8)
    np.savez(tmp_path / "ones.npz", x=images, y=np.arange(60) % 2 + 1)
    with pytest.warns(UserWarning, match="the labels begin at 1") as told:
        head = m.open("work").add_task("npz:ones.npz")
    preview = m.open("work").preview_task("npz:ones.npz", m.TaskOptions(name="again", metric="macro-f1"))
    assert (preview.name, preview.metric) == ("again", "macro-f1")
    assert head.task.output.labels == ("1", "2")
    assert [Path(one.filename).name for one in told] == ["test_facade.py"]
