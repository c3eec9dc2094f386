"""``evolve.refit_from``: what is used learned from validation examples, too; what evolution goes on from did not."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from threading import Event as Flag

import numpy as np
import pytest

from mu2net_cli.printing.plans import plan_lines
from mu2net_core.api.evolving.plan_evolve import EvolvePlan, TaskPlan, plan_evolve
from mu2net_core.api.evolving.prospects import Prospects
from mu2net_core.api.evolving.replay import replay
from mu2net_core.api.iterations.options import EvolveOptions
from mu2net_core.api.looking.leaderboard import leaderboard
from mu2net_core.api.looking.log import log
from mu2net_core.api.looking.status import status
from mu2net_core.api.models.evaluate import evaluate
from mu2net_core.api.sharing import remote
from mu2net_core.api.sharing.clone import clone
from mu2net_core.api.sharing.pull import pull
from mu2net_core.api.sharing.push import push
from mu2net_core.api.sharing.rechecking import Rechecking
from mu2net_core.api.tasks.add_task import add_task
from mu2net_core.api.tasks.reset import reset
from mu2net_core.errors import CorruptObjectError, NotFoundError
from mu2net_core.events import Event, GenerationFinished, RefitStarted, RefitStepsFinished
from mu2net_core.objects import Commit
from mu2net_core.repo import Repository, load_system
from mu2net_core.repo.history import Arrivals, check
from mu2net_core.repo.leases import Keeper

NOTHING = {"train_s": 1.0, "compile_s": 1.0, "memory_bytes": None, "left_out": {}}


def head_commit(repo: Repository) -> Commit:
    return load_system(repo).heads["digits"].commit


def at_generation_end(event: Event) -> None:
    if isinstance(event, GenerationFinished):
        raise KeyboardInterrupt


def told_of(task: TaskPlan) -> list[str]:
    return list(plan_lines(EvolvePlan(tasks=(task,), **NOTHING)))


def raise_model(repo: Repository) -> str:
    """Makes the head's model one that no child is better than; returns its id."""
    head = load_system(repo).heads["digits"]
    raised = repo.objects.put(replace(head.model, quality=1.0, score=1.0, validation_curve=(1.0,)))
    repo.refs.append("digits", repo.objects.put(replace(head.commit, model=raised)), after=repo.refs.head("digits"))
    return raised


def test_what_is_used_is_the_refit_and_what_children_are_made_from_is_what_was_validated(refitting) -> None:
    repo, told = refitting.open(), list[Event]()
    (first,) = refitting.evolve(repo, seed=1, on_event=told.append).iterations
    (began,) = [event for event in told if isinstance(event, RefitStarted)]
    sizes = load_system(repo).heads["digits"].task.splits
    assert began.examples == sizes["train"].num_examples + sizes["validation"].num_examples
    assert [event.steps for event in told if isinstance(event, RefitStepsFinished)][-1] == began.steps > 0
    assert [entry.event for entry in log(repo, "digits")] == ["refit", "iteration", "add"]
    refit, iteration = (repo.objects.commit(entry.commit) for entry in list(log(repo, "digits"))[:2])
    made, validated = repo.objects.model(str(refit.model)), repo.objects.model(str(iteration.model))
    assert refit.refit_of == made.refit_of == iteration.model
    assert (first.model, first.test, first.validation) == (refit.model, made.test_quality, validated.quality)
    assert (refit.iteration, refit.selections) == (1, iteration.selections)
    head = load_system(repo).heads["digits"]
    assert (head.model_id, head.model, head.refit) == (iteration.model, validated, made)
    assert refit.model not in load_system(repo).retained()  # no other task is made from it either
    (row,) = leaderboard(repo).rows
    assert (row.model, row.test, row.validation) == (refit.model, made.test_quality, validated.quality)
    refitting.evolve(repo, seed=2)
    newest = head_commit(repo)
    line, oid = [], newest.model
    while oid is not None:
        line.append(oid)
        oid = repo.objects.model(oid).parent
    assert refit.model not in line
    assert refitting.is_clean(repo)


