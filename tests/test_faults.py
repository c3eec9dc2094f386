"""Many pushes and pulls over a network that loses, cuts, refuses, truncates and delays, to a real S3 server.

``MU2NET_TEST_FAULTS=N`` has every working copy push N times under each kind of fault; the default is once, under all
of them together.
"""

from __future__ import annotations

import hmac
import os
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from hashlib import sha256
from pathlib import Path
from urllib.parse import parse_qsl, quote

import pytest

from mu2net_core.api.context import Context
from mu2net_core.api.sharing import remote as remote_api
from mu2net_core.errors import StorageError
from mu2net_core.repo import Remote, Repository, open_repository
from mu2net_core.repo.checking.fsck_run import fsck
from mu2net_core.repo.exchange.adopting import adopt
from mu2net_core.repo.exchange.fetching import fetch
from mu2net_core.repo.exchange.joining import Policy
from mu2net_core.repo.exchange.pushing import push
from mu2net_core.repo.probing.place_probe import probe
from mu2net_core.repo.remotes.remotes import attach, connect
from mu2net_core.repo.remotes.tracking import read_tracking
from mu2net_core.storage import open_store
from mu2net_core.testing.building.samples import add_sample_task, evolve_sample, sample_repository
from mu2net_core.testing.servers.proxy import FaultProxy, Faults
from mu2net_core.testing.servers.servers import Bucket
from mu2net_core.testing.worlds.invariants import Inspector, head_log

ROUNDS = int(os.environ.get("MU2NET_TEST_FAULTS", "0"))
ALL = Faults(lost_replies=0.2, cut_requests=0.1, busy=0.05, truncated=0.1, latency_s=0.2 if ROUNDS else 0.005)
KINDS = {
    "20 % lost replies": Faults(lost_replies=0.2),
    "10 % cut requests": Faults(cut_requests=0.1),
    "429 and 503 bursts": Faults(busy=0.1),
    "10 % truncated bodies": Faults(truncated=0.1),
    "200 ms latency": Faults(latency_s=0.2),
}
CHOSEN = {**(KINDS if ROUNDS else {}), "all together": ALL}
COPIES = 3


@dataclass(slots=True)
class Told:
    """What one working copy was told: moves of the remote's heads, and errors."""

    moves: list[tuple[str, str]] = field(default_factory=list)
    merges_of_own: list[str] = field(default_factory=list)
    errors: list[StorageError] = field(default_factory=list)
    commands: int = 0
    unexpected: list[BaseException] = field(default_factory=list)


@contextmanager
def proxied(bucket: Bucket, faults: Faults, **options: object) -> Iterator[tuple[FaultProxy, Remote]]:
    with FaultProxy(bucket.endpoint, faults, seed=20261122, **options) as proxy:  # type: ignore[arg-type]
        yield proxy, Remote(name="origin", url=bucket.url, options={**bucket.options, "endpoint": proxy.url})


def working_copy(folder: Path, remote: Remote) -> Repository:
    repo = sample_repository(folder)
    repo.update_config(lambda config: config.with_remote(remote))
    attach(repo)
    return repo


def work(folder: Path, number: int, rounds: int, told: Told) -> None:
    """Evolves a task of its own and one shared by all, pushes and pulls; every command may fail and is repeated."""
    own = f"own-{number}"
    try:
        for turn in range(rounds):
            repo = open_repository(folder)
            for task in (own, "shared"):
                if repo.refs.head(task) is None:
                    add_sample_task(repo, task)
                evolve_sample(repo, task, score=0.5 + turn / 100, seed=1 + number * 1_000 + turn * 2 + (task == own))
            for command in (exchange_push, exchange_pull):
                insist(partial(command, folder, own, told), told)
    except BaseException as exc:  # noqa: BLE001  told to the main thread
        told.unexpected.append(exc)


def insist(command: partial[None], told: Told) -> None:
    for _ in range(20):
        told.commands += 1
        try:
            command()
        except StorageError as exc:
            told.errors.append(exc)
        else:
            return
    raise AssertionError("twenty attempts were not enough")


def exchange_push(folder: Path, own: str, told: Told) -> None:
    repo = open_repository(folder)
    for report in push(repo, repo.config.remotes["origin"]).tasks:
        if report.outcome in {"new", "updated", "merged"} and report.commit:
            told.moves.append((report.task, report.commit))
        if report.outcome == "merged" and report.task == own:
            told.merges_of_own.append(report.commit or "")


def exchange_pull(folder: Path, own: str, told: Told) -> None:
    repo = open_repository(folder)
    remote = repo.config.remotes["origin"]
    fetch(repo, connect(remote))
    tracking = read_tracking(repo.state, remote)
    adopt(repo, tracking, sorted(tracking.heads), Policy())


