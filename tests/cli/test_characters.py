"""The comparison of evolution with its baselines: who gets which budget and settings, and the table."""

from __future__ import annotations

import importlib.util
import json
import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

import mu2net_core as m
from mu2net_core.api.context import Context
from mu2net_core.api.settings.settings import preset_in_force
from mu2net_core.presets import Preset, preset_named

FILE = Path(__file__).parents[2] / "examples" / "characters.py"
TASKS: dict[str, dict[str, Any]] = {"a": {}, "b": {"name": "b"}}


@pytest.fixture
def example() -> ModuleType:
    spec = importlib.util.spec_from_file_location("characters", FILE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class FakeRepo:
    """Says that it evolved, without doing so."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.names: list[str] = []

    def add_task(self, uri: str, options: m.TaskOptions) -> None:
        self.names.append(options.name or uri)

    def tasks(self) -> list[SimpleNamespace]:
        return [SimpleNamespace(name=name) for name in self.names]

    def evolve(self, *, iterations: int, generations: int, children: int, seed: int, **_: Any) -> SimpleNamespace:
        assert seed == self.seed
        measured = {"validation": 0.5, "test": 0.25, "kept": 1, "discarded": {}, "wall_s": 1.0}
        sampled = generations * children
        each = [(task, iteration) for iteration in range(1, iterations + 1) for task in self.names]
        done = [SimpleNamespace(task=t, iteration=i, sampled=sampled, **measured) for t, i in each]
        return SimpleNamespace(iterations=done)


@pytest.mark.parametrize("arm", ["evolution", "apart", "evolution-mu0.3", "alone", "random"])
def test_every_arm_has_the_same_budget(
    arm: str, example: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: dict[str, FakeRepo] = {}

    def init(folder: Path, *, preset: str, seed: int) -> FakeRepo:
        assert preset == "vit-ti3"
        return made.setdefault(folder.name, FakeRepo(seed))

    monkeypatch.setattr(example.m, "init", init)
    monkeypatch.setattr(example, "_model", lambda _repo, task: {"task": task})
    found = example.Run(arm, 7, (2, 3, 4), TASKS, tmp_path).all(3)
    cycles = {(row["task"], row["iteration"]): row["cycles"] for row in found["rows"]}
    fresh = arm == "alone"
    assert cycles == {(task, i): 24 * (i if fresh else 1) for task in TASKS for i in (1, 2, 3)}
    assert {len(repo.names) for repo in made.values()} == ({2} if arm.startswith("evolution") else {1})
    assert len(made) == {"alone": 6, "random": 2, "apart": 2}.get(arm, 1)
    assert [model["task"] for model in found["models"]] == ["a", "b"]


def test_only_the_baselines_leave_evolution(example: ModuleType) -> None:
    def preset(arm: str) -> Preset:
        context = replace(Context.default(), environ=example.settings(arm), user_config=None)
        return preset_in_force(preset_named("vit-ti3"), {}, context)

    shipped = preset_named("vit-ti3")
    assert preset("evolution") == preset("apart") == shipped
    assert preset("evolution-mu0.3").space.defaults == {**shipped.space.defaults, "mu": 0.3}
    assert preset("random").space == shipped.space
    assert preset("random").training.method == preset("alone").training.method == "random"
    alone = preset("alone").space
    assert alone.movable == alone.structural == ()
    assert alone.defaults == shipped.space.defaults


def model(task: str, *steps: dict[str, int]) -> dict[str, Any]:
    shares = {"taught_by": {"a": 0.25, "b": 0.75}, "line": ["a", "b", "b"]}
    values = {"num_layers": 3, "image_size": 32, "learning_rate": 0.01}
    return {"task": task, "steps": dict(enumerate(steps)), "hyperparameters": values, **shares}


def test_the_table_has_mean_and_spread_over_seeds(
    example: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for seed, test in ((2, 0.5), (1, 0.4)):  # what lies there is not run again
        row = {"iteration": 1, "validation": 0.0, "cycles": 3}
        rows = [{**row, "task": "a", "test": test}, {**row, "task": "b", "test": test + 0.2}]
        times = {"cpu_s": 1.0, "compile_s": 1.0, "wall_s": 1.0, "peak_mb": 1.0}
        models = [model("a", {"a": 4, "b": 12}, {"a": 8}), model("b", {"b": seed}, {"b": seed})]
        run = {"arm": "evolution", "seed": seed, "rows": rows, "models": models, **times}
        (tmp_path / f"evolution-{seed}.json").write_text(json.dumps(run))
    arguments = ["characters.py", "--results", str(tmp_path), "--seeds", "1", "2", "--arms", "evolution"]
    monkeypatch.setattr(sys, "argv", arguments)
    example.main()
    table = capsys.readouterr().out
    assert "| a | 1 | 0.450 ± 0.071 |" in table
    assert "| **mean** | 1 | **0.550 ± 0.071** |" in table
    assert "| mean, per seed | 1 | 0.500 / 0.600 |" in table
    assert "| evolution | 1 | 6 | 1 |" in table
    assert "| evolution | a | 3.0 | 2.0 | 12.0 | 75% | 3 / 3 | 32 / 32 | 0.01 / 0.01 |" in table
    assert "| evolution | b | 3.0 | 1.0 | 1.5 | 25% |" in table
