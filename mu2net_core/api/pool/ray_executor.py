"""Agents on a Ray cluster: each order is a task that Ray starts on some node, and on another one if that is lost."""

from __future__ import annotations

import signal
import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from itertools import count
from threading import current_thread, main_thread
from typing import Any

from mu2net_core.api.context import Context
from mu2net_core.api.pool.cluster import Cluster
from mu2net_core.api.pool.home import Home
from mu2net_core.api.pool.job import Job
from mu2net_core.api.pool.process import Said
from mu2net_core.api.pool.ray_package import load_ray
from mu2net_core.api.pool.ray_task import carry_out
from mu2net_core.api.pool.sink import Heard, Sink, Wish
from mu2net_core.api.pool.supervisor import Order
from mu2net_core.errors import Mu2netError, StorageError
from mu2net_core.objects import encode
from mu2net_core.version import __version__

__all__ = ["RayExecutor", "RayRun"]

_ANSWER_S, _END_S = 10.0, 20.0
_CANCELLED, _FAILED = 130, 1


@dataclass(slots=True, kw_only=True)
class RayRun:
    """An agent that Ray was told to run.

    Attributes:
        number: of the run.
        slot: of the agent.
        ref: of the task.
        wish: tells its supervisor what is wished.
        cancel: takes the task back.
        wait: waits for the task.
        attempt: the one that spoke last.
        host: that it speaks from.
    """

    number: int
    slot: int
    ref: Any
    wish: Callable[[int, Wish], None]
    cancel: Callable[..., None]
    wait: Callable[[Any, float], bool]
    attempt: str | None = None
    host: str = ""

    def stop(self) -> None:
        """Asks it to end with the generation at hand; one that no node has begun with is taken back."""
        self._end("stop")

    def kill(self) -> None:
        """Ends it now."""
        self._end("kill")

    def close(self) -> None:
        """Waits until it is gone; whatever is left then dies with its supervisor."""
        if not self.wait(self.ref, _END_S):
            self.cancel(self.ref, force=True)

    def heard(self, attempt: str, said: Said) -> list[Said]:
        """Returns what of an attempt's words is news: not what comes late from a node that was taken for dead."""
        if said.kind == "start":
            before, host = self.attempt, self.host
            self.attempt, self.host = attempt, said.text
            lost = Said(
                slot=self.slot, kind="lost", text=f"{host}, or its process there, was lost; it goes on elsewhere"
            )
            return [said] if before is None else [lost, said]
        return [said] if attempt == self.attempt and said.kind != "end" else []

    def _end(self, wish: Wish) -> None:
        self.wish(self.number, wish)
        if self.attempt is None:
            self.cancel(self.ref, force=False)


