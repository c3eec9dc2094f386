"""``examples/plugin``, installed as a package is: used from Python and by the command line, and held to the suites."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mu2net_core.api.evolving.evolve import evolve
from mu2net_core.api.evolving.replay import replay
from mu2net_core.api.iterations.options import EvolveOptions
from mu2net_core.api.models.evaluate import evaluate
from mu2net_core.api.models.predict import Predictor
from mu2net_core.api.setup.init import init
from mu2net_core.api.setup.open import open_repo
from mu2net_core.api.sharing.clone import clone
from mu2net_core.api.sharing.push import push
from mu2net_core.api.sharing.remote import add as add_remote
from mu2net_core.api.tasks.add_task import add_task
from mu2net_core.api.tasks.options import TaskOptions
from mu2net_core.api.upkeep.fsck import fsck
from mu2net_core.data import MODALITIES, Source, describe_task, modality_of, open_source
from mu2net_core.data.catalogue import SOURCES
from mu2net_core.errors import DataError, InvalidInputError, PluginError
from mu2net_core.nn import ArchitectureFamily, LayerKind, LayerSpec
from mu2net_core.nn.registry import FAMILIES
from mu2net_core.objectives import OBJECTIVES
from mu2net_core.objects import Other, Slice, Trial
from mu2net_core.presets import PRESETS_ADDED
from mu2net_core.repo import load_system
from mu2net_core.scoring import SCORERS, ScorerFn
from mu2net_core.search import METHODS, SearchMethod, SearchState, start
from mu2net_core.testing.building.compiling import QUICK
from mu2net_core.testing.building.plugins import install, see
from mu2net_core.testing.building.samples import add_sample_task
from mu2net_core.testing.building.systems import SampleStructure
from mu2net_core.testing.conformance.families import FamilyTests
from mu2net_core.testing.conformance.kinds import LayerKindTests
from mu2net_core.testing.conformance.methods import SPACE, SYSTEM, SearchMethodTests
from mu2net_core.testing.conformance.modalities import ModalityCase, ModalityTests
from mu2net_core.testing.conformance.objectives import ObjectiveCase, ObjectiveTests
from mu2net_core.testing.conformance.scorers import ScorerTests
from mu2net_core.testing.conformance.sources import SourceTests

pytestmark = pytest.mark.usefixtures("quickly")
ROOT = Path(__file__).parents[3]
REGISTRIES = (METHODS, SCORERS, SOURCES, MODALITIES, OBJECTIVES, FAMILIES, PRESETS_ADDED)
SETTINGS = {"MU2NET_EVOLVE_METHOD": "greedy", "MU2NET_SCORER_NAME": "bits"}


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Returns the folder in which the plug-in is installed."""
    target = tmp_path_factory.mktemp("site")
    install(ROOT / "examples" / "plugin", target)
    return target


