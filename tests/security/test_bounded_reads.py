"""Servers that send more than they were asked for, or never end: no more than is accepted comes into memory."""

from __future__ import annotations

import itertools
import threading
import tracemalloc
import zlib
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest

from mu2net_core.errors import CorruptObjectError, Mu2netError, StorageError
from mu2net_core.objects import Limits
from mu2net_core.repo import Remote
from mu2net_core.repo.remotes.remotes import connect
from mu2net_core.storage.bounded import MOST_ANSWER
from mu2net_core.storage.downloading import download
from mu2net_core.storage.remote import FsspecStore
from mu2net_core.storage.schemes import open_remote

ENDLESS = 256 * 2**20
"""Bytes after which the tests' server gives up: far more than may be read, and still soon over if all of it is."""
LIMIT = 2**20
UNREAD = 40 * 2**20
"""Bytes that may be on their way and are read by nobody: a receiver's buffer grows to 32 MiB on some machines."""
NAMESPACE = "http://s3.amazonaws.com/doc/2006-03-01/"


class Endless(BaseHTTPRequestHandler):
    """Ignores ranges and answers everything with a body that does not end; errors for paths that say so."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.send_response(int(self.path.partition("error-")[2][:3] or 200))
        for name, value in self.server.headers.items():
            self.send_header(name, value)
        if self.server.is_chunked:
            self.send_header("Transfer-Encoding", "chunked")
        else:
            self.send_header("Content-Length", str(10**12))
        self.end_headers()
        if self.command == "HEAD":
            return
        piece = b" " * 2**16
        chunk = b"%x\r\n%b\r\n" % (len(piece), piece) if self.server.is_chunked else piece
        try:
            for _ in range(ENDLESS // len(piece)):
                self.wfile.write(chunk)
                self.server.sent += len(piece)
        except OSError:
            pass
        self.close_connection = True

    do_PUT = do_POST = do_DELETE = do_HEAD = do_GET  # noqa: N815  http.server wants it so

    def log_message(self, *_: object) -> None:
        pass


class Server(ThreadingHTTPServer):
    daemon_threads = True
    sent = 0
    is_chunked = False
    headers: Mapping[str, str] = MappingProxyType({})

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


@pytest.fixture
def server() -> Iterator[Server]:
    yield from running(Endless)


def running(handler: type[BaseHTTPRequestHandler]) -> Iterator[Server]:
    with Server(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture(params=["s3", "gs", "abfs"])
def store(request: pytest.FixtureRequest, server: Server, monkeypatch: pytest.MonkeyPatch) -> FsspecStore:
    """Returns a bucket at the server that never ends."""
    return open_bucket(request.param, server, monkeypatch)


def open_bucket(scheme: str, server: Server, monkeypatch: pytest.MonkeyPatch, **options: Any) -> FsspecStore:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "x")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "y")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    account = f"BlobEndpoint={server.url}/account;AccountName=account;AccountKey=a2V5"
    monkeypatch.setenv("AZURE_STORAGE_CONNECTION_STRING", f"DefaultEndpointsProtocol=http;{account}")
    server.headers = {"Content-Type": "application/octet-stream", "ETag": '"x"'}
    if scheme == "abfs":
        part = {"Content-Range": f"bytes 0-{LIMIT}/{10**12}", "x-ms-request-id": "1", "x-ms-blob-type": "BlockBlob"}
        server.headers = {**server.headers, **part, "Last-Modified": "Thu, 01 Jan 2026 00:00:00 GMT"}
    where = {"abfs": {}, "s3": {"endpoint": server.url}, "gs": {"endpoint": server.url, "anonymous": "true"}}
    return open_remote(f"{scheme}://bucket/x", where[scheme], sleep=lambda _: None, **options)


@pytest.mark.parametrize("is_chunked", [False, True])
@pytest.mark.parametrize("key", ["config.toml", "refs/heads/a/00000001", "objects/component/ab/cd.zarr.zip"])
def test_an_object_that_does_not_end_is_left_at_its_limit(
    store: FsspecStore, server: Server, key: str, is_chunked: bool
) -> None:
    server.is_chunked = is_chunked
    with pytest.raises((CorruptObjectError, StorageError), match=r"larger than the size limit|goes on sending"):
        store.read(key, limit=LIMIT)
    assert server.sent < LIMIT + UNREAD


@pytest.mark.parametrize("is_chunked", [False, True])
def test_a_list_that_does_not_end_is_an_error(store: FsspecStore, server: Server, is_chunked: bool) -> None:
    server.is_chunked = is_chunked
    with pytest.raises(StorageError, match="goes on sending"):
        list(store.list("refs"))
    assert server.sent < MOST_ANSWER + UNREAD


@pytest.mark.parametrize("status", [403, 404, 500, 503])
@pytest.mark.parametrize("verb", ["read", "create", "delete"])
def test_an_error_that_does_not_end_is_an_error(store: FsspecStore, server: Server, verb: str, status: int) -> None:
    key = f"error-{status}"
    act = {
        "read": lambda: store.read(key, limit=LIMIT),
        "create": lambda: store.create(key, b"x"),
        "delete": lambda: store.delete(key),
    }
    with pytest.raises(Mu2netError, match="goes on sending"):
        act[verb]()
    assert server.sent < 2 * MOST_ANSWER + UNREAD


def test_a_download_of_the_web_ends_at_its_limit(server: Server, tmp_path: Path) -> None:
    server.is_chunked = True  # else its size is told before
    taken = list[int]()
    with pytest.raises(CorruptObjectError, match="larger than the size limit"):
        download(f"{server.url}/a.npz", tmp_path / "a.npz", limit=LIMIT, progress=lambda done, _: taken.append(done))
    assert max(taken) <= LIMIT
    assert server.sent < LIMIT + UNREAD
    assert list(tmp_path.iterdir()) == []


class Bucket(BaseHTTPRequestHandler):
    """An S3 whose object is small by its own words, and does not end when it is read; and whose list does not end."""

    protocol_version = "HTTP/1.1"
    numbers = itertools.count()

    def do_HEAD(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "1000")
        self.send_header("ETag", '"x"')
        self.send_header("Last-Modified", "Thu, 01 Jan 2026 00:00:00 GMT")
        self.end_headers()

    def do_GET(self) -> None:
        if "list-type" not in self.path:
            Endless.do_GET(self)  # type: ignore[arg-type]
            return
        self.server.sent += 1
        number = next(self.numbers)
        kind = self.server.headers["kind"]
        token = {"same": "again", "ever new": f"t{number}", "no names": f"t{number}"}[kind]
        names = (
            "" if kind == "no names" else "".join(f"<Contents><Key>x/{number}-{n}</Key></Contents>" for n in range(9))
        )
        rest = f"<IsTruncated>true</IsTruncated><NextContinuationToken>{token}</NextContinuationToken>"
        body = f"<ListBucketResult xmlns='{NAMESPACE}'><Name>bucket</Name>{names}{rest}</ListBucketResult>".encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/xml")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def bucket() -> Iterator[Server]:
    yield from running(Bucket)


@pytest.mark.parametrize(
    ("kind", "said", "requests"),
    [("same", "the same page again", 2), ("ever new", "more than 2000 names", 21), ("no names", "more than 2000", 21)],
)
def test_a_listing_that_goes_on_for_ever_ends(
    bucket: Server, monkeypatch: pytest.MonkeyPatch, kind: str, said: str, requests: int
) -> None:
    store = open_bucket("s3", bucket, monkeypatch, most_names=2000)
    bucket.headers = {"kind": kind}
    with pytest.raises(StorageError, match=said):
        list(store.list(""))
    assert bucket.sent == requests


def test_how_long_a_listing_may_be_is_a_setting_of_the_working_copy(
    bucket: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    open_bucket("s3", bucket, monkeypatch)
    bucket.headers = {"kind": "ever new"}
    remote = Remote(name="origin", url="s3://bucket/x", options={"endpoint": bucket.url})
    with pytest.raises(StorageError, match="more than 300 names"):
        connect(remote, limits=Limits(names=300)).refs.tags()


def test_a_download_from_a_bucket_takes_no_more_than_the_object_has(
    bucket: Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    open_bucket("s3", bucket, monkeypatch)
    monkeypatch.setenv("AWS_ENDPOINT_URL", bucket.url)
    download("s3://bucket/a.npz", tmp_path / "a.npz", limit=LIMIT)
    assert (tmp_path / "a.npz").stat().st_size == 1000
    assert bucket.sent < UNREAD


class Tricky(BaseHTTPRequestHandler):
    """Answers with little that becomes much when it is unpacked, or sends from one page to the next."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        if "loop" in self.path:
            self.send_response(302)
            self.send_header("Location", f"{self.path}x")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        self.send_response(200)
        self.send_header("Content-Encoding", "gzip")
        self.send_header("Transfer-Encoding", "chunked")
        self.send_header("ETag", '"x"')
        self.end_headers()
        packer, zeros = zlib.compressobj(9, zlib.DEFLATED, 31), bytes(2**20)
        try:
            for _ in range(ENDLESS // len(zeros) if self.command == "GET" else 0):
                if part := packer.compress(zeros):
                    self.wfile.write(b"%x\r\n%b\r\n" % (len(part), part))
                    self.server.sent += len(part)
        except OSError:
            pass
        self.close_connection = True

    do_HEAD = do_GET  # noqa: N815  http.server wants it so

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def tricky() -> Iterator[Server]:
    yield from running(Tricky)


def test_a_download_that_grows_when_it_is_unpacked_ends_at_its_limit(tricky: Server, tmp_path: Path) -> None:
    tracemalloc.start()
    with pytest.raises(CorruptObjectError, match="larger than the size limit"):
        download(f"{tricky.url}/bomb", tmp_path / "file", limit=LIMIT)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 64 * LIMIT
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("kind", ["s3", "gs"])
def test_an_object_that_grows_when_it_is_unpacked_ends_at_its_limit(
    tricky: Server, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    store = open_bucket(kind, tricky, monkeypatch)
    tracemalloc.start()
    with pytest.raises(CorruptObjectError, match="larger than the size limit"):
        store.read("bomb", limit=2**14)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 64 * LIMIT


def test_a_download_that_leads_on_and_on_says_so(tricky: Server, tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="from one page to the next without end"):
        download(f"{tricky.url}/loop", tmp_path / "file", limit=LIMIT)