def test_where_the_second_iteration_is_the_first_to_end_so_it_is(world, planted) -> None:
    repo, later = planted.open(), world(MU2NET_EVOLVE_REFIT_FROM="2")
    twice = EvolveOptions(iterations=2)
    (plan,) = plan_evolve(repo, later.context, ["digits"], twice).tasks
    assert (plan.iterations, plan.refits) == (2, 1)
    assert any("the best one of the last iteration is trained" in line for line in told_of(plan))
    later.evolve(repo, seed=1)
    (plan,) = plan_evolve(repo, later.context, ["digits"], twice).tasks
    assert (plan.iterations, plan.refits) == (2, 2)
    assert any("all children and the refits take" in line for line in told_of(plan))
    assert [entry.event for entry in log(repo, "digits")] == ["iteration", "add"]
    with pytest.raises(KeyboardInterrupt):
        later.evolve(repo, seed=2, on_event=at_generation_end)
    (plan,) = plan_evolve(repo, later.context, ["digits"], replace(twice, seed=2)).tasks
    assert (plan.done, plan.iterations, plan.refits) == (1, 2, 2)
    later.evolve(repo, seed=2)
    assert [entry.event for entry in log(repo, "digits")] == ["refit", "iteration", "iteration", "add"]
    refit, iteration = (repo.objects.commit(entry.commit) for entry in list(log(repo, "digits"))[:2])
    gained = Prospects(repo=repo).of(load_system(repo).heads["digits"]).gains
    assert [gain.device_s for gain in gained][-1] == iteration.device_s + refit.device_s > iteration.device_s
    report = replay(repo, later.context, "digits")
    assert (report.outcome, report.differences) == ("same", ())


def test_a_task_with_few_examples_more_is_not_refit(refitting, tmp_path: Path) -> None:
    repo, told = refitting.open(), list[Event]()
    sizes = {"train": 200, "validation": 9, "test": 10}
    labels = {f"y_{split}": np.arange(size) % 2 for split, size in sizes.items()}
    images = {
        f"x{name[1:]}": (200 * label[:, None, None] * np.ones((8, 8))).astype("u1") for name, label in labels.items()
    }
    np.savez(tmp_path / "few.npz", **images, **labels)
    add_task(repo, refitting.context, f"npz:{tmp_path / 'few.npz'}")
    (plan,) = plan_evolve(repo, refitting.context, ["few"], EvolveOptions()).tasks
    assert plan.refits == 0
    refitting.evolve(repo, ["few"], seed=1, on_event=told.append)
    assert [entry.event for entry in log(repo, "few")] == ["iteration", "add"]
    assert [event.eta_s for event in told if isinstance(event, GenerationFinished)][-1] == 0.0


def test_both_are_done_again_by_replay(refit) -> None:
    repo = refit.open()
    refit.evolve(repo, seed=2)
    for named in ("digits", "digits~1", "digits~2"):
        report = replay(repo, refit.context, named)
        assert (report.outcome, report.differences) == ("same", ()), named
        assert report.now.model == report.then.model
    assert replay(repo, refit.context, "digits").iteration == 2


def test_where_no_child_is_better_the_task_keeps_its_refit(refit) -> None:
    repo = refit.open()
    commit, perfect = head_commit(repo), {"quality": 1.0, "score": 1.0, "validation_curve": (1.0,)}
    raised = repo.objects.put(replace(repo.objects.model(str(commit.refit_of)), **perfect))
    made = repo.objects.put(replace(repo.objects.model(str(commit.model)), parent=raised, **perfect))
    iteration = repo.objects.put(replace(repo.objects.commit(commit.parents[0]), model=raised))
    kept = repo.objects.put(replace(commit, model=made, refit_of=raised, parents=(iteration,)))
    repo.refs.append("digits", kept, after=repo.refs.head("digits"))
    told = list[Event]()
    (result,) = refit.evolve(repo, seed=3, on_event=told.append).iterations
    assert (result.improved, result.model, head_commit(repo).model) == (False, made, made)
    tests = [repo.objects.model(oid).test_quality for oid in (made, raised)]
    assert result.test == tests[0] != tests[1]
    assert not any(isinstance(event, RefitStarted) for event in told)
    report = replay(repo, refit.context, "digits")
    assert (report.outcome, report.differences) == ("same", ())


