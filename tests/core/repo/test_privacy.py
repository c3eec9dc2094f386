"""Whatever the rules, the lineages and the remotes: every byte that is sent may be seen by all who read the remote."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from mu2net_core.objects import AccessRule, Snapshot, parse_object_key
from mu2net_core.repo import Remote, Repository, load_system, open_repository
from mu2net_core.repo.checking.fsck_run import fsck
from mu2net_core.repo.exchange.push_preview import preview
from mu2net_core.repo.exchange.pushing import push
from mu2net_core.storage import Store, open_store
from mu2net_core.testing.building.samples import LAYERS, add_sample_task, evolve_sample, sample_repository
from mu2net_core.testing.servers.wrappers import WrappedStore

GROUPS = ("grp-red", "grp-blue", "grp-green")
TASKS = ("task-one", "task-two", "task-three", "task-four")

readers = st.one_of(st.none(), st.sets(st.sampled_from(GROUPS), min_size=1).map(lambda names: tuple(sorted(names))))
rules = st.one_of(readers, st.just("private"), st.just(()))


@dataclass(frozen=True)
class Move:
    """Someone evolves a task, from any model at all: the gate must hold even if the search did not."""

    task: int
    parent: int | None
    layers: frozenset[str]
    merged_with: int | None


moves = st.lists(
    st.builds(
        Move,
        task=st.integers(0, len(TASKS) - 1),
        parent=st.none() | st.integers(0, 9),
        layers=st.frozensets(st.sampled_from(LAYERS), min_size=1),
        merged_with=st.none() | st.integers(0, 9),
    ),
    max_size=7,
)


class Recorder(WrappedStore):
    """Keeps all that was sent."""

    def __init__(self, inner: Store) -> None:
        super().__init__(inner)
        self.sent: dict[str, bytes] = {}

    def create(self, key: str, data: bytes) -> bool:
        self.sent[key] = data
        return super().create(key, data)

    def refresh(self, key: str, data: bytes) -> None:
        self.sent[key] = data
        super().refresh(key, data)


def grown(folder: Path, task_rules: list[tuple[str, ...] | str | None], history: list[Move]) -> Repository:
    repo = sample_repository(folder)
    for task, rule in zip(TASKS, task_rules, strict=True):
        names = (task,) if rule == "private" else rule
        add_sample_task(repo, task, AccessRule() if names is None else AccessRule.only(names))
    models: list[str] = []
    for number, move in enumerate(history):
        parent = models[move.parent % len(models)] if models and move.parent is not None else None
        donor = models[move.merged_with % len(models)] if models and move.merged_with is not None else None
        state = evolve_sample(
            repo,
            TASKS[move.task],
            score=0.5,
            parent=parent,
            trains=sorted(move.layers),
            seed=1000 + number,
            merges={} if donor is None else {min(move.layers): donor},
        )
        models.append(repo.objects.commit(state.commit).model or "")
    heads = {task: state.commit for task, state in repo.refs.heads().items()}
    repo.refs.create_tag("all", repo.objects.put(Snapshot(heads=heads, roots=repo.refs.roots())))
    return repo


def trained_by(repo: Repository, component: str) -> set[str]:
    """Returns the tasks that any model says trained a component."""
    refs = (ref for oid in repo.objects.ids("model") for ref in repo.objects.model(oid).components)
    return {task for ref in refs if ref.id == component for task in ref.training}


def check_sent(repo: Repository, sent: dict[str, bytes], audience: AccessRule) -> None:
    granted = load_system(repo).rules
    secret = {task for task in TASKS if not granted[task].allows_all(audience)}
    for key, data in sent.items():
        for task in secret:
            assert task.encode() not in data
            assert task not in key
        node = parse_object_key(key)
        if node is not None and node[0] == "component":
            assert trained_by(repo, node[1]).isdisjoint(secret)


@settings(max_examples=30)
@given(st.lists(rules, min_size=4, max_size=4), moves, st.lists(readers, min_size=1, max_size=2))
def test_nothing_is_sent_that_a_reader_may_not_see(
    task_rules: list[tuple[str, ...] | str | None], history: list[Move], remotes: list[tuple[str, ...] | None]
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        repo = grown(Path(folder) / "work", task_rules, history)
        forbidden = {(p.kind, p.object) for p in fsck(repo).problems}  # what no engine would have learned from
        assert {kind for kind, _ in forbidden} <= {"access"}
        for number, who in enumerate(remotes):
            remote = Remote(name=f"r{number}", url=f"{folder}/shared{number}", readers=who)
            recorders: list[Recorder] = []

            def opened(url: str, kept: list[Recorder] = recorders) -> Store:
                kept.append(Recorder(open_store(url)))
                return kept[-1]

            plan = preview(repo, remote)
            result = push(repo, remote, open_store=opened)
            sent = {key: data for recorder in recorders for key, data in recorder.sent.items()}
            audience = AccessRule() if who is None else AccessRule.only(who)
            check_sent(repo, sent, audience)
            assert (plan.num_objects, plan.size_bytes) == (result.num_objects, result.size_bytes)
            shared = open_repository(Path(remote.url))
            assert {(p.kind, p.object) for p in fsck(shared).problems} <= forbidden
            alone = all(move.parent is None and move.merged_with is None for move in history)
            if alone:  # nobody learned from anybody: nothing stands in the way
                granted = load_system(repo).rules
                assert set(shared.refs.tasks()) == {task for task in TASKS if granted[task].allows_all(audience)}