@dataclass(slots=True, kw_only=True)
class RayExecutor:
    """Runs agents on a cluster.

    Attributes:
        ray: the package, connected.
        sink: where supervisors tell what their agents say.
        task: what is run for each order.
        cluster: what each agent needs there.
        program: what Python is given to be an agent, before the file that says which.
        home_of: returns where the agent of a slot is at home.
    """

    ray: Any
    sink: Any
    task: Any
    cluster: Cluster
    program: tuple[str, ...]
    home_of: Callable[[int], Home]
    _runs: dict[int, RayRun] = field(default_factory=dict)
    _numbers: Iterator[int] = field(default_factory=count)
    _news: Any = None

    @classmethod
    def connect(
        cls, context: Context, cluster: Cluster, *, program: Sequence[str], home_of: Callable[[int], Home]
    ) -> RayExecutor:
        """Returns one that is connected to a cluster.

        Raises:
            PluginError: Ray is not installed.
            StorageError: no cluster answers at the address, or this machine is no node of it.
        """
        ray = load_ray()
        _check_answers(cluster.address)
        with _own_signals():
            _init(ray, cluster.address)
        needed, nodes = cluster.resources, [node["Resources"] for node in ray.nodes() if node["Alive"]]
        if not needed.fit(nodes):
            context.warn(f"no node of the cluster has {needed.words}: agents wait until one does")
        here = ray.util.scheduling_strategies.NodeAffinitySchedulingStrategy(
            node_id=ray.get_runtime_context().get_node_id(), soft=False
        )
        return cls(
            ray=ray,
            sink=ray.remote(num_cpus=0, scheduling_strategy=here)(Sink).remote(),
            task=_task(ray, cluster),
            cluster=cluster,
            program=tuple(program),
            home_of=home_of,
        )

    def start(self, job: Job) -> RayRun:
        """Tells Ray to run the agent of a slot, on whichever node has room."""
        number, slot = next(self._numbers), job.options.slot
        order = Order(job=replace(job, home=self.home_of(slot)), program=self.program, resources=self.cluster.resources)
        self._ask(self.sink.begin.remote(number, job.options.budget_s))
        run = RayRun(
            number=number,
            slot=slot,
            ref=self.task.remote(__version__, encode(order), number, self.sink),
            wish=self._wish,
            cancel=self.ray.cancel,
            wait=lambda ref, timeout_s: bool(self.ray.wait([ref], timeout=timeout_s)[0]),
        )
        self._runs[number] = run
        return run

    def hear(self, timeout_s: float) -> Sequence[Said]:
        """Returns what agents said, and which of them ended."""
        self._news = self.sink.news.remote() if self._news is None else self._news
        refs = {run.ref: run for run in self._runs.values()}
        ready, _ = self.ray.wait([self._news, *refs], num_returns=1, timeout=timeout_s)
        if not ready:
            return []
        told: Sequence[Heard] = self._ask(self.sink.take.remote())  # all that was told before a task was over
        said = [one for heard in told for one in self._heard(heard)]
        for ref in ready:
            if ref == self._news:
                self._news = None
            else:
                said += self._ended(refs[ref])
        return said

    def close(self) -> None:
        """Leaves the cluster; nothing of ours stays there."""
        with suppress(Exception):  # of a cluster that is gone
            self.ray.kill(self.sink)
        with _own_signals():
            self.ray.shutdown()

    def _heard(self, heard: Heard) -> list[Said]:
        run = self._runs.get(heard.run)
        return [] if run is None else run.heard(heard.attempt, heard.said)

    def _ended(self, run: RayRun) -> list[Said]:
        """Returns how an agent ended, with a word why if its supervisor did."""
        del self._runs[run.number]
        self._ask(self.sink.end.remote(run.number))
        try:
            return [Said(slot=run.slot, kind="end", code=int(self.ray.get(run.ref)))]
        except self.ray.exceptions.TaskCancelledError:
            return [Said(slot=run.slot, kind="end", code=_CANCELLED)]
        except self.ray.exceptions.RayError as exc:
            text, code = _why(exc)
            return [
                Said(slot=run.slot, kind="remark", text=f"error: {text}"),
                Said(slot=run.slot, kind="end", code=code),
            ]

    def _wish(self, number: int, wish: Wish) -> None:
        with suppress(StorageError):  # a cluster that is lost has no agents
            self._ask(self.sink.wish.remote(number, wish))

    def _ask(self, ref: Any) -> Any:
        try:
            return self.ray.get(ref)
        except self.ray.exceptions.RayError as exc:
            raise StorageError(
                f"The Ray cluster at {self.cluster.address} is lost: {_last_line(exc)}",
                hint="Every finished iteration is at the remote. Once there is a cluster, the same command goes on.",
            ) from exc


def _task(ray: Any, cluster: Cluster) -> Any:
    """Returns what is run for each order: started anew however often its node is lost, in a process of its own."""
    needed = cluster.resources
    return ray.remote(
        num_cpus=needed.cpu,
        num_gpus=needed.gpu,
        resources=dict(needed.other),
        max_retries=-1,
        max_calls=1,
        scheduling_strategy="SPREAD",
    )(carry_out)


def _init(ray: Any, address: str) -> None:
    try:
        ray.init(address=address, log_to_driver=False, configure_logging=False)
    except (ConnectionError, RuntimeError, OSError) as exc:
        raise StorageError(
            f"Cannot join the Ray cluster at {address}: {_last_line(exc)}",
            hint="Run this on a node of the cluster: on its head, or after ray start --address=" + address,
        ) from exc


def _check_answers(address: str) -> None:
    """Asks before Ray does, which would ask for a minute."""
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=_ANSWER_S).close()
    except (OSError, OverflowError) as exc:
        raise StorageError(
            f"No Ray cluster answers at {address}: {exc}.", hint="ray start --head says its address when it starts one."
        ) from exc


@contextmanager
def _own_signals() -> Iterator[None]:
    """Keeps what SIGTERM does here, which Ray else decides."""
    if current_thread() is not main_thread():
        yield
        return
    before = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _why(exc: BaseException) -> tuple[str, int]:
    """Returns why a supervisor failed, and the exit code that says whether the next attempt would, too."""
    cause = getattr(exc, "cause", None)
    if isinstance(cause, Mu2netError):  # another version on that node, say
        return cause.message, cause.exit_code
    return _last_line(exc), _FAILED


def _last_line(exc: BaseException) -> str:
    """Returns what an error says at last: Ray puts the other side's whole traceback before it."""
    return (str(exc).strip() or type(exc).__name__).splitlines()[-1]
