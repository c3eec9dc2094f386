"""Agents that improve one system through S3 while they are killed, stopped, cut off and told the wrong time.

A pool of two has a task that the others may not know; two more share a working copy; all others have one of their own.
Each working copy reaches the server through a proxy of its own, which is where networks fail.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from unittest import mock

import numpy as np

from mu2net_core.api import facade as m
from mu2net_core.api.tasks.options import TaskOptions
from mu2net_core.testing.building.compiling import QUICK
from mu2net_core.testing.servers.proxy import FaultProxy, Faults
from mu2net_core.testing.servers.servers import Bucket, Server
from mu2net_core.testing.worlds.blows import KINDS, Blow, blows
from mu2net_core.testing.worlds.clocks import can_be_wrong, wrong_clock
from mu2net_core.testing.worlds.posts import Post, mu2net

__all__ = ["SECRET", "Chaos", "Ran"]

SECRET, LAB = "kestrel-nests", "lab"
"""A task, and the group that may know of it."""

_SIZES = ("--generations", "2", "--children", "2", "--validations", "1")
_FAULTS = {
    "cut": Faults(cut_requests=1.0),
    "mute": Faults(latency_s=45.0),
    "loss": Faults(lost_replies=0.2, cut_requests=0.1, busy=0.05, truncated=0.1, latency_s=0.05),
}
_LOOK_S, _MEMORY_S, _LAB_PUSH_S = 0.2, 5.0, 60.0
_END_S = 120.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    """What was done in a run, and what it took.

    Attributes:
        done: what was done to whom, in words, in order.
        counts: how often, by kind.
        ends: how processes ended of themselves or by a signal, by exit code.
        requests: that arrived at proxies, in all; and by kind of network fault, those made in it per second of it.
        memory_mb: the most that all agents had at a time.
        exits: how each agent's process ended when it was asked to, by name.
        seconds: that it ran.
    """

    done: tuple[str, ...]
    counts: Mapping[str, int]
    ends: Mapping[int, int]
    requests: Mapping[str, float]
    memory_mb: float
    exits: Mapping[str, int]
    seconds: float


@dataclass(slots=True, kw_only=True)
class Chaos:
    """A run: ``with chaos.prepared(): chaos.run()``, and what is left of it is looked at inside the block.

    Attributes:
        folder: where everything is.
        server: of S3.
        seed: of what is done to whom, and of the data.
        seconds: that it takes.
        agents: how many; at least 4.
        posts: their processes.
        proxies: by working copy.
    """

    folder: Path
    server: Server
    seed: int
    seconds: float
    agents: int = 8
    posts: list[Post] = field(default_factory=list)
    proxies: dict[Path, FaultProxy] = field(default_factory=dict)
    shared: Bucket = field(init=False)
    lab: Bucket = field(init=False)
    _leaks: list[str] = field(default_factory=list)
    _fallen: list[tuple[float, Blow, int, int]] = field(default_factory=list)
    _asked: Counter[str] = field(default_factory=Counter)
    _lasted: Counter[str] = field(default_factory=Counter)
    _said: list[str] = field(default_factory=list)
    _counts: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self.shared, self.lab = self.server.new_bucket(), self.server.new_bucket()

    @property
    def copies(self) -> tuple[Path, ...]:
        """All working copies; the first is the one with the secret."""
        return tuple(self.proxies)

    @property
    def tasks(self) -> tuple[str, ...]:
        """All tasks: more than there are agents, so that nobody has to join another one."""
        return (*(f"birds-{number}" for number in range(self.agents + 3)), SECRET)

    @property
    def environ(self) -> dict[str, str]:
        """The environment of all processes."""
        own = {
            "MU2NET_CACHE_DIR": str(self.folder / "cache"),
            "XDG_CONFIG_HOME": str(self.folder / "config"),
            "MU2NET_SPACE_NUM_LAYERS": "[1]",
            "MU2NET_DEFAULT_NUM_LAYERS": "1",
            "JAX_COMPILATION_CACHE_DIR": str(self.folder / "cache" / "xla"),
        }
        return {**os.environ, **self.shared.environ, **QUICK, **own}

    @contextmanager
    def prepared(self) -> Iterator[None]:
        """Makes the system, shares it, and clones it for everybody; inside the block all processes may be started."""
        with ExitStack() as stack:
            stack.enter_context(mock.patch.dict(os.environ, self.environ))
            for name in ("lab", *(["pair"] if self.agents >= 6 else []), *self._solos()):
                proxy = stack.enter_context(FaultProxy(self.server.endpoint, seed=self.seed))
                self.proxies[self.folder / name] = proxy
            first, *others = self.copies
            self._found(first)
            for copy in others:
                self.tell_data(m.clone(self.shared.url, copy, options=self._options(copy)))
            self._post()
            stack.callback(self._kill_all)
            yield

    def run(self) -> Ran:
        """Lets the agents work, does to them what is planned, and stops them."""
        kinds = [kind for kind in KINDS if kind != "clock" or can_be_wrong()]
        due = list(blows(self.seed, seconds=self.seconds, agents=self.agents, kinds=kinds))
        began, looked, pushed, memory_mb = time.monotonic(), 0.0, 0.0, 0.0
        while (now := time.monotonic() - began) < self.seconds:
            for post in self.posts:
                post.look(now)
            self._rise(now)
            while due and due[0].at_s <= now:
                self._fall(due.pop(0), now)
            if now - looked > _MEMORY_S:
                looked, memory_mb = now, max(memory_mb, self._memory_mb())
            if now - pushed > _LAB_PUSH_S:
                pushed = now
                subprocess.Popen(
                    mu2net(self.copies[0], "push", "lab"), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
                )
            time.sleep(_LOOK_S)
        seconds = time.monotonic() - began
        self._rise(float("inf"))
        exits = self._stop()
        return Ran(
            done=tuple(self._said),
            counts=self._counts,
            ends=sum((post.ends for post in self.posts), Counter()),
            requests=self._requests(),
            memory_mb=memory_mb,
            exits=exits,
            seconds=seconds,
        )

    def tell_data(self, repo: m.Repo) -> None:
        """Says in a clone where the data of all tasks lie."""
        for number, task in enumerate(self.tasks):
            if task != SECRET:
                repo.set_config(f"data.{task}", f"npz:{self.folder / f'data-{number}.npz'}")

    def _solos(self) -> list[str]:
        pairs = 4 if self.agents >= 6 else 2
        return [f"solo-{number}" for number in range(self.agents - pairs)]

    def _options(self, copy: Path) -> dict[str, str]:
        return {**self.shared.options, "endpoint": self.proxies[copy].url}

    def _found(self, copy: Path) -> None:
        """Makes the system, with a model of two of the tasks, so that all programs are compiled."""
        repo = m.init(copy, preset="vit-mini")
        for number, task in enumerate(self.tasks):
            repo.add_task(f"npz:{self._data(number)}", TaskOptions(name=task, readers=[LAB] if task == SECRET else []))
        repo.add_remote("origin", self.shared.url, options=self._options(copy))
        repo.add_remote(LAB, self.lab.url, readers=[LAB], options=self._options(copy))
        subprocess.run(
            mu2net(copy, "-q", "evolve", "--task", self.tasks[0], "--task", SECRET, *_SIZES, "--seed", str(self.seed)),
            check=True,
            stdout=subprocess.DEVNULL,
        )
        repo.push("origin")
        repo.push(LAB)

    def _data(self, number: int) -> Path:
        """Writes noisy digits, each task's of classes of its own, and returns the file."""
        from sklearn.datasets import load_digits

        random, digits = np.random.default_rng([self.seed, number]), load_digits()
        classes = random.permutation(10)[:6]
        chosen = np.flatnonzero(np.isin(digits.target, classes))[:520]
        images = digits.images[chosen] * (255 / 16) + random.normal(0, 60, digits.images[chosen].shape)
        images = images.clip(0, 255).astype("uint8")
        labels = np.searchsorted(np.sort(classes), digits.target[chosen])
        file = self.folder / f"data-{number}.npz"
        np.savez(file, x_train=images[:320], y_train=labels[:320], x_test=images[320:], y_test=labels[320:])
        return file

    def _post(self) -> None:
        first, *others = self.copies
        watch = ("evolve", "--all", "--watch", *_SIZES)
        self._add("lab", first, (*watch, "--agents", "2", "--events", "EVENTS"), size=2)
        for copy in others:
            if copy.name == "pair":
                for slot in "01":
                    self._add(f"pair-{slot}", copy, (*watch, "--agents", "2", "--agent", slot))
            else:
                self._add(copy.name, copy, (*watch, "--agent", "0", "--agents", "1"))

    def _add(self, name: str, copy: Path, words: tuple[str, ...], *, size: int = 1) -> None:
        environ = {**self.environ, **wrong_clock(self.folder, self.folder / f"{name}.clock")}
        post = Post(name=name, copy=copy, words=words, folder=self.folder, environ=environ, size=size, prints=size == 1)
        self.posts.append(post)

    def _victims(self) -> list[tuple[Post, int]]:
        return [(post, number) for post in self.posts for number in range(post.size)]

    def _fall(self, blow: Blow, now: float) -> None:
        """Does what is planned."""
        post, number = self._victims()[blow.whom]
        pids = post.pids()
        pid = pids[number] if number < len(pids) else 0
        if blow.kind == "kill" and pid:
            whole = post.size > 1 and self._counts["kill"] % 3 == 0
            os.kill(pids[-1] if whole else pid, signal.SIGKILL)
        elif blow.kind in {"pause", "coma"} and pid:
            os.kill(pid, signal.SIGSTOP)
        elif blow.kind == "clock":
            post.clock.write_text(f"{blow.by_s:.0f}\n")
        elif blow.kind in _FAULTS:
            self.proxies[post.copy].faults = _FAULTS[blow.kind]
        self._counts[blow.kind] += 1
        by = f" by {blow.by_s:+.0f} s" if blow.by_s else ""
        lasts = f" for {blow.lasts_s:.0f} s" if blow.lasts_s else ""
        self._said.append(f"{now:7.1f} s: {blow.kind}{by}{lasts}: {post.name}, agent {number}, process {pid or '-'}")
        if blow.lasts_s:
            self._fallen.append((now, blow, pid, len(self.proxies[post.copy].log)))

    def _rise(self, now: float) -> None:
        """Ends what has lasted long enough."""
        for began, blow, pid, before in [one for one in self._fallen if one[0] + one[1].lasts_s <= now]:
            self._fallen.remove((began, blow, pid, before))
            post = self._victims()[blow.whom][0]
            others = [one[1] for one in self._fallen if self._victims()[one[1].whom][0].copy == post.copy]
            if blow.kind in {"pause", "coma"} and pid:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGCONT)
            elif blow.kind == "clock":
                post.clock.write_text("0\n")
            elif blow.kind in _FAULTS:
                still = [_FAULTS[other.kind] for other in others if other.kind in _FAULTS]
                self.proxies[post.copy].faults = still[0] if still else Faults()
                self._asked[blow.kind] += len(self.proxies[post.copy].log) - before
                self._lasted[blow.kind] += round(blow.lasts_s)

    def _stop(self) -> dict[str, int]:
        """Asks all agents to end, and returns how they did."""
        for post in self.posts:
            post.signal(signal.SIGTERM)
        end = time.monotonic() + _END_S
        return {post.name: post.end(max(end - time.monotonic(), 0.0)) for post in self.posts}

    def _kill_all(self) -> None:
        for post in self.posts:
            for pid in post.pids():
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)

    def _requests(self) -> dict[str, float]:
        total = sum(len(proxy.log) for proxy in self.proxies.values())
        shares = {kind: self._asked[kind] / seconds for kind, seconds in self._lasted.items() if seconds}
        return {"in all": total, **shares}

    def _memory_mb(self) -> float:
        return sum(_resident_mb(pid) for post in self.posts for pid in post.pids())


def _resident_mb(pid: int) -> float:
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except (OSError, IndexError):
        return 0.0
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6