def test_a_kill_before_the_refit_loses_nothing(refitting) -> None:
    repo = refitting.open()

    def interrupt(event: Event) -> None:
        if isinstance(event, RefitStarted):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        refitting.evolve(repo, seed=1, on_event=interrupt)
    assert [entry.event for entry in log(repo, "digits")] == ["add"]
    report = status(repo, refitting.context)
    assert [(one.generation, one.generations) for one in report.unfinished] == [(2, 2)]
    assert "brings it to its end: all generations are done" in {step.why for step in report.next}
    told = list[Event]()
    (result,) = refitting.evolve(repo, on_event=told.append).iterations
    assert [entry.event for entry in log(repo, "digits")] == ["refit", "iteration", "add"]
    assert result.seed == 1
    assert refitting.is_clean(repo)


def test_asked_to_end_in_the_last_generation_it_is_refit_and_others_hear_that_it_goes_on(
    refitting, monkeypatch: pytest.MonkeyPatch
) -> None:
    repo, stop, signs, heard = refitting.open(), Flag(), list[str](), list[int]()
    monkeypatch.setattr(Keeper, "hear", lambda _keeper: signs.append("at work"))

    def end(event: Event) -> None:
        if isinstance(event, GenerationFinished) and event.generation == 1:
            stop.set()
        if isinstance(event, (RefitStarted, RefitStepsFinished)):
            heard.append(len(signs))

    stopped = refitting.evolve(repo, seed=1, on_event=end, stop=stop)
    assert (stopped.stopped, len(stopped.iterations)) == (True, 1)
    assert [entry.event for entry in log(repo, "digits")] == ["refit", "iteration", "add"]
    assert len(heard) > 1
    assert heard == sorted(set(heard))  # one sign of life more before each


def test_a_model_of_an_earlier_iteration_that_stays_the_best_is_trained_on(refitting, planted) -> None:
    repo = planted.open()
    planted.evolve(repo, seed=1)
    raised = raise_model(repo)
    (result,) = refitting.evolve(repo, seed=2).iterations
    commit, validated = head_commit(repo), repo.objects.model(raised)
    assert (result.improved, commit.refit_of, result.model) == (False, raised, commit.model)
    made = repo.objects.model(str(commit.model))
    for before, after in zip(validated.components, made.components, strict=True):
        assert (after.trainable, after.operation) == (
            before.trainable,
            "clone" if before.trainable else before.operation,
        )
        assert after.parent == before.id if after.trainable else after.id == before.id
        steps = [ref.training["digits"].steps if "digits" in ref.training else 0 for ref in (before, after)]
        assert steps[0] < steps[1] if after.trainable else steps[0] == steps[1]
    report = replay(repo, refitting.context, "digits")
    assert (report.outcome, report.differences) == ("same", ())
    for told in (commit, made):
        check(told, repo.objects, Arrivals.at(repo.identity, None))
    kept = commit.model
    refitting.evolve(repo, seed=3)
    assert head_commit(repo).model == kept  # once
    reset(repo, refitting.context, "digits", "digits~2")
    refitting.evolve(repo, seed=4)
    assert head_commit(repo).model == raised  # nor after somebody went back


def test_what_is_missing_to_refit_an_earlier_model_is_told_and_holds_nothing_up(
    refitting, planted, monkeypatch: pytest.MonkeyPatch
) -> None:
    repo, warned = planted.open(), list[str]()
    planted.evolve(repo, seed=1)
    raised = raise_model(repo)

    def gone(*_given: object) -> None:
        raise NotFoundError("The component 12345 is not here.")

    monkeypatch.setattr("mu2net_core.api.evolving.runner.refit", gone)
    told = replace(refitting, context=replace(refitting.context, warn=warned.append))
    (result,) = told.evolve(repo, seed=2).iterations
    assert (result.improved, result.model, head_commit(repo).iteration) == (False, raised, 2)
    assert warned == [f"digits: its model {raised[:10]} is not refit. The component 12345 is not here."]


