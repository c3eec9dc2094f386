"""Who learned from whom, over the whole history: what fsck finds of knowledge where it may not be."""

from __future__ import annotations

from dataclasses import replace

from mu2net_core.objects import AccessRule, Commit
from mu2net_core.repo import Repository, open_repository
from mu2net_core.repo.checking.fsck_run import fsck
from mu2net_core.testing.building.samples import add_sample_task, evolve_sample, sample_task
from mu2net_core.testing.worlds.sharing import model_of

SECRET = AccessRule.only(["secret"])


def _problems(repo: Repository) -> set[tuple[str, str]]:
    return {(problem.kind, problem.object) for problem in fsck(open_repository(repo.path)).problems}


def test_knowledge_that_leaked_from_a_private_task(repo: Repository) -> None:
    add_sample_task(repo, "secret", SECRET)
    add_sample_task(repo, "open")
    hidden = evolve_sample(repo, "secret", score=0.5)
    evolve_sample(repo, "open", score=0.1)
    assert _problems(repo) == set()
    evolve_sample(repo, "open", score=0.6, parent=repo.objects.commit(hidden.commit).model)
    leak = model_of(repo, "open")
    assert _problems(repo) == {("access", f"model/{leak}")}
    evolve_sample(repo, "open", score=0.7, parent=next(iter(repo.refs.roots().values())))
    assert _problems(repo) == {("access", f"model/{leak}")}, "the past counts too"


def test_groups_share_and_a_private_task_may_use_its_own(repo: Repository) -> None:
    add_sample_task(repo, "secret", SECRET)
    add_sample_task(repo, "one", AccessRule.only(["team"]))
    add_sample_task(repo, "two", AccessRule.only(["other", "team"]))
    for _ in range(2):
        evolve_sample(repo, "secret", score=0.5)
    shared = evolve_sample(repo, "one", score=0.5)
    evolve_sample(repo, "two", score=0.5, parent=repo.objects.commit(shared.commit).model)
    assert _problems(repo) == set()


def test_a_model_that_hides_who_trained_it(repo: Repository) -> None:
    add_sample_task(repo, "secret", SECRET)
    add_sample_task(repo, "open")
    hidden = evolve_sample(repo, "secret", score=0.5)
    head = evolve_sample(repo, "open", score=0.6, parent=repo.objects.commit(hidden.commit).model)
    leak = repo.objects.model(model_of(repo, "open"))
    laundered = replace(
        leak,
        components=tuple(
            replace(ref, training={t: n for t, n in ref.training.items() if t != "secret"}) for ref in leak.components
        ),
    )
    commit = replace(repo.objects.commit(head.commit), model=repo.objects.put(laundered), parents=(head.commit,))
    repo.refs.append("open", repo.objects.put(commit), after=head)
    assert ("access", f"model/{model_of(repo, 'open')}") in _problems(repo)


def test_a_task_that_named_a_private_one_as_its_reader_may_not_use_it(repo: Repository) -> None:
    add_sample_task(repo, "secret", SECRET)
    add_sample_task(repo, "nosy", SECRET)
    evolve_sample(repo, "secret", score=0.1)
    evolve_sample(repo, "nosy", score=0.2, parent=model_of(repo, "secret"), trains=("encoderblock_0",))
    assert ("access", f"model/{model_of(repo, 'nosy')}") in _problems(repo)


def test_what_was_never_agreed_on_makes_no_rule(repo: Repository) -> None:
    # Adding a task died before its head was made; then it was added with another rule.
    task_id = repo.objects.put(sample_task("a", AccessRule.only(["a"])))
    time = "2026-01-01T00:00:00.000000+00:00"
    repo.objects.put(Commit(task="a", task_id=task_id, started_at=time, finished_at=time))
    for task in ("a", "b"):
        add_sample_task(repo, task)
    evolve_sample(repo, "a", score=0.1)
    evolve_sample(repo, "b", score=0.2, parent=model_of(repo, "a"), trains=("encoderblock_0",))
    assert fsck(repo).problems == ()
