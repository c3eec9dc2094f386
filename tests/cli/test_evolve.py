"""evolve, eval and predict."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mu2net_cli.parsing.options import parse_budget
from mu2net_core.errors import InvalidInputError, StorageError

SMALL = ("--generations", "1", "--children", "1", "--validations", "1")


@pytest.mark.parametrize(
    ("args", "code", "message"),
    [
        (["--all"], 1, "There is no task to evolve"),
        ([], 2, "Which tasks? Expected --task TASK (repeatable) or --all."),
        (["--all", "--task", "digits"], 2, "Which tasks?"),
        (["--task", "digits"], 3, "There is no task 'digits'"),
        (["--all", "--iterations", "0"], 2, "--iterations"),
        (["--all", "--budget", "soon"], 2, "Not a duration: 'soon'"),
        (["--all", "--space", "a.yaml"], 2, "'a.yaml' is no search space: expected NAME=VALUE,VALUE"),
        (["--all", "--space", "mu="], 2, "space: expected some values of mu"),
        (["--all", "--push"], 3, "There is no remote to push to"),
        (["--all", "--agent", "0", "--events", "told"], 2, "expected no --events with --agent"),
        (["--all", "--agent", "0", "--profile", "told"], 2, "expected no --profile with --agents or --agent"),
        (["--all", "--agents", "2", "--profile", "told"], 2, "expected no --profile with --agents or --agent"),
    ],
)
def test_what_cannot_start(run, empty_repo: Path, args, code, message) -> None:
    result = run("-C", empty_repo, "evolve", *args)
    assert result.code == code
    assert message in result.err
    assert "hint: " in result.err or code == 2


def test_a_repository_without_a_root_cannot_evolve(run, empty_repo: Path) -> None:
    run("-C", empty_repo, "add-task", "sklearn:digits")
    (empty_repo / ".mu2net" / "refs" / "roots" / "default").unlink()
    result = run("-C", empty_repo, "evolve", "--all")
    assert result.code == 1
    assert "has no root model" in result.err
    assert " init\n" in result.err


@pytest.mark.parametrize(("text", "seconds"), [("90s", 90), ("30m", 1800), ("1.5h", 5400), ("1d", 86400), ("7", 7)])
def test_budgets(text, seconds) -> None:
    assert parse_budget(text) == seconds


@pytest.mark.parametrize("text", ["", "0", "0m", "-3m", "m", "1y", "3 4"])
def test_what_is_no_budget(text) -> None:
    with pytest.raises(InvalidInputError, match="Not a duration"):
        parse_budget(text)


def test_results_go_to_stdout_and_progress_to_stderr(run, trained_repo: Path) -> None:
    result = run("-C", trained_repo, "evolve", "--task", "digits", "--seed", "5", *SMALL)
    assert result.code == 0
    (line,) = result.out.splitlines()
    assert line.startswith("digits: iteration 2 finished: validation ")
    assert "digits: iteration 2: 1 generation of 1 child" in result.err
    assert "Seed 5." in result.err


def test_a_dry_run_says_what_would_be_done_and_at_what_cost(run, trained_repo: Path) -> None:
    before = run("-C", trained_repo, "log", "--json").out
    result = run("-C", trained_repo, "evolve", "--all", "--dry-run", *SMALL)
    assert result.code == 0
    task, child, parents, *_ = lines = result.out.splitlines()
    assert task == "digits (preset vit-mini): 1 iteration of 1 generation of 1 child"
    assert child.startswith("  each child 1 cycle of 34 steps of 32 examples (1078 in all); all children take about ")
    assert parents == "  children come from its own model, the root default"
    assert lines[3].startswith("digits/parity (preset vit-mini)")
    assert lines[5] == "  children come from its own model, the model of digits, the root default"
    assert [line.split(" ")[0] for line in lines[6:]] == ["All", "Compiling"]
    plan = run("-C", trained_repo, "evolve", "--task", "digits", "--dry-run", "--json", *SMALL).json()
    assert (plan["tasks"][0]["task"], plan["left_out"]) == ("digits", {})
    assert run("-C", trained_repo, "log", "--json").out == before


def test_the_same_seed_gives_the_same_model_as_json_too(run, trained_repo: Path, tmp_path: Path) -> None:
    import shutil

    shutil.copytree(trained_repo, tmp_path / "twin")
    results = [
        run("-q", "-C", folder, "evolve", "--task", "digits", "--seed", "6", "--json", *SMALL)
        for folder in (trained_repo, tmp_path / "twin")
    ]
    documents = [json.loads(result.out) for result in results]
    assert documents[0]["seed"] == 6
    assert documents[0]["iterations"][0]["model"] == documents[1]["iterations"][0]["model"]


def test_a_task_that_is_being_evolved_is_refused(run, trained_repo: Path) -> None:
    from mu2net_core.api.context import Context
    from mu2net_core.api.iterations.workspace import Workspace
    from mu2net_core.api.setup.open import open_repo

    repo = open_repo(trained_repo, Context.default())
    with Workspace.of(repo, "digits").lock("digits"):
        result = run("-C", trained_repo, "evolve", "--task", "digits", *SMALL)
    assert result.code == 4
    assert "digits" in result.err


def test_an_interruption_says_that_nothing_is_lost(run, trained_repo: Path, monkeypatch) -> None:
    def interrupt(*_args, **_kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr("mu2net_core.api.evolving.evolve.evolve", interrupt)
    result = run("-C", trained_repo, "evolve", "--all")
    assert result.code == 130
    assert result.err.startswith("Stopped.\n")


def test_ctrl_c_keeps_the_finished_generations(run, trained_repo: Path) -> None:
    options = ["--task", "digits", "--generations", "999", "--children", "1", "--validations", "1", "--seed", "9"]
    # A shell's background jobs ignore Ctrl-C, and so would whatever they start.
    heed = "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler); "
    heed += "from mu2net_cli.main import main; from mu2net_core.testing.building.compiling import quick_compiler\n"
    heed += "with quick_compiler():\n  sys.exit(main())"
    command = [sys.executable, "-c", heed, "-C", str(trained_repo), "evolve", *options]
    environ = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2]), "PYTHONFAULTHANDLER": "1"}
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environ) as process:
        assert process.stderr
        said = []
        for line in process.stderr:
            said.append(line)
            if "digits: generation 1" in line:
                process.send_signal(signal.SIGINT)
    assert process.returncode == 130
    (unfinished,) = run("-C", trained_repo, "status", "--json").json()["unfinished"]
    assert unfinished["generation"] >= 1
    command = f"mu2net -C {trained_repo} evolve --task digits"
    assert f"  {command}\n" in "".join(said)
    assert unfinished["command"] == command
    assert run("-C", trained_repo, "fsck").code == 0
    # What was printed goes on, with its own seed and settings and not those that are given elsewhere.
    goes_on = run(*shlex.split(command)[1:], "--budget", "0.001s", "--json")
    (iteration,) = goes_on.json()["iterations"]
    assert (iteration["seed"], iteration["generations"], iteration["done"]) == (9, 999, unfinished["generation"] + 1)


@pytest.fixture
def unfinished_repo(run, trained_repo: Path, monkeypatch) -> Path:
    """Returns the folder of a repository whose second iteration of digits was stopped after a generation."""
    from mu2net_core.api.evolving.evolve import evolve
    from mu2net_core.events import GenerationFinished

    def stopped(*args, on_event, **options):
        def listen(event) -> None:
            on_event(event)
            if isinstance(event, GenerationFinished):
                raise KeyboardInterrupt

        return evolve(*args, on_event=listen, **options)

    with monkeypatch.context() as patch:
        patch.setattr("mu2net_core.api.evolving.evolve.evolve", stopped)
        options = ("--generations", "2", "--children", "1", "--validations", "1", "--seed", "3", "--events", "my ev")
        result = run("-C", trained_repo, "evolve", "--task", "digits/parity", "--task", "digits", *options)
    assert result.code == 130
    assert result.err.splitlines()[-5:] == [
        "Stopped.",
        "digits/parity: 1 of 2 generations done and kept. To go on:",
        f"  mu2net -C {trained_repo} evolve --task digits/parity --events 'my ev'",
        "The same command as before goes on with it first, then improves the other tasks.",
        "Interrupted.",
    ]
    return trained_repo


def test_what_contradicts_an_unfinished_iteration_is_refused_and_both_commands_are_told(
    run, unfinished_repo: Path
) -> None:
    here = f"mu2net -C {unfinished_repo} evolve --task digits/parity"
    refused = run("-C", unfinished_repo, "evolve", "--all", "--generations", "1")
    assert refused.code == 4
    assert "(1 of 2 generations done) began otherwise: generations 2 then, 1 now." in refused.err
    assert f"To go on with what it began with: {here}. To drop what it trained" in refused.err
    assert f"begin anew: {here} --restart --generations 1\n" in refused.err
    assert f"Next: {here} " in run("-C", unfinished_repo, "status").out
    dropped = run(*shlex.split(f"{here} --restart --generations 1")[1:], "--children", "1", "--validations", "1")
    assert dropped.code == 0
    assert "dropped 1 finished generation of iteration 2" in dropped.err


def test_stopped_after_a_restart_it_says_that_another_one_would_drop_what_is_kept(
    run, unfinished_repo: Path, monkeypatch
) -> None:
    def interrupt(*_args, **_kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr("mu2net_core.api.evolving.evolve.evolve", interrupt)
    result = run("-C", unfinished_repo, "evolve", "--task", "digits/parity", "--restart")
    assert "The same command without --restart goes on with it.\n" in result.err


def test_the_same_command_finishes_what_was_unfinished_first(run, unfinished_repo: Path) -> None:
    options = ("--generations", "2", "--children", "1", "--validations", "1", "--seed", "3")
    result = run("-C", unfinished_repo, "evolve", "--all", *options)
    assert "Unfinished iterations go first: digits/parity. Then: digits.\n" in result.err
    assert [line.partition(" finished")[0] for line in result.out.splitlines()] == [
        "digits/parity: iteration 2",
        "digits: iteration 2",
    ]


def test_push_after_every_iteration_says_what_was_sent_and_what_stayed(run, trained_repo: Path) -> None:
    run("-C", trained_repo, "remote", "add", "origin", "../shared")
    result = run("-C", trained_repo, "evolve", "--all", "--push", *SMALL)
    assert result.code == 0
    assert " * new         digits [" in result.out
    assert " ! skipped     digits/parity: " in result.out
    assert run("-C", "shared", "tasks").rows()[0][:1] == ["digits"]


def test_what_was_pushed_is_part_of_the_document(run, trained_repo: Path) -> None:
    run("-C", trained_repo, "remote", "add", "origin", "../shared")
    document = run("-C", trained_repo, "evolve", "--task", "digits", "--push", "--json", *SMALL).json()
    (pushed,) = document["pushes"]
    assert (pushed["task"], pushed["error"]) == ("digits", None)
    assert [(task["task"], task["outcome"]) for task in pushed["exchange"]["tasks"]] == [("digits", "new")]


@pytest.mark.parametrize("as_json", [False, True])
def test_a_failed_push_stops_nothing_and_is_what_the_command_ends_with(
    run, trained_repo: Path, tmp_path: Path, *, as_json: bool
) -> None:
    run("-C", trained_repo, "remote", "add", "origin", "../shared")
    (tmp_path / "shared").mkdir()
    (tmp_path / "shared" / "holiday.txt").write_text("not a repository")
    plain = run("-C", trained_repo, "push", "origin", "digits")
    options = ["--json"] if as_json else []
    result = run("-C", trained_repo, "evolve", "--all", "--iterations", "2", "--push", *SMALL, *options)
    assert result.code == plain.code != 0
    again = f"mu2net -C {trained_repo} push origin digits digits/parity"
    assert again in result.err
    assert "Not pushed to origin: digits, digits/parity. " in result.err
    if as_json:
        document = result.json()
        assert len(document["iterations"]) == len(document["pushes"]) == 4
        assert all(one["exchange"] is None and one["error"]["kind"] == "invalid-input" for one in document["pushes"])
    else:
        assert len(result.out.splitlines()) == 4
    (tmp_path / "shared" / "holiday.txt").unlink()
    assert run(*shlex.split(again)[1:]).code == 0


def test_a_push_that_succeeds_later_makes_up_for_one_that_failed(
    run, trained_repo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mu2net_core.api.sharing.push import push

    failures = [StorageError("The line is cut.")]

    def at_first_not(*args, **options):
        if failures:
            raise failures.pop()
        return push(*args, **options)

    run("-C", trained_repo, "remote", "add", "origin", "../shared")
    monkeypatch.setattr("mu2net_core.api.evolving.pushing.push", at_first_not)
    result = run("-C", trained_repo, "evolve", "--task", "digits", "--iterations", "2", "--push", *SMALL)
    assert "warning: digits is not pushed: The line is cut." in result.err
    assert result.code == 0


def test_which_of_several_remotes_is_asked_before_anything_is_trained(run, trained_repo: Path) -> None:
    for name in ("one", "two"):
        run("-C", trained_repo, "remote", "add", name, f"../{name}")
    result = run("-C", trained_repo, "evolve", "--task", "digits", "--push", *SMALL)
    assert (result.code, result.out) == (2, "")
    assert "Which remote? Expected one of one, two." in result.err


def test_eval_measures_a_model(run, trained_repo: Path) -> None:
    result = run("-C", trained_repo, "eval", "digits", "--json").json()
    stored = run("-C", trained_repo, "show", "digits", "--json").json()["model"]["test_quality"]
    assert (result["accuracy"], result["num_examples"]) == (stored, 359)
    assert dict(run("-C", trained_repo, "eval", "digits").rows())["accuracy"] == f"{100 * stored:.2f}%"


@pytest.mark.parametrize(
    ("args", "code", "message"),
    [
        (["digit"], 3, "Did you mean digits"),
        (["digits", "--split", "holdout"], 2, "No split 'holdout'"),
        (["digits@{1}"], 3, "had no model yet"),
        (["default"], 2, "root"),
    ],
)
def test_what_cannot_be_evaluated(run, trained_repo: Path, args, code, message) -> None:
    result = run("-C", trained_repo, "eval", *args)
    assert result.code == code
    assert message in result.err


def image(path: Path, size: tuple[int, int], mode: str) -> Path:
    Image.fromarray(np.arange(size[0] * size[1], dtype=np.uint8).reshape(size)).convert(mode).save(path)
    return path


def test_predict_names_the_likeliest_labels(run, trained_repo: Path, tmp_path: Path) -> None:
    image(tmp_path / "a.png", (8, 8), "L")
    rows = run("-C", trained_repo, "predict", "digits", "../a.png", "--top", "3").rows()
    assert [row[0] for row in rows] == ["../a.png"] * 3
    assert len({row[1] for row in rows}) == 3
    (document,) = run("-C", trained_repo, "predict", "digits", "../a.png", "--json").json()
    assert document["label"] == rows[0][1]


@pytest.mark.parametrize(("size", "mode"), [((9, 8), "L"), ((8, 8), "RGB")])
def test_an_image_of_another_size_or_mode(run, trained_repo: Path, tmp_path: Path, size, mode) -> None:
    image(tmp_path / "a.png", size, mode)
    refused = run("-C", trained_repo, "predict", "digits", "../a.png")
    assert refused.code == 6
    assert "a.png: the task's images are 8 x 8 pixels, grey" in refused.err
    assert "--resize" in refused.err
    assert run("-C", trained_repo, "predict", "digits", "../a.png", "--resize").code == 0


def test_predict_needs_an_image_that_is_one(run, trained_repo: Path, tmp_path: Path) -> None:
    assert run("-C", trained_repo, "predict", "digits", "../none.png").code == 3
    (tmp_path / "a.png").write_text("not an image")
    result = run("-C", trained_repo, "predict", "digits", "../a.png")
    assert result.code == 6
    assert "a.png" in result.err


def test_a_dry_purge_counts_what_the_purge_deletes_with_an_iteration_unfinished(run, unfinished_repo: Path) -> None:
    purge = ("-C", unfinished_repo, "rm-task", "digits/parity", "--purge", "--json")
    told = run(*purge, "--dry-run").json()
    assert told["num_objects"] > 0
    done = run(*purge, "--yes").json()
    assert (done["num_objects"], done["size_bytes"]) == (told["num_objects"], told["size_bytes"])
