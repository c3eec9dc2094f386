from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from mu2net_core.objects import PUBLIC, AccessRule
from mu2net_core.repo import Remote, Repository, load_system, open_repository, visible_snapshot
from mu2net_core.repo.exchange.pushing import push
from mu2net_core.repo.history.system import granted_rule
from mu2net_core.testing.building.samples import add_sample_task, evolve_sample, sample_task

SECRET = AccessRule.only(["secret"])


def test_an_empty_repository_has_only_its_root(repo: Repository) -> None:
    system = load_system(repo)
    assert (dict(system.heads), dict(system.rules), dict(system.ancestors)) == ({}, {}, {})
    assert list(system.roots) == list(repo.refs.roots().values())


def test_heads_models_and_their_lines(repo: Repository) -> None:
    add_sample_task(repo, "a")
    add_sample_task(repo, "new")
    for score in (0.1, 0.2, 0.3):
        evolve_sample(repo, "a", score=score)
    system = load_system(repo)
    assert set(system.heads) == {"a", "new"}
    assert system.heads["new"].model is None
    head = system.heads["a"]
    assert head.model is not None
    assert head.model.score == 0.3
    assert len(system.ancestors) == 2
    assert head.model.parent in system.ancestors
    assert set(system.retained()) == {head.model_id, *system.roots}


def test_at_a_snapshot_it_is_as_it_was(repo: Repository) -> None:
    add_sample_task(repo, "a")
    first = evolve_sample(repo, "a", score=0.1)
    evolve_sample(repo, "a", score=0.2)
    system = load_system(repo, heads={"a": first.commit})
    assert system.heads["a"].commit_id == first.commit
    assert system.heads["a"].commit.iteration == 1


def test_removed_tasks_are_gone_but_their_rules_stay(repo: Repository) -> None:
    add_sample_task(repo, "secret", SECRET)
    head = evolve_sample(repo, "secret", score=0.1)
    commit = repo.objects.commit(head.commit)
    removal = replace(commit, parents=(head.commit,), removed=True)
    repo.refs.append("secret", repo.objects.put(removal), after=head)
    system = load_system(repo)
    assert "secret" not in system.heads
    assert system.rules["secret"] == SECRET


def test_a_rule_is_what_all_task_objects_of_the_history_grant(repo: Repository) -> None:
    head = add_sample_task(repo, "a", AccessRule.only(["g", "h"]))
    before = repo.objects.commit(head.commit)
    for access in (AccessRule.only(["h", "i"]), PUBLIC):
        task_id = repo.objects.put(sample_task("a", access))
        before = replace(before, task_id=task_id, parents=(head.commit,))
        head = repo.refs.append("a", repo.objects.put(before), after=head)
    assert load_system(repo).rules["a"] == AccessRule.only(["h"])


def test_a_commit_mentions_nothing_its_task_may_not_see(repo: Repository) -> None:
    add_sample_task(repo, "open")
    add_sample_task(repo, "secret", SECRET)
    add_sample_task(repo, "new", SECRET)
    public = evolve_sample(repo, "open", score=0.1)
    hidden = evolve_sample(repo, "secret", score=0.2)
    system = load_system(repo)
    roots = repo.refs.roots()
    assert visible_snapshot(system, "open", roots=roots).heads == {"open": public.commit}
    assert visible_snapshot(system, "secret", roots=roots).heads == {"open": public.commit, "secret": hidden.commit}
    assert visible_snapshot(system, "open", roots=roots).roots == roots
    assert set(visible_snapshot(system, "open").roots.values()) == set(roots.values())


def test_a_public_task_that_learned_from_a_private_one_is_not_shown_to_others(repo: Repository) -> None:
    add_sample_task(repo, "secret", SECRET)
    add_sample_task(repo, "open")
    add_sample_task(repo, "leaky")
    hidden = evolve_sample(repo, "secret", score=0.2)
    leaked = evolve_sample(repo, "leaky", score=0.2, parent=repo.objects.commit(hidden.commit).model)
    system = load_system(repo)
    assert "leaky" not in visible_snapshot(system, "open").heads
    assert visible_snapshot(system, "leaky").heads["leaky"] == leaked.commit


def test_only_models_of_commits_that_are_here_keep_their_arrays(repo: Repository, tmp_path: Path) -> None:
    for task in ("a", "b"):
        add_sample_task(repo, task)
    evolve_sample(repo, "a", score=0.1)
    first = load_system(repo).heads["a"].model_id
    evolve_sample(repo, "a", score=0.2)
    evolve_sample(repo, "b", score=0.3, parent=first)
    system = load_system(repo)
    assert system.keeps(first)
    assert all(system.keeps(oid) for oid in system.retained())
    # Of a, the remote gets its beginning and the manifests b descends from, no arrays.
    origin = Remote(name="origin", url=str(tmp_path / "shared"))
    push(repo, origin, tasks=["b"])
    partly = load_system(open_repository(tmp_path / "shared"))
    assert first in partly.ancestors
    assert not partly.keeps(first)


def test_what_a_task_teaches_is_for_no_more_readers_than_any_of_its_task_objects_allows(repo: Repository) -> None:
    head = add_sample_task(repo, "a", AccessRule.only(["g", "h"]))
    before = repo.objects.commit(head.commit)
    moved = [head.commit]
    for access in (PUBLIC, AccessRule.only(["h"])):
        task_id = repo.objects.put(sample_task("a", access))
        moved.append(repo.objects.put(replace(before, task_id=task_id, parents=(moved[-1],), identity=None)))
    granted = [granted_rule(repo, oid).readers for oid in moved]
    assert granted == [("g", "h"), ("g", "h"), ("h",)]
