"""demo: the real commands, one after another."""

from __future__ import annotations

from pathlib import Path

from mu2net_cli.commands.starting import demo
from mu2net_core.testing.building.tiny import tiny_presets


def test_the_demo_shows_every_command_and_says_what_to_do_next(run, tmp_path: Path, monkeypatch) -> None:
    for name in ("VALIDATIONS", "GENERATIONS", "CHILDREN"):
        monkeypatch.setenv(f"MU2NET_EVOLVE_{name}", "1")
    settings = ["evolve.min_steps", "space.num_layers", "space.num_residual_blocks", "space.structural"]
    assert sorted(demo._QUICK) == settings
    monkeypatch.setattr(demo, "_QUICK", {**demo._QUICK, "evolve.min_steps": "1", "space.num_layers": "[1]"})
    with tiny_presets():
        result = run("demo", "--seed", "1")
        assert run("-C", "mu2net-demo/clone", "fsck").code == 0
    assert result.code == 0, result.err
    assert "left out" not in result.out + result.err
    typed = [line for line in result.out.splitlines() if line.startswith("$ ")]
    verbs = [line.split()[2] for line in typed if line.startswith("$ mu2net ")]
    assert verbs == [
        *("init", "add-task", "add-task", "add-task", *["config"] * len(settings), "evolve", "leaderboard", "log"),
        "ancestry",
        *("remote", "push", "clone", "eval", "predict", "eval", "predict"),
    ]
    lines = result.out.splitlines()
    assert "about a minute" in result.out.partition("$ mu2net")[0]
    assert "$ mu2net add-task sklearn:digits/five-or-more --private" in lines
    assert any("skipped" in line and "digits/five-or-more" in line for line in lines)
    end = lines[lines.index("identical") :]
    assert end[3:5] == [f"  cd {tmp_path / 'mu2net-demo' / 'system'}", "  mu2net status"]
    assert run("-C", "mu2net-demo/clone", "leaderboard").rows()[-1][0] == "digits/parity"
    assert (tmp_path / "mu2net-demo" / "clone.json").read_bytes().startswith(b'[\n{"name"')


def test_a_folder_that_is_there_is_left_alone(run, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    result = run("demo", "mine")
    assert result.code == 4
    assert "mu2net demo FOLDER" in result.err
    assert list((tmp_path / "mine").iterdir()) == []