@pytest.fixture
def seen(package: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Makes the test see the plug-in."""
    see(monkeypatch, package, *REGISTRIES)
    return package


@pytest.mark.usefixtures("seen")
class TestItsMethod(SearchMethodTests):
    @pytest.fixture
    def method(self, seen: Path) -> SearchMethod:
        return METHODS.load("greedy")


@pytest.mark.usefixtures("seen")
class TestItsScorer(ScorerTests):
    @pytest.fixture
    def scorer(self, seen: Path) -> ScorerFn:
        return SCORERS.load("bits")


class TestItsSource(SourceTests):
    @pytest.fixture
    def open_source(self, seen: Path) -> Callable[[], Source]:
        return lambda: open_source("shapes:turned")


class TestItsKindOfInput(ModalityTests):
    @pytest.fixture
    def case(self, seen: Path) -> ModalityCase:
        examples = list(open_source("shapes:turned").read([Slice(split="test", start=0, stop=3)]))
        return ModalityCase(modality=modality_of("outline"), examples=examples, shape=(16,))


class TestItsObjective(ObjectiveTests):
    @pytest.fixture
    def case(self, seen: Path) -> ObjectiveCase:
        rng = np.random.default_rng(3)
        labels = rng.uniform(-np.pi, np.pi, 20).astype(np.float32)
        best = np.stack([np.cos(labels), np.sin(labels)], axis=1)
        objective = OBJECTIVES.load("angle.near")(Other(kind="angle", values={"size": 2}))
        outputs = best + rng.normal(0, 0.6, best.shape).astype(np.float32)
        return ObjectiveCase(objective=objective, outputs=outputs, labels=labels, best=best, worst=-best)


class TestItsFamily(FamilyTests):
    @pytest.fixture
    def family(self, seen: Path) -> ArchitectureFamily:
        return FAMILIES.load("outline")()

    @pytest.fixture
    def config(self) -> dict[str, int]:
        return {"points": 3, "width": 4}

    @pytest.fixture
    def hyperparameters(self) -> dict[str, object]:
        return {}


class TestItsLayer(LayerKindTests):
    @pytest.fixture
    def spec(self) -> LayerSpec:
        return LayerSpec.of("below", "curve", inputs=3, width=4)

    @pytest.fixture
    def kind(self, seen: Path) -> LayerKind:
        kinds: Mapping[str, LayerKind] = FAMILIES.load("outline")().kinds
        return kinds["curve"]


def test_its_method_learns_from_children_that_were_discarded(seen: Path) -> None:
    """All of them were: what diverged or came to little is left alone, what came close to its parent is tried again."""
    scores = {0.01: 0.2, 0.02: None, 0.05: 0.4, 0.1: 0.1}
    trials = [
        Trial(values={"learning_rate": rate}, parent="f" * 64, outcome=outcome, score=score, cost=1.0)
        for rate, score in scores.items()
        for outcome in ["nan" if score is None else "score"]
    ]
    state = SearchState(population=start(SYSTEM, "mine"), trials=tuple(trials))
    asked: dict[str, Any] = {"num_children": 200, "structure": SampleStructure(frozenset({"head"})), "seed": 1}
    rates = [p.hyperparameters["learning_rate"] for p in METHODS.load("greedy").ask(state, SYSTEM, SPACE, **asked)[0]]
    assert 0.7 < rates.count(0.05) / 200 < 1
    unknown = METHODS.load("greedy").ask(replace(state, trials=()), SYSTEM, SPACE, **asked)[0]
    assert 0.1 < [p.hyperparameters["learning_rate"] for p in unknown].count(0.05) / 200 < 0.4


def test_from_python_a_kind_of_input_and_of_output_is_trained_shared_and_measured(
    world, seen: Path, tmp_path: Path
) -> None:
    here = world(**SETTINGS)
    init(Path("repo"), here.context, preset="outlines")
    repo = here.open()
    add_task(
        repo, here.context, "shapes:turned", TaskOptions(name="turned", validation="train[:25%]", train="train[25%:]")
    )
    evolve(
        repo, here.context, ["turned"], EvolveOptions(seed=1, generations=2, children=2, validations=2, iterations=2)
    )
    head = load_system(repo).heads["turned"]
    model, commit = head.model, head.commit
    assert model is not None
    assert (model.scorer.name, commit.run.settings["evolve.method"], commit.iteration) == ("bits", "greedy", 2)
    assert model.score == model.quality - 0.001 * model.costs.params.bit_length()
    assert [ref.name for ref in model.components] == ["below", "above", "head"]
    assert model.test_quality > 0.5  # by chance it is 1/6
    assert len(commit.trials.whole) == 4
    for revision in ("turned", "turned~1"):  # the second iteration remembers the first one's trials, then and now
        assert replay(repo, here.context, revision).outcome == "same"
    add_remote(repo, here.context, "origin", str(tmp_path / "shared"))
    push(repo, here.context, "origin")
    copy = open_repo(clone(str(tmp_path / "shared"), tmp_path / "copy", here.context).path, here.context)
    copy.update_config(lambda config: config.with_setting("data.turned", "shapes:turned"))
    copy = open_repo(copy.worktree, here.context)
    for room in ("0", "1"):  # in memory, and read as they are needed
        context = replace(here.context, environ={**here.context.environ, "MU2NET_MACHINE_RESIDENT_BYTES": room})
        found = evaluate(copy, context, "turned")
        assert (found.metric, found.quality, found.num_examples) == ("near", pytest.approx(model.test_quality), 64)
        assert (found.accuracy, found.correct, found.interval) == (None, None, None)
    with pytest.raises(InvalidInputError, match="Only of classes can be told which are wrong; angle come out"):
        evaluate(copy, here.context, "turned", wrong=True)
    with pytest.raises(DataError, match="Cannot predict for turned: outline goes in and angle come out"):
        Predictor(copy, here.context, "turned")
    for place in (repo, copy):
        assert fsck(place, here.context).problems == ()


def test_where_it_is_not_installed_that_is_said_and_all_else_goes_on(
    grown, seen: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    repo = grown.open()
    add_sample_task(repo, "turned", task=describe_task("shapes:turned", name="turned").task)  # as pulled from others
    iteration = load_system(repo).heads["digits"].commit
    settings = {**iteration.run.settings, "evolve.method": "greedy"}
    theirs = repo.objects.put(replace(iteration, run=replace(iteration.run, settings=settings)))
    monkeypatch.setattr("importlib.metadata.entry_points", lambda **_: ())
    see(monkeypatch, seen, *REGISTRIES)  # as a process that has loaded nothing of it
    for variable, complaint in (
        ("MU2NET_EVOLVE_METHOD", r"evolve\.method: expected mu2net-plus or random or tpe, got 'greedy'"),
        ("MU2NET_SCORER_NAME", r"scorer\.name: expected decay, got 'bits'"),
    ):
        context = replace(grown.context, environ={**grown.context.environ, variable: SETTINGS[variable]})
        with pytest.raises(InvalidInputError, match=complaint):
            evolve(repo, context, ["digits"])
    with pytest.raises(PluginError, match=r"No search method 'greedy' is installed; there are mu2net-plus, random"):
        replay(repo, grown.context, theirs)
    unknown = "its input is of the kind 'outline'; its output is of the kind 'angle', which neither mu2net .* knows"
    with pytest.raises(PluginError, match=f"Cannot evolve turned: {unknown}"):
        evolve(repo, grown.context, ["turned"], EvolveOptions(generations=1, children=1, validations=1))
    assert fsck(repo, grown.context).problems == ()


def mu2net(folder: Path, package: Path, *args: str, code: int = 0) -> subprocess.CompletedProcess[str]:
    environ = {
        **QUICK,
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "MU2NET_CACHE_DIR": str(folder / "cache"),
        "PYTHONPATH": f"{package}{os.pathsep}{ROOT}",
    }
    done = subprocess.run(
        [sys.executable, "-m", "mu2net_cli.main", *args],
        cwd=folder,
        env=environ,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == code, done.stderr
    return done


def test_the_command_line_takes_it_and_names_what_it_lacks(package: Path, tmp_path: Path) -> None:
    folder, without = tmp_path / "system", tmp_path / "nothing"
    mu2net(tmp_path, package, "init", "system", "--preset", "outlines")
    mu2net(folder, package, "add-task", "shapes:turned")
    mu2net(folder, package, "config", "set", "evolve.method", "greedy")
    mu2net(folder, package, "config", "set", "scorer.name", "bits")
    size = ("--generations", "1", "--children", "2", "--validations", "2", "--seed", "1")
    mu2net(folder, package, "evolve", "--all", *size)
    (task,) = json.loads(mu2net(folder, package, "tasks", "--json").stdout)
    assert (task["input"], task["output"], task["num_outputs"]) == ("outline", "angle", 2)
    assert task["unknown"] is None
    measured = mu2net(folder, package, "eval", "turned").stdout
    assert f"near {100 * task['test']:.2f}%" in " ".join(measured.split())
    (same,) = json.loads(mu2net(folder, without, "tasks", "--json").stdout)
    assert same == {**task, "unknown": "its input is of the kind 'outline'; its output is of the kind 'angle'"}
    for looking in ("log", "status"):
        mu2net(folder, without, looking)
    lacking = mu2net(folder, without, "eval", "turned", code=3)
    assert "Cannot measure turned: its input is of the kind 'outline'" in lacking.stderr
    assert "Install the package that adds it" in lacking.stderr
