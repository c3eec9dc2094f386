"""What is said where something else answers than the storage that was asked, or answers in its own way."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from pathlib import Path
from typing import Any

import botocore.exceptions
import pytest
from aiobotocore.httpsession import AIOHTTPSession
from azure.core.exceptions import HttpResponseError
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectionClosedError,
    ConnectTimeoutError,
    NoCredentialsError,
    ReadTimeoutError,
)
from botocore.session import Session
from google.auth.exceptions import DefaultCredentialsError, RefreshError

from mu2net_core.api.context import Context
from mu2net_core.api.sharing import remote
from mu2net_core.api.sharing.clone import clone
from mu2net_core.api.sharing.fetch import fetch
from mu2net_core.api.sharing.push import push
from mu2net_core.errors import (
    AccessDeniedError,
    CredentialsExpiredError,
    InvalidInputError,
    Mu2netError,
    StorageError,
)
from mu2net_core.repo import Repository, open_repository
from mu2net_core.repo.checking.fsck_run import fsck
from mu2net_core.repo.core.remote_config import Remote, check_endpoint
from mu2net_core.repo.probing.place_probe import probe
from mu2net_core.storage import azure, gcs, open_store, s3
from mu2net_core.storage.backend import Trouble
from mu2net_core.storage.places import parse_place
from mu2net_core.storage.schemes import open_remote
from mu2net_core.testing.building.samples import add_sample_task, evolve_sample
from mu2net_core.testing.servers.servers import Bucket, free_ports

PAGE = b"<!doctype html><html><body>Sign in</body></html>"
XHTML = b"<html xmlns='http://www.w3.org/1999/xhtml'><body><p>Sign in</p></body></html>"
HTML = {"Content-Type": "text/html; charset=utf-8"}
ANSWERS: Mapping[str, tuple[int, Mapping[str, str], bytes]] = {
    "log-in portal": (200, HTML, PAGE),
    "log-in portal in XML": (200, HTML, XHTML),
    "console with ETags": (200, {**HTML, "ETag": '"abc"', "Last-Modified": "Thu, 01 Jan 2026 00:00:00 GMT"}, PAGE),
    "redirect to a log-in": (302, {**HTML, "Location": "/login"}, PAGE),
    "proxy that forbids": (403, HTML, PAGE),
    "another server": (404, HTML, PAGE),
    "another server's method": (405, HTML, PAGE),
    "https port": (400, HTML, PAGE),
    "another service": (200, {"Content-Type": "application/json"}, b'{"status": "ok"}'),
    "another service that refuses": (404, {"Content-Type": "application/json"}, b'{"error": "no such route"}'),
    "a greeting": (200, {"Content-Type": "text/plain"}, b"It works!"),
}


@contextmanager
def serving(status: int, headers: Mapping[str, str], body: bytes) -> Iterator[str]:
    """Runs a server that answers everything alike; yields where."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Says nothing."""

        do_GET = do_PUT = do_HEAD = do_POST = do_DELETE = answer  # noqa: N815

    class Server(ThreadingHTTPServer):
        def handle_error(self, request: Any, client_address: Any) -> None:
            """Says nothing: a client may hang up."""

    with Server(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


@pytest.fixture(autouse=True)
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    """Gives every kind of storage some credentials."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "any")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "any")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


@pytest.mark.parametrize("answer", ANSWERS)
def test_what_is_no_s3_is_told_apart_by_every_verb(
    repo: Repository, context: Context, tmp_path: Path, answer: str
) -> None:
    add_sample_task(repo, "a")
    status, headers, body = ANSWERS[answer]
    with serving(status, headers, body) as endpoint:
        options = {"endpoint": endpoint}
        remote.add(repo, context, "unlooked", "s3://team/x", options=options, check=False)
        verbs: list[Callable[[], object]] = [
            lambda: clone("s3://team/x", tmp_path / "copy", context, options=options),
            lambda: remote.add(repo, context, "origin", "s3://team/x", options=options),
            lambda: fetch(repo, context, "unlooked"),
            lambda: push(repo, context, "unlooked"),
        ]
        for verb in verbs:
            with pytest.raises(StorageError) as caught:
                verb()
            what = "a web page" if "html" in headers["Content-Type"] else "something else"
            assert f"{what} answers at {endpoint}, not S3" in caught.value.message
            assert "web console" in (caught.value.hint or "")
        store = open_remote("s3://team/x", options, sleep=lambda _: None)
        for call in (lambda: list(store.list("")), lambda: store.create("a", b"x")):
            with pytest.raises(StorageError, match="not S3"):
                call()


@pytest.mark.parametrize("answer", ["log-in portal", "redirect to a log-in", "proxy that forbids", "another server"])
@pytest.mark.parametrize("scheme", ["gs", "abfs"])
def test_what_is_no_google_and_no_azure_is_told_apart(
    monkeypatch: pytest.MonkeyPatch, scheme: str, answer: str
) -> None:
    with serving(*ANSWERS[answer]) as endpoint:
        monkeypatch.setenv(
            "AZURE_STORAGE_CONNECTION_STRING", f"AccountName=a;AccountKey=YQ==;BlobEndpoint={endpoint}/a;"
        )
        options = {} if scheme == "abfs" else {"endpoint": endpoint, "anonymous": "true"}
        store = open_remote(f"{scheme}://bucket/x", options, sleep=lambda _: None)
        for call in (lambda: store.read("a"), lambda: store.create("a", b"x"), lambda: list(store.list(""))):
            with pytest.raises(StorageError, match=r"a web page answers.* not (Google|Azure)"):
                call()


def test_a_page_of_a_server_that_is_busy_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(503, HTML, PAGE) as endpoint:
        store = open_remote("s3://team/x", {"endpoint": endpoint}, sleep=lambda _: None)
        with pytest.raises(StorageError, match="20 attempts"):
            store.read("a")


@pytest.mark.parametrize("kind", [ConnectTimeoutError, ReadTimeoutError, ConnectionClosedError])
def test_a_connection_that_is_made_late_or_breaks_is_tried_again(
    moto_bucket: Bucket, monkeypatch: pytest.MonkeyPatch, kind: type[BotoCoreError]
) -> None:
    slept: list[float] = []
    store = open_remote(moto_bucket.url, moto_bucket.options, sleep=slept.append, clock=lambda: sum(slept))
    real, requests = AIOHTTPSession.send, count()

    async def late(session: AIOHTTPSession, request: Any) -> Any:
        if next(requests) < 2:
            raise kind(endpoint_url=request.url, request=request)
        return await real(session, request)

    monkeypatch.setattr(AIOHTTPSession, "send", late)
    assert store.create("a", b"one") is True
    assert len(slept) == 2
    assert store.read("a") == b"one"


def _s3_failure(code: str, status: int = 400) -> Any:
    answer: Any = {"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return s3.S3Backend(parse_place("s3://x"), {}).failure(ClientError(answer, "PutObject"))


@pytest.mark.parametrize(
    "code", ["ExpiredToken", "ExpiredTokenException", "TokenRefreshRequired", "RequestExpired", "InvalidToken"]
)
def test_credentials_that_expired_are_told_from_missing_rights(code: str) -> None:
    failure = _s3_failure(code)
    assert failure.trouble is Trouble.EXPIRED
    assert "have expired" in failure.hint
    assert "aws sso login" in failure.hint
    assert "may list" not in failure.hint
    assert "clock" in _s3_failure("RequestTimeTooSkewed", 403).hint


def test_a_sign_on_that_ran_out_is_told_by_every_library() -> None:
    cut = {"error_msg": "Token has expired and refresh failed"}
    expired: list[BaseException] = [
        botocore.exceptions.UnauthorizedSSOTokenError(),
        botocore.exceptions.TokenRetrievalError(provider="sso", **cut),
        botocore.exceptions.CredentialRetrievalError(provider="process", **cut),
    ]
    for exc in expired:
        assert s3.S3Backend(parse_place("s3://x"), {}).failure(exc).trouble is Trouble.EXPIRED  # type: ignore[arg-type]
    google = gcs.GcsBackend(parse_place("gs://x"), {})
    for exc in (RefreshError("Reauthentication is needed."), gcs._AnsweredError(401, "Invalid Credentials")):
        assert google.failure(exc).trouble is Trouble.EXPIRED  # type: ignore[arg-type]
        assert "gcloud auth" in (google.failure(exc).hint or "")  # type: ignore[arg-type]
    sas = HttpResponseError("Signature not valid in the specified time frame: Start [...] - Expiry [...]")
    sas.status_code = 403
    failure = azure.AzureBackend(parse_place("abfs://x", with_host=True), {}).failure(sas)
    assert failure.trouble is Trouble.EXPIRED
    assert "az login" in (failure.hint or "")


class _Expiring:
    """A store whose credentials expire with its n-th use; reading goes on where ``reads`` says so."""

    def __init__(self, store: Any, after: int) -> None:
        self._store, self._left = store, after

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._store, name)
        if name not in {"read", "list", "create", "delete", "modified"}:
            return found

        def call(*args: Any, **more: Any) -> Any:
            self._left -= 1
            if self._left < 0:
                raise CredentialsExpiredError("Cannot: the server answered 400 ExpiredToken.", hint="get new ones")
            return found(*args, **more)

        return call


@pytest.mark.parametrize("after", range(8))
def test_a_probe_whose_credentials_expire_does_not_say_that_reading_works(after: int) -> None:
    store = _Expiring(open_store(f"memory://{after}/x"), after)
    with pytest.raises(CredentialsExpiredError, match="ExpiredToken"):
        probe(store, now=lambda: datetime.now(UTC))


def test_without_credentials_the_way_to_what_is_public_is_named() -> None:
    s3_failure = s3.S3Backend(parse_place("s3://x"), {}).failure(NoCredentialsError())
    google = gcs.GcsBackend(parse_place("gs://x"), {}).failure(DefaultCredentialsError("none"))
    account = azure.AzureBackend(parse_place("abfs://x", with_host=True), {}).failure(
        ValueError("unable to connect to account for x")
    )
    for failure in (s3_failure, google, account):
        assert failure.trouble is Trouble.DENIED
        assert "--anonymous" in (failure.hint or "")


def _client(bucket: Bucket) -> tuple[Any, str]:
    client = Session().create_client("s3", endpoint_url=bucket.endpoint, region_name="us-east-1")
    return client, bucket.url.partition("://")[2].partition("/")[0]


def test_a_public_bucket_is_cloned_without_credentials_as_the_hint_says(
    repo: Repository, context: Context, s3_bucket: Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_sample_task(repo, "a")
    remote.add(repo, context, "origin", s3_bucket.url, options=s3_bucket.options)
    push(repo, context)
    client, name = _client(s3_bucket)
    rule = {"Effect": "Allow", "Principal": "*", "Action": ["s3:GetObject", "s3:ListBucket"]}
    where = [f"arn:aws:s3:::{name}", f"arn:aws:s3:::{name}/*"]
    client.put_bucket_policy(
        Bucket=name, Policy=json.dumps({"Version": "2012-10-17", "Statement": [{**rule, "Resource": where}]})
    )
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with pytest.raises(AccessDeniedError, match="no usable credentials") as caught:
        clone(s3_bucket.url, tmp_path / "copy", context, options=s3_bucket.options)
    assert "--anonymous" in (caught.value.hint or "")
    clone(s3_bucket.url, tmp_path / "copy", context, options={**s3_bucket.options, "anonymous": "true"})
    assert open_repository(tmp_path / "copy").refs.head("a") is not None


@pytest.fixture
def locked_bucket(moto_bucket: Bucket) -> Bucket:
    """Returns an empty bucket whose objects cannot be deleted for a month."""
    client, name = _client(moto_bucket)
    name = f"locked-{name}"
    client.create_bucket(Bucket=name, ObjectLockEnabledForBucket=True)
    rule = {"DefaultRetention": {"Mode": "GOVERNANCE", "Days": 30}}
    client.put_object_lock_configuration(
        Bucket=name, ObjectLockConfiguration={"ObjectLockEnabled": "Enabled", "Rule": rule}
    )
    return Bucket(url=f"s3://{name}/x", options=moto_bucket.options, environ={}, endpoint=moto_bucket.endpoint)


def test_a_bucket_with_object_lock_is_shared_through_and_only_grows(
    repo: Repository, context: Context, locked_bucket: Bucket, tmp_path: Path
) -> None:
    add_sample_task(repo, "a")
    info = remote.add(repo, context, "origin", locked_bucket.url, options=locked_bucket.options)
    assert info.verdict == "append-only"
    assert "Object Lock" in (info.reason or "")
    push(repo, context)
    clone(locked_bucket.url, tmp_path / "mine", context, options=locked_bucket.options)
    mine = open_repository(tmp_path / "mine")
    evolve_sample(mine, "a", score=0.9, seed=3)
    assert [task.outcome for task in push(mine, context).tasks] == ["updated"]
    assert fsck(mine).problems == ()


def test_parts_of_a_large_object_go_into_a_bucket_with_object_lock(
    locked_bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(s3, "_SINGLE_PUT_BYTES", 5 * 2**20)
    monkeypatch.setattr(s3, "_PART_BYTES", 5 * 2**20)
    store, data = open_store(locked_bucket.url, locked_bucket.options), bytes(range(256)) * 45_000
    assert store.create("a", data) is True
    assert store.read("a") == data


def test_a_bucket_that_keeps_versions_is_safe_and_says_what_deleting_means(moto_bucket: Bucket) -> None:
    client, name = _client(moto_bucket)
    client.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    report = probe(open_store(moto_bucket.url, moto_bucket.options), now=lambda: datetime.now(UTC))
    assert report.verdict == "safe"
    assert "older version" in (report.remark or "")


@pytest.mark.parametrize(
    ("endpoint", "server"),
    [
        ("http://127.0.0.1:9000/team", "http://127.0.0.1:9000"),
        ("http://127.0.0.1:9000/team/system/", "http://127.0.0.1:9000"),
        ("https://data.example.org/storage/v1/team", "https://data.example.org/storage/v1"),
        ("https://team.s3.eu-central-1.amazonaws.com", "https://s3.eu-central-1.amazonaws.com"),
        ("https://team.s3-eu-west-1.amazonaws.com/", "https://s3-eu-west-1.amazonaws.com"),
    ],
)
def test_an_endpoint_that_holds_the_bucket_is_refused_with_the_right_one(
    repo: Repository, context: Context, tmp_path: Path, endpoint: str, server: str
) -> None:
    options = {"endpoint": endpoint}
    remote.add(repo, context, "good", "s3://team/x", options={"endpoint": server}, check=False)
    verbs: list[Callable[[], object]] = [
        lambda: remote.add(repo, context, "origin", "s3://team/x", options=options),
        lambda: remote.change(repo, "good", options=options),
        lambda: clone("s3://team/x", tmp_path / "copy", context, options=options),
    ]
    for verb in verbs:
        with pytest.raises(InvalidInputError, match="holds the bucket team") as caught:
            verb()
        assert caught.value.hint == f"Name the server only: --endpoint {server}"


@pytest.mark.parametrize(
    "endpoint", ["https://x.supabase.co/storage/v1/s3", "http://team.example.org:9000", "http://team"]
)
def test_an_endpoint_that_only_looks_so_is_let_pass(endpoint: str) -> None:
    check_endpoint(Remote(name="origin", url="s3://team/x", options={"endpoint": endpoint}))


def test_another_path_of_an_endpoint_is_told_when_nothing_is_found(moto_bucket: Bucket) -> None:
    store = open_remote(moto_bucket.url, {**moto_bucket.options, "endpoint": f"{moto_bucket.endpoint}/ui"})
    for call in (lambda: store.create("a", b"x"), lambda: list(store.list(""))):
        with pytest.raises(Mu2netError) as caught:
            call()
        assert f"try --endpoint {moto_bucket.endpoint}" in (caught.value.hint or "")


@pytest.mark.parametrize("value", ["127.0.0.1:9000", "s3.example.org", "localhost:9000"])
def test_an_endpoint_without_its_scheme_is_told_how_to_begin(value: str) -> None:
    with pytest.raises(InvalidInputError, match="option endpoint") as caught:
        Remote(name="origin", url="s3://team/x", options={"endpoint": value})
    assert f"--endpoint https://{value}" in (caught.value.hint or "")


def test_a_secret_in_place_of_an_endpoint_is_not_repeated() -> None:
    secret = "wJalrXUtnFEMIK7MDENGbPxRfiCYEXAMPLEKEY12"
    with pytest.raises(InvalidInputError) as caught:
        Remote(name="origin", url="s3://team/x", options={"endpoint": secret})
    assert secret not in str(caught.value)


def test_a_server_that_was_never_reached_is_given_up_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []
    with free_ports(1) as [port]:
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{port}")
        with pytest.raises(StorageError, match=rf"Could not connect .*127\.0\.0\.1:{port}.*5 attempts") as caught:
            open_remote("s3://team/x", {}, sleep=slept.append, clock=lambda: sum(slept)).read("a")
    assert "--endpoint URL" in (caught.value.hint or "")
    assert sum(slept) < 2
