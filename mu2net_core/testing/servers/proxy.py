"""An HTTP proxy on loopback that loses, cuts, refuses and delays what passes through, as bad networks do.

Point a storage's endpoint at ``FaultProxy.url``. The ``Host`` header goes on unchanged, so request signatures hold.
"""

from __future__ import annotations

import socket
import struct
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from random import Random
from threading import Lock, Thread
from types import TracebackType
from typing import Any, Literal, TypeAlias
from urllib.parse import unquote

__all__ = ["Fault", "FaultProxy", "Faults", "Passed", "Resign"]

Fault: TypeAlias = Literal["none", "lost-reply", "cut-request", "busy", "truncated"]
Resign: TypeAlias = Callable[[str, str, Mapping[str, str]], Mapping[str, str]]

_CONDITIONS = {"if-none-match", "if-match", "x-goog-if-generation-match"}
_HOP = {"connection", "keep-alive", "transfer-encoding", "expect", "proxy-connection"}
_BURST = 3
_BODY = b"<?xml version='1.0'?><Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>"


@dataclass(frozen=True, slots=True, kw_only=True)
class Faults:
    """What goes wrong, and how often; every fault but the last two is drawn anew for each request.

    Attributes:
        lost_replies: share of requests that the server carries out and the client never hears of.
        cut_requests: share of requests whose connection breaks before the server has all of them.
        busy: share of requests that begin a burst of up to three answers 429 or 503, which the server never sees.
        truncated: share of requests whose answer stops in the middle of its body.
        strip_conditions: whether "only if it does not exist" is dropped from requests, as bad gateways do.
        latency_s: seconds every request waits.
    """

    lost_replies: float = 0.0
    cut_requests: float = 0.0
    busy: float = 0.0
    truncated: float = 0.0
    strip_conditions: bool = False
    latency_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Passed:
    """One request: its method, its path without the query, the query, and what was done to it."""

    method: str
    path: str
    query: str
    fault: Fault


@dataclass(slots=True)
class _Dice:
    """Draws the fault of each request; seeded, so that a serial run repeats."""

    random: Random
    busy_left: int = 0
    lock: Lock = field(default_factory=Lock)

    def draw(self, faults: Faults) -> Fault:
        """Returns what happens to the next request."""
        with self.lock:
            if self.busy_left:
                self.busy_left -= 1
                return "busy"
            value = self.random.random()
            shares: list[tuple[Fault, float]] = [
                ("lost-reply", faults.lost_replies),
                ("cut-request", faults.cut_requests),
                ("busy", faults.busy),
                ("truncated", faults.truncated),
            ]
            for fault, share in shares:
                if value < share:
                    self.busy_left = self.random.randrange(_BURST) if fault == "busy" else 0
                    return fault
                value -= share
            return "none"


class FaultProxy:
    """Runs inside a ``with`` block, in threads of this process, in front of one HTTP server.

    Attributes:
        url: where clients connect to.
        faults: what goes wrong; may be replaced at any time.
        log: every request in the order of arrival.
        resign: given method, target and headers, returns the headers to send on where a stripped condition was
            signed; None sends them as they are.
    """

    def __init__(self, url: str, faults: Faults | None = None, *, seed: int = 0, resign: Resign | None = None) -> None:
        """Prepares a proxy to the server at ``url`` (``http://host:port``)."""
        host, _, port = url.removeprefix("http://").rstrip("/").rpartition(":")
        self.faults = faults or Faults()
        self.resign = resign
        self.log: list[Passed] = []
        self._upstream = (host, int(port))
        self._dice = _Dice(Random(seed))  # noqa: S311  faults, not secrets
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.proxy = self
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    @property
    def counts(self) -> Counter[str]:
        """Number of requests by method since the start or the last ``forget``."""
        return Counter(passed.method for passed in list(self.log))

    @property
    def injected(self) -> Counter[str]:
        """Number of requests by what was done to them."""
        return Counter(passed.fault for passed in list(self.log))

    def forget(self) -> None:
        """Empties the log."""
        self.log.clear()

    def draw(self, method: str, target: str) -> Fault:
        """Logs a request and returns what happens to it."""
        fault = self._dice.draw(self.faults)
        path, _, query = target.partition("?")
        self.log.append(Passed(method=method, path=unquote(path), query=query, fault=fault))
        return fault

    def connect(self) -> HTTPConnection:
        """Returns a new connection to the server behind."""
        return HTTPConnection(*self._upstream, timeout=60)

    def __enter__(self) -> FaultProxy:
        """Starts to listen."""
        Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return self

    def __exit__(self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None) -> None:
        """Stops, and breaks the connections that are left."""
        self._server.shutdown()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128
    proxy: FaultProxy

    def handle_error(self, request: Any, client_address: Any) -> None:  # a client that hangs up is no news
        """Says nothing."""