def test_a_clone_has_both_and_goes_on_alike(refit, tmp_path: Path) -> None:
    repo = refit.open()
    remote.add(repo, refit.context, "origin", str(tmp_path / "shared"))
    push(repo, refit.context)
    there = clone(str(tmp_path / "shared"), "elsewhere", refit.context)
    other = refit.open("elsewhere")
    assert there is not None
    assert head_commit(other) == head_commit(repo)
    mine, theirs = (evaluate(one, refit.context, "digits") for one in (repo, other))
    assert mine.quality == theirs.quality
    for one in (repo, other):
        refit.evolve(one, seed=2)
    assert head_commit(other).model == head_commit(repo).model


def test_what_is_pulled_by_name_can_be_used_and_evolved_without_the_remote(refitting, tmp_path: Path) -> None:
    repo = refitting.open()
    remote.add(repo, refitting.context, "origin", str(tmp_path / "shared"))
    push(repo, refitting.context)
    clone(str(tmp_path / "shared"), "elsewhere", refitting.context)
    refitting.evolve(repo, seed=1)
    push(repo, refitting.context)
    other = refitting.open("elsewhere")
    pull(other, refitting.context, "origin", ["digits"])
    commit = head_commit(other)
    for oid in (str(commit.model), str(commit.refit_of)):
        assert all(other.objects.has("component", ref.id) for ref in other.objects.model(oid).components)


def test_what_validation_examples_say_of_a_refit_is_told_to_be_worth_nothing(refit, monkeypatch) -> None:
    repo, warned = refit.open(), list[str]()
    monkeypatch.setattr(type(refit.context), "warn", lambda _self, message: warned.append(message))
    evaluate(repo, refit.context, "digits", split="test")
    assert warned == []
    evaluate(repo, refit.context, "digits", split="validation")
    (message,) = warned
    basis = str(head_commit(repo).refit_of)
    assert f"mu2net eval {basis[:10]} --split validation" in message
    warned.clear()
    validated = evaluate(repo, refit.context, basis, split="validation")
    assert validated.quality == pytest.approx(repo.objects.model(basis).quality)
    assert warned == []


def test_where_two_sides_are_measured_again_it_is_what_was_validated(refit, monkeypatch) -> None:
    repo, asked = refit.open(), list[str]()
    base = head_commit(repo)

    def look_up(_repo, _context, model: str, _examples: int, _left_s: float) -> float:
        asked.append(model)
        return 0.5

    monkeypatch.setattr("mu2net_core.api.sharing.rechecking.measured_apart", look_up)
    basis = repo.objects.model(str(base.refit_of))
    elsewhere = replace(basis, device_kind="NVIDIA H200", seed=99)
    other = repo.objects.put(
        replace(base, model=repo.objects.put(elsewhere), refit_of=None, parents=(base.parents[0],), message="x")
    )
    ours = load_system(repo).heads["digits"].commit_id
    Rechecking(repo=repo, context=refit.context).decided(ours, other)
    assert base.refit_of in asked
    assert base.model not in asked


def test_a_reset_to_before_the_refit_uses_what_was_validated(refit) -> None:
    repo = refit.open()
    basis = head_commit(repo).refit_of
    reset(repo, refit.context, "digits", "digits~1")
    head = load_system(repo).heads["digits"]
    assert (head.commit.model, head.model_id, head.refit) == (basis, basis, None)