def download(bucket: Bucket, folder: Path) -> Repository:
    """Copies every object of a bucket into a folder, as it is, and opens it."""
    store = open_store(bucket.url, bucket.options)
    for key in store.list(""):
        file = folder / key
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(store.read(key))
    return open_repository(folder)


@pytest.mark.timeout(300 + 60 * ROUNDS)
@pytest.mark.parametrize("kind", CHOSEN)
def test_every_push_and_pull_ends_right_or_says_why_not(s3_bucket: Bucket, tmp_path: Path, kind: str) -> None:
    rounds, told, began = ROUNDS or 1, [Told() for _ in range(COPIES)], time.monotonic()
    with proxied(s3_bucket, CHOSEN[kind]) as (proxy, remote):
        folders = [working_copy(tmp_path / f"copy{number}", remote).worktree for number in range(COPIES)]
        threads = [
            threading.Thread(target=work, args=(folder, number, rounds, told[number]))
            for number, folder in enumerate(folders)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        injected = proxy.injected
    for one in told:
        for exc in one.unexpected:
            raise exc
        assert one.merges_of_own == [], "nobody else ever moved that head"
    there = download(s3_bucket, tmp_path / "there")
    Inspector().check(there.path)
    assert fsck(there).problems == ()
    logs = {task: Counter(head_log(there.path, task)) for task in there.refs.tasks()}
    moves = [move for one in told for move in one.moves]
    assert all(logs[task][commit] == 1 for task, commit in moves)
    assert len(set(moves)) == len(moves), "two pushes were told of the same move"
    for number in range(COPIES):  # added, evolved, and nothing twice
        assert sum(logs[f"own-{number}"].values()) == rounds
    errors, commands = sum(len(one.errors) for one in told), sum(one.commands for one in told)
    print(
        f"\n{kind}: {commands} commands, {errors} ended with an error, {sum(injected.values())} requests "
        f"({', '.join(f'{count} {fault}' for fault, count in injected.most_common())}), {len(moves)} moves "
        f"acknowledged, {sum(map(len, logs.values()))} entries, {time.monotonic() - began:.0f} s"
    )


def test_a_gateway_that_strips_conditions_is_refused(
    s3_bucket: Bucket, tmp_path: Path, context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    repo = sample_repository(tmp_path / "repo")
    stripping = Faults(strip_conditions=True)
    with proxied(s3_bucket, stripping, resign=partial(signed_again, s3_bucket.environ)) as (proxy, remote):
        report = probe(open_store(remote.url, remote.options), now=context.now)
        assert report.verdict == "unsafe"
        assert not report.can_push
        with pytest.raises(StorageError, match="lose each other's work"):
            remote_api.add(repo, context, "origin", remote.url, options=remote.options)
        proxy.faults = Faults()
        assert probe(open_store(f"{remote.url}-other", remote.options), now=context.now).can_push


def signed_again(environ: Mapping[str, str], method: str, target: str, headers: Mapping[str, str]) -> dict[str, str]:
    """Returns headers with a signature (version 4) of what is left of them, as a gateway with a key makes one."""
    given = {name.lower(): value.strip() for name, value in headers.items()}
    scope = given["authorization"].partition("Credential=")[2].partition(",")[0].partition("/")[2]
    signed = given["authorization"].partition("SignedHeaders=")[2].partition(",")[0].split(";")
    names = [name for name in signed if name in given]
    path, _, query = target.partition("?")
    pairs = sorted((quote(k, safe="-_.~"), quote(v, safe="-_.~")) for k, v in parse_qsl(query, keep_blank_values=True))
    canonical = "\n".join(
        [
            method,
            path,
            "&".join(f"{k}={v}" for k, v in pairs),
            *(f"{name}:{given[name]}" for name in names),
            "",
            ";".join(names),
            given["x-amz-content-sha256"],
        ]
    )
    text = "\n".join(["AWS4-HMAC-SHA256", given["x-amz-date"], scope, sha256(canonical.encode()).hexdigest()])
    key = f"AWS4{environ['AWS_SECRET_ACCESS_KEY']}".encode()
    for part in scope.split("/"):
        key = hmac.digest(key, part.encode(), "sha256")
    signature = hmac.digest(key, text.encode(), "sha256").hex()
    credential = f"{environ['AWS_ACCESS_KEY_ID']}/{scope}"
    kept = {name: value for name, value in headers.items() if name.lower() != "authorization"}
    return kept | {
        "Authorization": f"AWS4-HMAC-SHA256 Credential={credential}, SignedHeaders={';'.join(names)}, "
        f"Signature={signature}"
    }
