from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.client import HTTPConnection, HTTPException, HTTPResponse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

from mu2net_core.testing.servers.proxy import FaultProxy, Faults

BROKEN = (OSError, HTTPException)
SEEN: list[tuple[str, str, dict[str, str], bytes]] = []


class Echo(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args: object) -> None:
        pass

    def do_PUT(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if len(body) < int(self.headers.get("Content-Length", 0)):
            return
        SEEN.append((self.command, self.path, dict(self.headers.items()), body))
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        self.wfile.write(b"5\r\nhello\r\n5\r\nworld\r\n0\r\n\r\n")

    def do_HEAD(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "12345")
        self.end_headers()


@pytest.fixture
def server() -> Iterator[str]:
    SEEN.clear()
    httpd = ThreadingHTTPServer(("127.0.0.1", 0), Echo)
    httpd.daemon_threads = True
    Thread(target=httpd.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    yield f"http://127.0.0.1:{httpd.server_address[1]}"
    httpd.shutdown()
    httpd.server_close()


@contextmanager
def client(proxy: FaultProxy) -> Iterator[HTTPConnection]:
    with closing(HTTPConnection(proxy.url.removeprefix("http://"), timeout=60)) as connection:
        yield connection


def put(connection: HTTPConnection, body: bytes = b"data", **headers: str) -> tuple[HTTPResponse, bytes]:
    connection.request("PUT", "/bucket/a%20key?x=1", body, {"Host": "signed.example:99", **headers})
    with closing(connection.getresponse()) as response:
        return response, response.read()


def test_passes_requests_and_replies_on_over_one_connection(server: str) -> None:
    with FaultProxy(server) as proxy, client(proxy) as connection:
        for _ in range(3):
            response, data = put(connection, **{"If-None-Match": "*"})
            assert (response.status, data) == (200, b"helloworld")
        assert proxy.counts == {"PUT": 3}
        assert [(p.path, p.query, p.fault) for p in proxy.log[:1]] == [("/bucket/a key", "x=1", "none")]
    _, path, headers, body = SEEN[0]
    assert (path, body) == ("/bucket/a%20key?x=1", b"data")
    assert headers["Host"] == "signed.example:99"
    assert headers["If-None-Match"] == "*"


def test_passes_chunked_bodies_on(server: str) -> None:
    with FaultProxy(server) as proxy, client(proxy) as connection:
        connection.request("PUT", "/x", iter([b"ab", b"cd"]), encode_chunked=True)
        assert connection.getresponse().read() == b"helloworld"
    assert SEEN[0][3] == b"abcd"


def test_lets_a_client_send_that_waits_for_it(server: str) -> None:
    with FaultProxy(server) as proxy, client(proxy) as connection:
        connection.connect()
        connection.sock.sendall(b"PUT /x HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n")
        assert connection.sock.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sock.sendall(b"data")
        assert connection.sock.recv(100).startswith(b"HTTP/1.1 200")
    assert "Expect" not in SEEN[0][2]


def test_keeps_the_length_that_a_head_request_asks_for(server: str) -> None:
    with FaultProxy(server) as proxy, client(proxy) as connection:
        connection.request("HEAD", "/x")
        assert connection.getresponse().headers["Content-Length"] == "12345"


def test_a_lost_reply_reached_the_server(server: str) -> None:
    with FaultProxy(server, Faults(lost_replies=1)) as proxy, client(proxy) as connection, pytest.raises(BROKEN):
        put(connection)
    assert len(SEEN) == 1
    assert proxy.injected == {"lost-reply": 1}


def test_a_cut_request_did_not(server: str) -> None:
    with FaultProxy(server, Faults(cut_requests=1)) as proxy, client(proxy) as connection, pytest.raises(BROKEN):
        put(connection, b"x" * 100_000)
    assert SEEN == []


def test_busy_answers_come_in_bursts_and_never_reach_the_server(server: str) -> None:
    with FaultProxy(server, Faults(busy=1)) as proxy, client(proxy) as connection:
        assert {put(connection)[0].status for _ in range(8)} == {429, 503}
    assert SEEN == []


def test_a_truncated_body_is_shorter_than_it_says(server: str) -> None:
    with FaultProxy(server, Faults(truncated=1)) as proxy, client(proxy) as connection, pytest.raises(BROKEN):
        put(connection)
    assert len(SEEN) == 1


def test_conditions_can_be_stripped(server: str) -> None:
    with FaultProxy(server, Faults(strip_conditions=True)) as proxy, client(proxy) as connection:
        put(connection, **{"If-None-Match": "*", "X-Other": "stays"})
    assert "If-None-Match" not in SEEN[0][2]
    assert SEEN[0][2]["X-Other"] == "stays"


def test_the_same_seed_makes_the_same_faults(server: str) -> None:
    def faults(seed: int) -> list[str]:
        with FaultProxy(server, Faults(lost_replies=0.3, busy=0.2, truncated=0.1), seed=seed) as proxy:
            return [proxy.draw("GET", "/x") for _ in range(50)]

    assert faults(1) == faults(1) != faults(2)
