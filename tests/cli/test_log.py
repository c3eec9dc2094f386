"""log and show."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from mu2net_core.objects import Scorer, Trials
from mu2net_core.repo import open_repository
from mu2net_core.repo.history.merging import merge


@pytest.fixture(autouse=True)
def inside(trained_repo: Path, monkeypatch) -> Path:
    monkeypatch.chdir(trained_repo)
    return trained_repo


def test_one_line_per_commit_newest_first(run) -> None:
    lines = run("log", "--oneline").out.splitlines()
    assert [line.split(" ", 2)[1] for line in lines] == ["digits/parity", "digits", "digits/parity", "digits"]
    assert "iteration 1: validation" in lines[0]
    assert lines[-1].endswith("add task digits")


HOW = "seed 1, mu2net-plus, 1 generation of 1 child, 1 cycle each\n"


def test_show_says_how_an_iteration_was_run(run) -> None:
    assert HOW in run("show", "digits").out


def test_show_tells_every_child_of_an_iteration(run, inside: Path) -> None:
    repo = open_repository(inside / ".mu2net")
    head = repo.refs.head("digits")
    commit = repo.objects.commit(head.commit)
    (kept,) = commit.trials.whole
    assert (kept.outcome, kept.model) == ("kept", commit.model)
    line = f"  child 1   {commit.model[:10]}  kept        {kept.score:.6f}  from {kept.parent[:10]}"
    assert line in run("show", "digits").out
    worse = replace(kept, values={**kept.values, "mu": 0.3}, outcome="score", score=0.125, model=None, clones=("norm",))
    nan = replace(worse, outcome="nan", score=None, clones=())
    more = replace(commit, parents=(head.commit,), trials=Trials.of([kept, worse, nan], Scorer()), improved=False)
    repo.refs.append("digits", repo.objects.put(more), after=head)
    text = run("show", "digits").out
    (common,) = [line for line in text.splitlines() if line.startswith("all children:    ")]
    assert f"learning_rate={kept.values['learning_rate']}, " in common
    assert "mu=" not in common
    assert f"  child 2   -           discarded   0.125000  from {kept.parent[:10]}; copies norm; mu=0.3\n" in text
    assert f"  child 3   -           not finite         -  from {kept.parent[:10]}; mu=0.3\n" in text


def test_an_iteration_that_found_nothing_better_says_so(run, inside: Path) -> None:
    repo = open_repository(inside / ".mu2net")
    head = repo.refs.head("digits")
    assert "none better" not in run("log", "digits").out
    assert [json.loads(line)["improved"] for line in run("log", "digits", "--json").out.splitlines()] == [True, None]
    same = replace(repo.objects.commit(head.commit), parents=(head.commit,), improved=False)
    repo.refs.append("digits", repo.objects.put(same), after=head)
    assert "    1 child sampled, 1 kept; none better than before\n" in run("log", "digits", "-n", "1").out
    assert json.loads(run("log", "digits", "-n", "1", "--json").out)["improved"] is False


def test_the_long_form_reads_like_git(run) -> None:
    text = run("log", "digits", "-n", "1").out
    assert text.startswith("commit ")
    for expected in ("Task:   digits", "Agent:  ", "Date:   ", "1 child sampled, 1 kept", HOW):
        assert expected in text


def test_one_task_and_a_limit(run) -> None:
    assert len(run("log", "digits", "--oneline").out.splitlines()) == 2
    assert len(run("log", "--oneline", "-n", "3").out.splitlines()) == 3
    assert run("log", "-n", "0").out == ""


@pytest.mark.parametrize(("since", "count"), [("2000-01-01", 4), ("1d", 4), ("2999-01-01", 0)])
def test_since(run, since, count) -> None:
    assert len(run("log", "--oneline", "--since", since).out.splitlines()) == count


def test_json_lines(run) -> None:
    entries = [json.loads(line) for line in run("log", "--json").out.splitlines()]
    assert [entry["event"] for entry in entries] == ["iteration", "iteration", "add", "add"]
    assert all(len(entry["commit"]) == 64 for entry in entries)
    assert 0 < entries[0]["validation"] <= 1


@pytest.mark.parametrize(
    ("args", "code", "message"),
    [
        (["log", "digit"], 3, "Did you mean digits"),
        (["log", "--since", "soon"], 2, "Not a time: 'soon'"),
        (["log", "-n", "-1"], 2, "--limit"),
        (["show", "digit"], 3, "Did you mean digits"),
        (["show", "digits@{7}"], 3, "there is no digits@{7}"),
        (["show", "digits~9"], 3, "there is no ~9"),
        (["show", "ffffffff"], 3, "ffffffff"),
    ],
)
def test_what_is_not_there(run, args, code, message) -> None:
    result = run(*args)
    assert result.code == code
    assert message in result.err


def test_showing_a_task_shows_commit_data_and_model(run) -> None:
    text = run("show", "digits").out
    for expected in ("commit ", "sklearn:digits", "1078 examples", "vit (", "encoderblock_0", "hyperparameters: "):
        assert expected in text


def test_every_kind_of_object_can_be_shown(run) -> None:
    run("tag", "first")
    commit = run("show", "digits", "--json").json()
    model = commit["commit"]["model"]
    component = commit["model"]["components"][0]["id"]
    assert run("show", "digits~1").out.splitlines()[-1] != ""
    assert run("show", model[:12]).out.startswith(f"model {model}\nhead of:         digits\n")
    assert run("show", commit["commit"]["task_id"]).out.startswith("task ")
    assert "head of digits/parity" in run("show", "first").out
    assert "root default" in run("show", "first").out
    assert "present:         yes" in run("show", component).out
    assert run("show", "default").out.startswith("model ")


def test_a_flipped_bit_is_an_error_and_says_how_to_repair(run, inside: Path) -> None:
    model = run("show", "digits", "--json").json()["commit"]["model"]
    file = inside / ".mu2net" / "objects" / "model" / model[:2] / f"{model[2:]}.json"
    data = bytearray(file.read_bytes())
    data[100] ^= 1
    file.chmod(0o644)
    file.write_bytes(data)
    result = run("show", "digits")
    assert result.code == 5
    assert "fsck --repair-from" in result.err


def test_a_truncated_ref_is_an_error(run, inside: Path) -> None:
    file = inside / ".mu2net" / "refs" / "heads" / "digits" / "00000002"
    file.chmod(0o644)
    file.write_bytes(file.read_bytes()[:20])
    result = run("log", "digits")
    assert result.code == 5
    assert "refs/heads/digits/00000002" in result.err
    assert "mu2net fsck" in result.err


def test_a_merge_in_one_line_says_which_model_it_keeps(run, inside: Path) -> None:
    repo = open_repository(inside / ".mu2net")
    head = repo.refs.head("digits")
    ours = repo.objects.commit(head.commit)
    theirs = repo.objects.put(replace(ours, message="elsewhere"))
    oid, merged = merge(repo.objects, [head.commit, theirs])
    repo.objects.put(merged)
    repo.refs.append("digits", oid, after=head)
    first = run("log", "digits", "--oneline").out.splitlines()[0]
    assert first.startswith(f"{oid[:10]} digits merge: keeps {ours.model[:10]}, validation ")