class _Handler(BaseHTTPRequestHandler):
    """One client connection, kept alive; it has one connection to the server of its own."""

    server: _Server
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1  # one packet a reply
    _upstream: HTTPConnection | None = None

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Says nothing."""

    def handle_expect_100(self) -> bool:
        """Lets a client that waits for it send its body."""
        super().handle_expect_100()
        self.wfile.flush()
        return True

    def finish(self) -> None:
        """Closes both sides."""
        if self._upstream is not None:
            self._upstream.close()
        super().finish()

    def _pass(self) -> None:
        proxy = self.server.proxy
        fault = proxy.draw(self.command, self.path)
        body = self._body()
        time.sleep(proxy.faults.latency_s)
        if fault == "busy":
            self._reply(*((503, "Slow Down") if len(proxy.log) % 2 else (429, "Too Many Requests")), {}, _BODY)
        elif fault == "cut-request":
            self._send(body, share=0.5)
            self._break()
        else:
            self._exchange(body, fault)

    def _exchange(self, body: bytes, fault: Fault) -> None:
        try:
            answer = self._send(body).getresponse()
            data = answer.read()
        except (OSError, HTTPException):
            self._break()  # as the server did
            return
        headers = dict(answer.getheaders())
        if fault == "lost-reply":
            self._break()
        else:
            self._reply(answer.status, answer.reason, headers, data, cut=fault == "truncated")

    def _body(self) -> bytes:
        if "chunked" not in self.headers.get("Transfer-Encoding", "").lower():
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        chunks = []
        while size := int(self.rfile.readline().partition(b";")[0], 16):
            chunks.append(self.rfile.read(size))
            self.rfile.readline()
        while self.rfile.readline().strip():
            pass  # trailers
        return b"".join(chunks)

    def _send(self, body: bytes, *, share: float = 1.0) -> HTTPConnection:
        """Sends the request on, or only the first ``share`` of it, and returns the connection it went over."""
        if self._upstream is not None and share < 1:
            self._upstream.close()
        if self._upstream is not None and share < 1:
            self._upstream.close()
        if self._upstream is None or share < 1:
            self._upstream = self.server.proxy.connect()
        upstream = self._upstream
        upstream.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
        for name, value in self._headers().items():
            upstream.putheader(name, value)
        if body or self.command in {"PUT", "POST"}:
            upstream.putheader("Content-Length", str(len(body)))
        upstream.endheaders(body[: int(len(body) * share)] if body else None) if share == 1 or body else None
        if share < 1:
            upstream.close()
        return upstream

    def _headers(self) -> Mapping[str, str]:
        proxy = self.server.proxy
        headers = {k: v for k, v in self.headers.items() if k.lower() not in {*_HOP, "content-length"}}
        kept = {k: v for k, v in headers.items() if k.lower() not in _CONDITIONS}
        if not proxy.faults.strip_conditions or kept == headers:
            return headers
        return kept if proxy.resign is None else proxy.resign(self.command, self.path, kept)

    def _reply(self, status: int, reason: str, headers: Mapping[str, str], data: bytes, *, cut: bool = False) -> None:
        self.send_response_only(status, reason)
        known = {name.lower() for name in headers}
        for name, value in headers.items():
            if name.lower() not in _HOP and (name.lower() != "content-length" or self.command == "HEAD"):
                self.send_header(name, value)
        if self.command != "HEAD" and status not in {204, 304}:
            self.send_header("Content-Length", str(len(data)))
        elif "content-length" not in known and status not in {204, 304}:
            self.send_header("Content-Length", "0")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data[: len(data) // 2] if cut else data)
        self.wfile.flush()
        if cut:
            self._break()

    def _break(self) -> None:
        """Ends the connection, mostly with a reset, as a network does."""
        self.close_connection = True
        if self._upstream is not None:
            self._upstream.close()
        linger = struct.pack("ii", 1, 0)
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self.connection.close()

    do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = do_OPTIONS = do_PATCH = _pass  # noqa: N815
