"""contributors: what is shown of who brought what."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from mu2net_core.objects import Agent
from mu2net_core.testing.building.samples import add_sample_task, evolve_sample, sample_repository

HOSTILE = "a\x1b[31m\u202e\r\n\tc" + "x" * 300


@pytest.fixture(scope="module")
def worked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Returns the folder of a repository in which three machines worked, one of them of a hostile name."""
    folder = tmp_path_factory.mktemp("credits") / "work"
    repo = sample_repository(folder)

    def by(host: str):
        return partial(replace, agent=Agent(id="ab" * 16, host=host, device="cpu"))

    add_sample_task(repo, "dogs", sign=by("zoe"))
    dogs = evolve_sample(repo, "dogs", score=0.5, trains=("encoderblock_0", "head"), sign=by("zoe"))
    add_sample_task(repo, "cats", sign=by("bob"))
    evolve_sample(repo, "cats", score=0.25, parent=repo.objects.commit(dogs.commit).model, sign=by("bob"))
    evolve_sample(repo, "cats", score=0.75, sign=by(HOSTILE))
    return folder


@pytest.fixture(autouse=True)
def inside(worked: Path, monkeypatch) -> Path:
    monkeypatch.chdir(worked)
    return worked


def names(outcome) -> list[str]:
    return [row[0] for row in outcome.rows()]


def test_a_row_per_person_by_name_with_every_column(run) -> None:
    result = run("contributors")
    hostile, bob, zoe = result.rows()
    assert bob == ["bob", "unsigned", "0.2500", "60", "0", "0", "1", "1", "0", "-", "abababab"]
    assert zoe == ["zoe", "unsigned", "0.5000", "60", "0", "0", "1", "1", "1", "-", "abababab"]
    assert hostile[2:4] == ["0.5000", "60"]
    assert result.err == "3 contributors\n"
    assert names(run("contributors", "dogs")) == ["zoe"]


def test_working_copies_on_one_machine_are_told_apart(run, tmp_path: Path, monkeypatch) -> None:
    repo = sample_repository(tmp_path / "lab")
    for task, copy in (("dogs", "ab"), ("cats", "cd")):
        agent = Agent(id=copy * 16, host="server", device="cpu")
        add_sample_task(repo, task, sign=partial(replace, agent=agent))
    monkeypatch.chdir(tmp_path / "lab")
    assert names(run("contributors")) == ["server (abababab)", "server (cdcdcdcd)"]


def test_a_hostile_name_is_harmless(run) -> None:
    assert names(run("contributors"))[0] == r"a\x1b[31m\u202e\r\n\tc" + "x" * 300
    document = run("contributors", "--json")
    assert document.json()["people"][0]["name"] == HOSTILE
    assert not {"\x1b", "\u202e", "\r", "\t"} & set(document.out)


@pytest.mark.parametrize(
    ("column", "order"),
    [(None, "abz"), ("gain", "azb"), ("reuse", "zab"), ("tasks", "bza"), ("iterations", "abz"), ("kept", "abz")],
)
def test_the_most_of_a_column_comes_first_and_otherwise_names(run, column: str | None, order: str) -> None:
    assert "".join(name[0] for name in names(run("contributors", *(["--sort", column] if column else [])))) == order


def test_a_column_that_there_is_not_is_told_with_those_there_are(run) -> None:
    result = run("contributors", "--sort", "points")
    assert result.code == 2
    assert "Cannot sort by 'points': expected one of gain, seconds, kept," in result.err


def test_a_row_per_person_and_task_if_asked_for(run) -> None:
    rows = run("contributors", "--by-task").rows()
    assert [(row[0], row[1][0], row[3]) for row in rows] == [
        ("cats", "a", "0.5000"),
        ("cats", "b", "0.2500"),
        ("dogs", "z", "0.5000"),
    ]
    by_gain = run("contributors", "--by-task", "--sort", "gain").rows()
    assert [(row[0], row[1][0]) for row in by_gain] == [("cats", "a"), ("dogs", "z"), ("cats", "b")]


def test_a_terminal_of_80_columns_gets_what_fits_unless_all_is_asked_for(run, inside: Path, monkeypatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("TERM", "dumb")
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    drawn = run("--no-color", "contributors").out.splitlines()
    assert drawn[0].split() == ["who", "identity", "gain", "device", "s", "kept", "iterations", "tasks", "reuse"]
    assert all(len(line) <= 80 for line in drawn)
    assert [line.split()[0] for line in drawn[1:]] == ["a\\x1b[31m\\u202e\\...", "bob", "zoe"]
    assert "agents" in run("--no-color", "contributors", "--wide").out.splitlines()[0]
    by_task = run("--no-color", "contributors", "--by-task").out.splitlines()
    assert by_task[0].split() == ["task", "who", "identity", "gain", "device", "s", "iterations", "reuse"]
    assert all(len(line) <= 80 for line in by_task)


def test_a_mailmap_beside_the_repository_names_people_unless_another_does(run, inside: Path, tmp_path: Path) -> None:
    names_file = tmp_path / "names"
    names_file.write_text("Cid <zoe>\nCid <bob>\n")
    beside = inside / ".mailmap"
    beside.write_text("Ann <zoe>\n")
    try:
        assert names(run("contributors"))[1:] == ["Ann", "bob"]
        assert names(run("contributors", "--mailmap", str(names_file)))[1:] == ["Cid"]
    finally:
        beside.unlink()
    assert run("contributors", "--mailmap", "nowhere").code == 3


def test_an_age_leaves_out_what_is_older(run) -> None:
    assert [name[0] for name in names(run("contributors", "--since", "2026-01-01T00:03"))] == ["a"]
    assert run("contributors", "--since", "1s").out == ""
    assert run("contributors", "--since", "whenever").code == 2
