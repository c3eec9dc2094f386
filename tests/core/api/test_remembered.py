"""What iterations tried is kept in their commits, for those who may see it, and remembered by the next iteration."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from mu2net_core.api.context import Context
from mu2net_core.api.evolving.publish import publish
from mu2net_core.api.evolving.remembered import remembered, tellable
from mu2net_core.api.iterations.workspace import Workspace
from mu2net_core.api.signing.signing import committer
from mu2net_core.api.tasks.reset import reset
from mu2net_core.engine.iteration import IterationState
from mu2net_core.objects import AccessRule, Classes, Run, Scorer, Trial, Trials
from mu2net_core.presets import PRESETS_ADDED, Preset, preset_named, with_settings
from mu2net_core.repo import Repository, load_system, record_snapshot
from mu2net_core.repo.history.merging import merge
from mu2net_core.search import Member, Population, SearchState, start
from mu2net_core.testing.building.iterating import begun_at
from mu2net_core.testing.building.plugins import offer
from mu2net_core.testing.building.samples import add_sample_task, evolve_sample
from mu2net_core.testing.worlds.sharing import model_of

RUN = Run(preset="vit-ti0", digest="0" * 64, seed=1, generations=1, children=1, done=1, processor="any", cores=2)
STINGY = Scorer(factor=0.5)


def tried(*rates: float, parent: str = "f" * 64, model: str | None = None) -> tuple[Trial, ...]:
    outcome = "score" if model is None else "kept"
    return tuple(
        Trial(values={"rate": rate, "mu": 0.1}, parent=parent, outcome=outcome, score=0.5, cost=1.0, model=model)
        for rate in rates
    )


@pytest.fixture
def task(repo: Repository) -> str:
    add_sample_task(repo, "a")
    return "a"


def iterated(repo: Repository, trials: Sequence[Trial], scorer: Scorer = Scorer(), **changes: object) -> str:
    """Moves the head of the task to an iteration that tried something, and returns the commit."""
    before = repo.refs.head("a")
    commit = replace(
        repo.objects.commit(before.commit),
        parents=(before.commit,),
        identity=None,
        trials=Trials.of(trials, scorer),
        message=f"iteration {before.number}",
        **changes,
    )
    return repo.refs.append("a", repo.objects.put(commit), after=before).commit


def preset_of(scorer: Scorer) -> Preset:
    return replace(preset_named("vit-mini"), scorer=scorer)


def rates(repo: Repository, base: str, scorer: Scorer = Scorer()) -> list[object]:
    return [trial.values["rate"] for trial in remembered(repo, base, preset_of(scorer))]


def test_all_earlier_iterations_are_remembered_the_newest_last(repo: Repository, task: str) -> None:
    assert remembered(repo, repo.refs.head("a").commit, preset_of(Scorer())) == ()
    first = iterated(repo, tried(0.1, 0.2))
    second = iterated(repo, tried(0.3))
    assert rates(repo, second) == [0.1, 0.2, 0.3]
    assert remembered(repo, second, preset_of(Scorer()))[0] == tried(0.1)[0]
    assert rates(repo, first) == [0.1, 0.2], "of what came after the commit nothing is known"


def test_only_scores_that_compare_are_remembered(repo: Repository, task: str) -> None:
    iterated(repo, tried(0.1), STINGY)
    iterated(repo, tried(0.2))
    before = repo.objects.commit(repo.refs.head("a").commit).task_id
    other = repo.objects.put(replace(repo.objects.task(before), output=Classes(names=("x", "y"))))
    base = iterated(repo, tried(0.3), task_id=other)
    assert rates(repo, base) == [0.3], "of this definition of the task"
    base = iterated(repo, tried(0.4), STINGY, task_id=other)
    assert (rates(repo, base), rates(repo, base, STINGY)) == ([0.3], [0.4])


def test_trials_that_were_scored_on_other_validation_examples_are_not_remembered(repo: Repository, task: str) -> None:
    def run(**settings: int) -> Run:
        changed = {f"evolve.{name}": value for name, value in settings.items()}
        base = Run(preset="vit-mini", digest="0" * 64, seed=1, generations=1, children=1, done=1, processor="", cores=1)
        return replace(base, settings=changed)

    iterated(repo, tried(0.1), run=run())
    iterated(repo, tried(0.2), run=run(validation_cap=10))
    base = iterated(repo, tried(0.3), run=run(validation_cap=5120, children=2))
    assert rates(repo, base) == [0.1, 0.3]
    few = with_settings(preset_of(Scorer()), {"evolve.validation_cap": 10})
    assert [trial.values["rate"] for trial in remembered(repo, base, few)] == [0.2]


def test_what_a_preset_of_another_package_says_of_validation_examples_counts_too(
    repo: Repository, task: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    theirs = with_settings(replace(preset_of(Scorer()), name="theirs"), {"evolve.validation_cap": 10})
    offer(monkeypatch, PRESETS_ADDED, theirs=theirs)
    base = iterated(repo, tried(0.1), run=replace(RUN, preset="theirs"))
    assert len(remembered(repo, base, theirs)) == 1
    assert remembered(repo, base, with_settings(theirs, {"evolve.validation_cap": 20})) == ()


def test_what_others_tried_is_remembered_after_a_merge(repo: Repository, task: str) -> None:
    ours = iterated(repo, tried(0.1))
    theirs = repo.objects.put(replace(repo.objects.commit(ours), trials=Trials.of(tried(0.2), Scorer())))
    merged_id, merged = merge(repo.objects, [ours, theirs])
    repo.objects.put(merged)
    assert merged.trials is None
    assert sorted(rates(repo, merged_id)) == [0.1, 0.2]  # type: ignore[type-var]


def test_memory_is_bounded_and_the_newest_stay(repo: Repository, task: str) -> None:
    for number in range(3):
        base = iterated(repo, tried(*[number + n / 1000 for n in range(400)]))
    found = rates(repo, base)
    assert (len(found), found[0], found[-1]) == (1000, 0.2, 2.399)


def test_children_of_what_not_all_may_see_are_not_told_nor_their_children() -> None:
    seen, hidden, child, grandchild = "a" * 64, "b" * 64, "c" * 64, "d" * 64
    trials = (
        *tried(0.1, parent=seen),
        *tried(0.2, parent=hidden, model=child),
        *tried(0.3, parent=child),
        *tried(0.4, parent=seen, model=grandchild),
        *tried(0.5, parent=grandchild),
    )
    assert [trial.values["rate"] for trial in tellable(trials, frozenset({seen}))] == [0.1, 0.4, 0.5]


def state_of(repo: Repository, trials: Sequence[Trial]) -> IterationState:
    snapshot = record_snapshot(repo, load_system(repo), "a")
    search = SearchState(population=Population(task="a"), trials=tuple(trials))
    return begun_at(repo, "a", snapshot=snapshot, search=search)


def test_a_commit_tells_trials_by_the_names_its_models_are_stored_by(repo: Repository, context: Context) -> None:
    """The task may use what one of its groups learned; to the other group nothing of that is told."""
    rules = {"for-red": AccessRule.only(["red"]), "open": AccessRule(), "a": AccessRule.only(["blue", "red"])}
    for seed, (name, rule) in enumerate(rules.items()):
        add_sample_task(repo, name, rule)
        evolve_sample(repo, name, score=0.5, seed=seed)
    models = {name: model_of(repo, name) for name in rules}
    child = replace(repo.objects.model(models["a"]), parent=models["a"], quality=0.75, score=0.75, test_quality=None)
    winner = Member(id="e" * 64, model=child)
    trials = (
        *tried(0.1, parent=models["a"], model=winner.id),
        *tried(0.2, parent=models["for-red"]),
        *tried(0.3, parent=models["open"]),
        *tried(0.4, parent=winner.id),
    )
    workspace = Workspace.of(repo, "a")
    published = publish(
        repo,
        context,
        workspace,
        state_of(repo, trials),
        winner,
        0.5,
        RUN,
        agent=replace(committer(repo, context), device="cpu"),
    )
    commit = repo.objects.commit(published.commit_id)
    stored = published.model_id
    assert stored != winner.id
    told = [(trial.values["rate"], trial.parent, trial.model) for trial in commit.trials.whole]
    assert told == [(0.1, models["a"], stored), (0.3, models["open"], None), (0.4, stored, None)]
    assert (published.improved, commit.improved, commit.agent.device) == (True, True, "cpu")


@pytest.mark.parametrize(("score", "improved"), [(0.75, True), (0.5, False), (0.25, False)])
def test_an_iteration_says_whether_it_found_something_better(
    repo: Repository, context: Context, task: str, score: float, improved: bool
) -> None:
    evolve_sample(repo, "a", score=0.5)
    before = model_of(repo, "a")
    child = replace(repo.objects.model(before), parent=before, quality=score, score=score, test_quality=None)
    winner = Member(id="e" * 64, model=child)
    begun = SearchState(population=start(load_system(repo), "a"))
    state = replace(state_of(repo, ()), search=begun)
    published = publish(repo, context, Workspace.of(repo, "a"), state, winner, 0.5, RUN, agent=committer(repo, context))
    commit = repo.objects.commit(published.commit_id)
    assert (published.improved, commit.improved, commit.trials) == (improved, improved, None)


def test_what_is_no_iteration_says_neither(repo: Repository, context: Context, task: str) -> None:
    first = iterated(repo, tried(0.1), improved=True)
    iterated(repo, tried(0.2), improved=False)
    reset(repo, context, "a", first)
    commit = repo.objects.commit(repo.refs.head("a").commit)
    assert (commit.reset_to, commit.improved, commit.trials) == (first, None, None)
    assert rates(repo, repo.refs.head("a").commit) == [0.1, 0.2], "what was tried is not forgotten by a reset"
