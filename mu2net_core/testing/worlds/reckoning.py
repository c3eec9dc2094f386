"""What is left of a run of agents under faults: what was lost, done twice or told to whom it should not be."""

from __future__ import annotations

import io
import zipfile
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from mu2net_core.api import facade as m
from mu2net_core.objects import Commit
from mu2net_core.repo import Repository, open_repository
from mu2net_core.repo.checking import fsck
from mu2net_core.repo.history import ancestry
from mu2net_core.search import is_better
from mu2net_core.storage import Store, open_store
from mu2net_core.testing.servers.servers import Bucket
from mu2net_core.testing.worlds.chaos import LAB, SECRET, Chaos
from mu2net_core.testing.worlds.invariants import Inspector, head_log

__all__ = ["Reckoning", "reckon"]

_SENT = {"new", "updated", "merged"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Reckoning:
    """What a run came to.

    Attributes:
        iterations: that were finished, by anybody, in all copies.
        twice: of these, those of a task and number that another one has, too: all but the first of each.
        twice_of: the same, in words.
        accepted: moves of the remote's heads that agents told of.
        lost: of these, what is not in the log and the history of the head any more, or has a better model than it.
        unfinished_business: iterations that agents told of and that are not in the history of any remote's head.
        heads: of the remotes, all of which a fresh clone predicted with.
        wrong: of these, those that are not what they say, and why.
        unclean: what ``fsck`` finds, here and there.
        leaks: what the remote for everybody has, or was ever sent, of what is not for everybody.
        merges: commits that joined what two did.
        gained: by how much the score of a head rose, on average.
    """

    iterations: int
    twice: int
    twice_of: tuple[str, ...]
    accepted: int
    lost: tuple[str, ...]
    unfinished_business: tuple[str, ...]
    heads: int
    wrong: tuple[str, ...]
    unclean: tuple[str, ...]
    leaks: tuple[str, ...]
    merges: int
    gained: float


def reckon(chaos: Chaos) -> Reckoning:
    """Lets all copies exchange what they have, and looks at everything that is left."""
    events = [event for post in chaos.posts for event in post.events()]
    _exchange(chaos)
    there = {name: _download(bucket, chaos.folder / f"there-{name}") for name, bucket in _remotes(chaos).items()}
    copies = {copy.name: m.open(copy).repository for copy in chaos.copies}
    unclean = [f"{name}: {problem}" for name, repo in {**copies, **there}.items() for problem in fsck(repo).problems]
    inspector = Inspector()
    for repo in there.values():
        inspector.check(repo.path)
    accepted = [
        (event["task"], event["commit"])
        for event in events
        if event["event"] == "TaskPushed" and event["outcome"] in _SENT and event["commit"]
    ]
    finished = [(event["task"], event["commit_id"]) for event in events if event["event"] == "IterationFinished"]
    history = {task: _history(_remote_of(task, there), task) for task in there["lab"].refs.tasks()}
    done = _iterations({oid: commit for repo in (*copies.values(), *there.values()) for oid, commit in _commits(repo)})
    twice = {place: commits for place, commits in done.items() if len(commits) > 1}
    commits = {oid: commit for repo in there.values() for oid, commit in _commits(repo)}
    return Reckoning(
        iterations=sum(map(len, done.values())),
        twice=sum(len(commits) - 1 for commits in twice.values()),
        twice_of=tuple(_in_words(place, commits) for place, commits in sorted(twice.items())),
        accepted=len(accepted),
        lost=tuple(_lost(there, accepted, history)),
        unfinished_business=tuple(_unfinished(tuple(copies.values()), finished, history)),
        heads=len(history),
        wrong=tuple(_wrong(chaos)),
        unclean=tuple(unclean),
        leaks=tuple(_leaks(chaos, there)),
        merges=sum(len(commit.parents) > 1 for commit in commits.values()),
        gained=_gained(there, history),
    )


def _remotes(chaos: Chaos) -> Mapping[str, Bucket]:
    return {"origin": chaos.shared, "lab": chaos.lab}


def _remote_of(task: str, there: Mapping[str, Repository]) -> Repository:
    return there["lab" if task == SECRET else "origin"]


def _exchange(chaos: Chaos) -> None:
    """Lets everybody take and give everything, twice: the first could not have what the last gave."""
    for copy in (*chaos.copies, *chaos.copies):
        repo = m.open(copy)
        repo.pull("origin")
        repo.push("origin")
    m.open(chaos.copies[0]).push(LAB)


def _download(bucket: Bucket, folder: Path) -> Repository:
    """Returns a copy, file by file, of what is in a bucket."""
    store = open_store(bucket.url, bucket.options)
    for key in store.list(""):
        file = folder / key
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(store.read(key))
    return open_repository(folder)


def _history(repo: Repository, task: str) -> frozenset[str]:
    head = repo.refs.head(task)
    return frozenset() if head is None else frozenset(ancestry(repo.objects, [head.commit]))


def _commits(repo: Repository) -> Iterator[tuple[str, Commit]]:
    for oid in repo.objects.ids("commit"):
        yield oid, repo.objects.commit(oid)


def _iterations(commits: Mapping[str, Commit]) -> dict[tuple[str, int], list[Commit]]:
    """Returns by task and number the commits of iterations that are it."""
    found: dict[tuple[str, int], list[Commit]] = defaultdict(list)
    for commit in commits.values():
        (parent, *others) = commit.parents or ("",)
        if parent in commits and not others and commit.iteration > commits[parent].iteration:
            found[commit.task, commit.iteration].append(commit)
    return found


def _in_words(place: tuple[str, int], commits: Iterable[Commit]) -> str:
    by = [f"{one.agent and one.agent.counter} {one.started_at[11:19]}-{one.finished_at[11:19]}" for one in commits]
    return f"{place[0]}, iteration {place[1]}: {', '.join(sorted(by))}"


def _lost(
    there: Mapping[str, Repository], accepted: Iterable[tuple[str, str]], history: Mapping[str, frozenset[str]]
) -> Iterator[str]:
    """Yields what agents were told is accepted, and is not in the head's history, or better than the head."""
    logs = {task: head_log(_remote_of(task, there).path, task) for task in history}
    for task, oid in accepted:
        if oid not in logs[task]:
            yield f"{task} {oid[:10]} is not in the log of the head"
            continue
        missing = [one for one in _work(_remote_of(task, there), oid) if one not in history[task]]
        yield from (f"{task} {one[:10]} is not in the history of the head" for one in missing)
        objects = _remote_of(task, there).objects
        head = _remote_of(task, there).refs.head(task)
        assert head is not None  # it has a history
        model, kept = objects.commit(oid).model, objects.commit(head.commit).model
        if model is not None and (kept is None or is_better(objects.model(model), objects.model(kept))):
            yield f"{task} {oid[:10]} is better than the head"


def _unfinished(
    copies: Sequence[Repository], finished: Iterable[tuple[str, str]], history: Mapping[str, frozenset[str]]
) -> Iterator[str]:
    """Yields the iterations that agents told of and that are in no history of a remote's head."""
    for task, oid in finished:
        repo = next(repo for repo in copies if repo.objects.has("commit", oid))
        yield from (f"{task} {one[:10]}" for one in _work(repo, oid) if one not in history[task])


def _work(repo: Repository, oid: str) -> Iterator[str]:
    """Yields a commit, or if it is a merge that nobody decided, what it joins: another merge may stand for that."""
    commit = repo.objects.commit(oid)
    if len(commit.parents) < 2 or commit.agent is not None:
        yield oid
        return
    for parent in commit.parents:
        yield from _work(repo, parent)


def _gained(there: Mapping[str, Repository], history: Mapping[str, frozenset[str]]) -> float:
    gains = []
    for task, commits in history.items():
        objects = _remote_of(task, there).objects
        models = [objects.commit(oid) for oid in commits]
        scored = [(one.iteration, objects.model(one.model).score or 0.0) for one in models if one.model is not None]
        gains.append(max(scored)[1] - min(scored)[1])
    return sum(gains) / max(len(gains), 1)


def _wrong(chaos: Chaos) -> Iterator[str]:
    """Yields the heads that a fresh clone does not predict with as they say."""
    for name, bucket in _remotes(chaos).items():
        readers = [LAB] if name == "lab" else []
        fresh = m.clone(bucket.url, chaos.folder / f"fresh-{name}", full=True, options=bucket.options, readers=readers)
        chaos.tell_data(fresh)
        for task in fresh.tasks():
            if task.name == SECRET:
                fresh.set_config(f"data.{SECRET}", f"npz:{chaos.folder / f'data-{len(chaos.tasks) - 1}.npz'}")
            quality = fresh.evaluate(task.name).quality
            if task.test is None or abs(quality - task.test) > 1e-9:
                yield f"{task.name} at {name}: {quality} on the test split, it says {task.test}"


def _leaks(chaos: Chaos, there: Mapping[str, Repository]) -> Iterator[str]:
    """Yields where the secret task is told of at the remote for everybody, or in the path of a request to it."""
    bucket = chaos.shared.url.removeprefix("s3://").partition("/")[0]
    paths = {one.path for proxy in chaos.proxies.values() for one in proxy.log if f"/{bucket}/" in one.path}
    yield from (f"a request for {path}" for path in sorted(paths) if SECRET in path)
    ids = _of_the_secret(there["lab"])
    yield from (f"{path} was asked for" for path in sorted(paths) if any(part in path for part in ids))
    store = open_store(chaos.shared.url, chaos.shared.options)
    for key in store.list(""):
        text = _unpacked(store, key)
        if SECRET.encode() in text or SECRET in key:
            yield f"{key} names the task"
        for oid in ids:
            if oid.encode() in text or f"{oid[:2]}/{oid[2:]}" in key:
                yield f"{key} has {oid[:10]}"


def _of_the_secret(repo: Repository) -> frozenset[str]:
    """Returns the ids of what only readers of the secret task may know: what it trained, and what tells of it."""
    found = set[str]()
    for oid in repo.objects.ids("model"):
        model = repo.objects.model(oid)
        found |= {oid} if model.task == SECRET else set()
        found |= {ref.id for ref in model.components if SECRET in ref.training}
    commits = {oid: commit for oid, commit in _commits(repo) if commit.task == SECRET}
    found |= set(commits) | {commit.task_id for commit in commits.values()}
    return frozenset(found)


def _unpacked(store: Store, key: str) -> bytes:
    """Returns the bytes at a key; of an archive, those of what is in it, too."""
    data = store.read(key)
    if not key.endswith(".zip"):
        return data
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return data + b"".join(archive.read(name) for name in archive.namelist())
