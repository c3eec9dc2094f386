from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import fsspec
import pytest

from mu2net_core.errors import AccessDeniedError, CorruptObjectError, InvalidInputError, NotFoundError, StorageError
from mu2net_core.storage import open_store
from mu2net_core.storage.downloading import download
from mu2net_core.testing.servers.servers import Bucket

DATA = bytes(range(256)) * 12_000
SECRET = "very-secret"


@pytest.fixture
def memory() -> Iterator[str]:
    """Returns the URL of a file in this process's memory."""
    fs = fsspec.filesystem("memory")
    fs.pipe_file("/downloads/a.npz", DATA)
    yield "memory://downloads/a.npz"
    fs.rm("/downloads", recursive=True)


class Web(BaseHTTPRequestHandler):
    """Serves one file under any name, and errors by number: /404."""

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        if path[1:].isdigit():
            self.send_error(int(path[1:]))
            return
        self.send_response(200)
        self.send_header("Content-Length", str(len(DATA) + (path == "/cut-off")))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(DATA)

    do_HEAD = do_GET  # noqa: N815  http.server wants it so

    def log_message(self, *args: object) -> None:
        pass


@contextmanager
def serving() -> Iterator[str]:
    with HTTPServer(("127.0.0.1", 0), Web) as server:
        thread = Thread(target=partial(server.serve_forever, poll_interval=0.01))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def web() -> Iterator[str]:
    with serving() as url:
        yield url


def test_a_file_comes_whole_and_tells_how_far_it_is(memory: str, tmp_path: Path) -> None:
    told: list[tuple[int, int | None]] = []
    target = tmp_path / "new" / "folder" / "a.npz"
    download(memory, target, limit=len(DATA), progress=lambda done, total: told.append((done, total)))
    assert target.read_bytes() == DATA
    assert [total for _, total in told] == [len(DATA)] * 3
    assert told[-1] == (len(DATA), len(DATA))


def test_a_file_comes_from_a_web_server(web: str, tmp_path: Path) -> None:
    download(f"{web}/a.npz?signature={SECRET}", tmp_path / "a.npz", limit=len(DATA))
    assert (tmp_path / "a.npz").read_bytes() == DATA


@pytest.mark.parametrize("kind", ["moto_bucket", "gcs_bucket", "azure_bucket"])
def test_a_file_comes_from_a_bucket(
    kind: str, request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bucket: Bucket = request.getfixturevalue(kind)
    monkeypatch.setenv("AWS_ENDPOINT_URL", bucket.endpoint)
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", bucket.endpoint)
    open_store(bucket.url, bucket.options).create("a.npz", DATA)
    download(f"{bucket.url}/a.npz", tmp_path / "a.npz", limit=len(DATA))
    assert (tmp_path / "a.npz").read_bytes() == DATA
    with pytest.raises(NotFoundError, match="There is no file"):
        download(f"{bucket.url}/b.npz", tmp_path / "b.npz", limit=1)


def test_what_fsspec_reads_is_read(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(DATA)
    download(f"local://{tmp_path}/a", tmp_path / "b", limit=len(DATA))
    assert (tmp_path / "b").read_bytes() == DATA


@pytest.mark.parametrize(
    ("path", "error", "complaint"),
    [
        ("404", NotFoundError, "There is no file"),
        ("401", AccessDeniedError, "the server answered 401"),
        ("403", AccessDeniedError, "the server answered 403"),
        ("503", StorageError, "the server answered 503"),
        ("cut-off", StorageError, "Cannot read"),
    ],
)
def test_what_a_web_server_refuses_is_said_without_secrets(web: str, path, error, complaint, tmp_path: Path) -> None:
    url = f"{web}/{path}"
    with pytest.raises(error, match=complaint) as caught:
        download(f"{url}?signature={SECRET}", tmp_path / "a.npz", limit=10**9)
    assert url in caught.value.message
    assert SECRET not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_a_server_that_is_not_there_is_a_storage_error(tmp_path: Path) -> None:
    with serving() as url:
        pass
    with pytest.raises(StorageError, match=f"Cannot read {url}/a.npz") as caught:
        download(f"{url}/a.npz?signature={SECRET}", tmp_path / "a.npz", limit=10**9)
    assert SECRET not in str(caught.value)
    assert "run the same command again" in str(caught.value)


@pytest.mark.parametrize("size_is_known", [True, False])
def test_a_file_over_the_limit_leaves_nothing(
    memory: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size_is_known: bool
) -> None:
    if not size_is_known:
        monkeypatch.setattr(type(fsspec.filesystem("memory")), "info", lambda self, path: {"size": None})
    with pytest.raises(CorruptObjectError, match="larger than the size limit of 2000000 bytes"):
        download(memory, tmp_path / "a.npz", limit=2_000_000)
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_ends_early_leaves_nothing(memory: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(type(fsspec.filesystem("memory")), "info", lambda self, path: {"size": len(DATA) + 1})
    with pytest.raises(StorageError, match=f"{len(DATA)} bytes came instead of {len(DATA) + 1}"):
        download(memory, tmp_path / "a.npz", limit=10**9)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("url", "complaint"),
    [
        (f"https://me:{SECRET}@example.org/a.npz", "no user name or password"),
        (f"s3://key:{SECRET}@bucket/a.npz", "no user name or password"),
        (f"s3://bucket/a.npz?secret={SECRET}", "no user name, password, port or query"),
        (f"abfs://c@account.dfs.core.windows.net/a.npz;sig={SECRET}", "looks like a key or a signature"),
        (f"https://me:1/{SECRET}@example.org/a.npz", "no user name or password"),
        ("simplecache::https://example.org/a.npz", "not several"),
        ("nonsense://example.org/a.npz", "the scheme 'nonsense' is unknown"),
    ],
)
def test_urls_that_cannot_be_read_are_refused(url: str, complaint: str, tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match=complaint) as caught:
        download(url, tmp_path / "a.npz", limit=1)
    assert SECRET not in str(caught.value)


def test_a_missing_file_is_not_found(memory: str, tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match=r"There is no file memory://downloads/b\.npz"):
        download("memory://downloads/b.npz", tmp_path / "a.npz", limit=1)


def test_a_disk_that_cannot_be_written_is_said(memory: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StorageError, match=f"Cannot write {tmp_path}/file/a.npz"):
        download(memory, tmp_path / "file" / "a.npz", limit=10**9)
