"""``examples/plugin``, installed as a package is: used from Python and by the command line, and held to the suites."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mu2net_core.api.evolving.evolve import evolve
from mu2net_core.api.evolving.replay import replay
from mu2net_core.api.iterations.options import EvolveOptions
from mu2net_core.api.setup.init import init
from mu2net_core.api.tasks.add_task import add_task
from mu2net_core.api.upkeep.fsck import fsck
from mu2net_core.data import Source, open_source
from mu2net_core.data.catalogue import SOURCES
from mu2net_core.errors import InvalidInputError, Mu2netError, PluginError
from mu2net_core.objects import Trial
from mu2net_core.repo import Repository, load_system
from mu2net_core.scoring import SCORERS, ScorerFn
from mu2net_core.search import METHODS, SearchMethod, SearchState, start
from mu2net_core.testing.building.plugins import install, see
from mu2net_core.testing.building.systems import SampleStructure
from mu2net_core.testing.conformance.methods import SPACE, SYSTEM, SearchMethodTests
from mu2net_core.testing.conformance.scorers import ScorerTests
from mu2net_core.testing.conformance.sources import SourceTests

ROOT = Path(__file__).parents[3]
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
    see(monkeypatch, package, METHODS, SCORERS, SOURCES)
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
        return lambda: open_source("shapes:bars")


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


def test_from_python_it_evolves_goes_on_and_can_be_repeated(world, seen: Path) -> None:
    here = world(**SETTINGS)
    init(Path("repo"), here.context, preset="vit-mini")
    repo = here.open()
    add_task(repo, here.context, "shapes:bars", name="bars", validation="train[:25%]", train="train[25%:]")
    evolve(repo, here.context, ["bars"], EvolveOptions(seed=1, generations=2, children=2, validations=1, iterations=2))
    head = load_system(repo).heads["bars"]
    model, commit = head.model, head.commit
    assert model is not None
    assert (model.scorer.name, commit.run.settings["evolve.method"], commit.iteration) == ("bits", "greedy", 2)
    assert model.score == model.quality - 0.001 * model.costs.params.bit_length()
    assert len(commit.trials.whole) == 4
    assert fsck(repo, here.context).problems == ()
    for revision in ("bars", "bars~1"):  # the second iteration remembers the first one's trials, then and now
        assert replay(repo, here.context, revision).outcome == "same"


def test_where_it_is_not_installed_that_is_said_and_all_else_goes_on(
    grown, seen: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    repo = grown.open()
    add_task(repo, grown.context, "shapes:bars", name="bars")
    iteration = load_system(repo).heads["digits"].commit
    settings = {**iteration.run.settings, "evolve.method": "greedy"}
    theirs = repo.objects.put(replace(iteration, run=replace(iteration.run, settings=settings)))
    monkeypatch.setattr("importlib.metadata.entry_points", lambda **_: ())
    see(monkeypatch, seen, METHODS, SCORERS, SOURCES)  # as a process that has loaded nothing of it
    for variable, complaint in (
        ("MU2NET_EVOLVE_METHOD", r"evolve\.method: expected mu2net-plus or random, got 'greedy'"),
        ("MU2NET_SCORER_NAME", r"scorer\.name: expected decay, got 'bits'"),
    ):
        context = replace(grown.context, environ={**grown.context.environ, variable: SETTINGS[variable]})
        with pytest.raises(InvalidInputError, match=complaint):
            evolve(repo, context, ["digits"])
    with pytest.raises(PluginError, match=r"No search method 'greedy' is installed; there are mu2net-plus, random"):
        replay(repo, grown.context, theirs)
    with pytest.raises(Mu2netError, match="Unknown kind of data source 'shapes'"):
        evolve(repo, grown.context, ["bars"], EvolveOptions(generations=1, children=1, validations=1))
    assert fsck(repo, grown.context).problems == ()


def mu2net(folder: Path, package: Path, *args: str, code: int = 0) -> subprocess.CompletedProcess[str]:
    environ = {
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


def test_the_command_line_takes_it_and_names_what_it_lacks(repo: Repository, package: Path, tmp_path: Path) -> None:
    folder = repo.path.parent if repo.path.name == ".mu2net" else repo.path
    mu2net(folder, package, "add-task", "shapes:bars", "--name", "bars")
    mu2net(folder, package, "config", "set", "evolve.method", "greedy")
    mu2net(folder, package, "config", "set", "scorer.name", "bits")
    (task,) = json.loads(mu2net(folder, package, "tasks", "--json").stdout)
    assert (task["name"], task["num_outputs"]) == ("bars", 2)
    without = mu2net(folder, tmp_path / "nothing", "evolve", "--all", code=2)
    assert "evolve.method: expected mu2net-plus or random, got 'greedy'" in without.stderr