def test_a_plan_counts_the_refit(refitting, planted) -> None:
    repo, options = refitting.open(), EvolveOptions(generations=2, children=2, validations=1)
    with_it, without = (plan_evolve(repo, one.context, ["digits"], options).tasks[0] for one in (refitting, planted))
    assert with_it.kept_bytes == 2 * without.kept_bytes
    assert (with_it.most_bytes, without.most_bytes) == (5 * without.kept_bytes, 4 * without.kept_bytes)
    assert (with_it.refits, without.refits) == (1, 0)
    assert [any("the best one is" in line for line in told_of(task)) for task in (with_it, without)] == [True, False]


@pytest.mark.parametrize("change", ["another", "no refit", "not the one before"])
def test_a_commit_that_says_what_is_not_so_is_refused(refit, change: str) -> None:
    repo = refit.open()
    commit, arrivals = head_commit(repo), Arrivals.at(repo.identity, None)
    check(commit, repo.objects, arrivals)
    changed = {
        "another": replace(commit, refit_of=commit.model),
        "no refit": replace(commit, model=commit.refit_of),
        "not the one before": replace(commit, parents=repo.objects.commit(commit.parents[0]).parents),
    }
    with pytest.raises(CorruptObjectError, match="a refit of the one before it"):
        check(changed[change], repo.objects, arrivals)


def test_a_model_that_is_no_refit_of_what_it_names_is_refused(refit) -> None:
    repo = refit.open()
    made, arrivals = repo.objects.model(str(head_commit(repo).model)), Arrivals.at(repo.identity, None)
    check(made, repo.objects, arrivals)
    for changed in (replace(made, parent=made.root), replace(made, validation_curve=(1.0,))):
        with pytest.raises(CorruptObjectError, match=r"is a refit of \w+, of which it tells otherwise"):
            check(changed, repo.objects, arrivals)
    with pytest.raises(CorruptObjectError, match="a refit, which nothing is made from"):
        check(replace(made, parent=head_commit(repo).model, mutations=()), repo.objects, arrivals)


def test_a_refit_of_what_no_commit_retains_is_refused(refit) -> None:
    repo = refit.open()
    commit, arrivals = head_commit(repo), Arrivals.at(repo.identity, None)
    added = repo.objects.commit(commit.parents[0]).parents
    with pytest.raises(CorruptObjectError, match="no commit before it says so"):
        check(replace(commit, refit_of=None, parents=added), repo.objects, arrivals)
    head = load_system(repo).heads["digits"].commit_id
    later = replace(commit, refit_of=None, parents=(head,))  # as of an iteration that found nothing better
    check(later, repo.objects, arrivals)
    check(replace(later, parents=(repo.objects.put(replace(later, model=commit.refit_of)),)), repo.objects, arrivals)


def test_a_snapshot_goes_on_from_the_one_before_a_refit(refit) -> None:
    repo = refit.open()
    commit = head_commit(repo)
    assert commit.snapshot == repo.objects.commit(commit.parents[0]).snapshot is not None


def test_children_of_anothers_model_that_was_refit_are_told_of(refit) -> None:
    repo = refit.open()
    add_task(repo, refit.context, "sklearn:digits/parity")
    basis = head_commit(repo).refit_of
    for seed in range(2, 9):
        (found,) = refit.evolve(repo, ["digits/parity"], seed=seed, children=4).iterations
        iteration = repo.objects.commit(repo.objects.commit(found.commit).parents[0])
        told = iteration if iteration.trials is not None else repo.objects.commit(found.commit)
        assert told.trials is not None
        assert len(told.trials.each) == told.children.sampled
        if basis in {trial.parent for trial in told.trials.each}:
            return
    pytest.fail("no child of the other task's model")


def test_predictions_come_from_the_refit(refit) -> None:
    repo = refit.open()
    commit = head_commit(repo)
    used, basis = (evaluate(repo, refit.context, str(oid)) for oid in (commit.model, commit.refit_of))
    named = evaluate(repo, refit.context, "digits")
    assert named.model == commit.model
    assert named.quality == used.quality
    arrays = [
        repo.objects.component(repo.objects.model(one.model).components[-1].id).params["kernel"]
        for one in (used, basis)
    ]
    assert not np.array_equal(*arrays)
