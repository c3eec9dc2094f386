"""What object stores do that a folder does not: bad networks, bad credentials, buckets that are not there."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest
from botocore.exceptions import ClientError
from google.auth.exceptions import DefaultCredentialsError, TransportError

from mu2net_core.errors import AccessDeniedError, AlreadyExistsError, CorruptObjectError, NotFoundError, StorageError
from mu2net_core.storage import Store, gcs, open_store, s3
from mu2net_core.storage.backend import Trouble
from mu2net_core.storage.places import parse_place
from mu2net_core.storage.schemes import open_remote
from mu2net_core.testing.servers.proxy import FaultProxy, Faults
from mu2net_core.testing.servers.servers import Bucket, free_ports

BIG = bytes(range(256)) * 1000
BAD_NETWORK = Faults(lost_replies=0.2, cut_requests=0.1, busy=0.1, truncated=0.1)


class Behind:
    """A bucket behind a proxy."""

    def __init__(self, bucket: Bucket, proxy: FaultProxy, monkeypatch: pytest.MonkeyPatch) -> None:
        self.bucket, self.proxy = bucket, proxy
        self.options = {**bucket.options, "endpoint": proxy.url} if "endpoint" in bucket.options else bucket.options
        for name, value in bucket.environ.items():
            monkeypatch.setenv(name, value.replace(bucket.endpoint, proxy.url))

    def store(self) -> Store:
        """Returns the bucket as a store for which no time passes."""
        return open_remote(self.bucket.url, self.options, sleep=lambda _: None, clock=lambda: 0.0)


@pytest.fixture(params=["s3_bucket", "azure_bucket"])
def bucket(request: pytest.FixtureRequest) -> Bucket:
    """Returns an empty bucket of Ceph, then of Azurite."""
    found: Bucket = request.getfixturevalue(request.param)
    return found


@pytest.fixture(params=["s3_bucket", "azure_bucket", "gcs_bucket", "moto_bucket"])
def any_bucket(request: pytest.FixtureRequest) -> Bucket:
    """Returns an empty bucket of each server."""
    found: Bucket = request.getfixturevalue(request.param)
    return found


@pytest.fixture
def behind(any_bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> Iterator[Behind]:
    with FaultProxy(any_bucket.endpoint) as proxy:
        yield Behind(any_bucket, proxy, monkeypatch)


def test_an_operation_is_one_request(behind: Behind) -> None:
    store, proxy = behind.store(), behind.proxy
    operations: list[Callable[[], Any]] = [
        lambda: store.create("a/b", b"one"),
        lambda: store.create("a/big", BIG),
        lambda: store.read("a/b"),
        lambda: store.read("a/b", limit=3),
        lambda: store.read("a/big", limit=len(BIG)),
        lambda: store.exists("a/b"),
        lambda: store.exists("a/missing"),
        lambda: store.size("a/b"),
        lambda: store.modified("a/b"),
        lambda: list(store.list("a")),
        lambda: list(store.list("none")),
        lambda: store.refresh("a/b", b"one"),
        lambda: store.delete("a/b"),
        lambda: store.delete("a/b"),
    ]
    for operation in operations:
        proxy.forget()
        operation()
        assert len(proxy.log) == 1, [(each.method, each.path) for each in proxy.log]


@pytest.mark.parametrize("size", [3, len(BIG)], ids=["small", "large"])
def test_a_creation_refused_is_one_request_more(bucket: Bucket, monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    with FaultProxy(bucket.endpoint) as proxy:
        store = Behind(bucket, proxy, monkeypatch).store()
        store.create("a", BIG[:size])
        proxy.forget()
        assert store.create("a", BIG[:size]) is False
        assert len(proxy.log) == 2
        assert {each.method for each in proxy.log} == {"PUT", "GET" if size == 3 else "HEAD"}


def test_no_more_is_brought_over_than_the_limit(bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    store = open_store(bucket.url, bucket.options)
    store.create("a", BIG)
    with pytest.raises(CorruptObjectError, match="size limit of 1000 bytes"):
        store.read("a", limit=1000)
    assert len(store._backend.get(f"{store._backend.place.root}/a", stop=1001)) == 1001  # type: ignore[attr-defined]


def test_a_bad_network_changes_nothing(bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    with FaultProxy(bucket.endpoint, BAD_NETWORK, seed=1) as proxy:
        behind = Behind(bucket, proxy, monkeypatch)
        outcomes = _rivals(behind.store(), behind.store(), rounds=15)
        assert set(proxy.injected) == {"none", "lost-reply", "cut-request", "busy", "truncated"}
        proxy.faults = Faults()
        calm = behind.store()
        for key, owners in outcomes.items():
            assert len(owners) == 1, f"{key} was acknowledged to {owners}"
            assert calm.read(key) == owners[0] * 1000


def _rivals(*stores: Store, rounds: int) -> Mapping[str, list[bytes]]:
    """Lets the stores race for keys; returns by key what those wrote who were told that it holds theirs."""
    owners: dict[str, list[bytes]] = {f"k/{number}": [] for number in range(rounds)}

    def write(store: Store, mark: bytes) -> None:
        for key, told in owners.items():
            try:
                store.create(key, mark * 1000)
            except AlreadyExistsError:
                assert store.read(key) != mark * 1000
            else:
                told.append(mark)

    threads = [threading.Thread(target=write, args=(store, b"%d" % i)) for i, store in enumerate(stores)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return owners


def test_a_missing_bucket_is_not_a_missing_object(any_bucket: Bucket) -> None:
    there = open_store(any_bucket.url, any_bucket.options)
    with pytest.raises(NotFoundError, match=r"No a in .*://"):
        there.read("a")
    assert not there.exists("a")
    missing = any_bucket.url.replace("://b-", "://c-")
    calls: list[Callable[[Store], object]] = [
        lambda store: store.read("a"),
        lambda store: store.exists("a"),
        lambda store: store.create("a", b"x"),
        lambda store: list(store.list("")),
    ]
    for call in calls:
        with pytest.raises(StorageError, match=r"there is no (bucket|container) 'c-") as caught:
            call(open_remote(missing, any_bucket.options, sleep=lambda _: None))
        assert missing in str(caught.value)


def test_a_wrong_secret_is_said_and_not_shown(s3_bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "not-the-secret")
    store = open_store(s3_bucket.url, s3_bucket.options)
    with pytest.raises(AccessDeniedError, match="Credentials: the environment's AWS_ACCESS_KEY_ID") as caught:
        store.create("a", b"x")
    assert s3_bucket.url in str(caught.value)
    assert "option profile" in str(caught.value)
    assert "not-the-secret" not in str(caught.value)
    with pytest.raises(AccessDeniedError):
        store.exists("a")
    with pytest.raises(AccessDeniedError):
        list(store.list(""))


def test_no_credentials_are_said(s3_bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    store = open_store(s3_bucket.url, s3_bucket.options)
    with pytest.raises(AccessDeniedError, match=r"no usable credentials. Credentials: none found in the environment"):
        store.read("a")
    with pytest.raises(AccessDeniedError, match="nobody"):
        open_store(s3_bucket.url, {**s3_bucket.options, "profile": "nobody"}).read("a")
    with pytest.raises(AccessDeniedError, match="none, as the option anonymous says"):
        open_store(s3_bucket.url, {**s3_bucket.options, "anonymous": "true"}).read("a")


def test_half_of_the_credentials_is_told_from_none(s3_bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with pytest.raises(AccessDeniedError, match="missing: AWS_SECRET_ACCESS_KEY") as caught:
        open_store(s3_bucket.url, s3_bucket.options).read("a")
    assert "none found" not in str(caught.value)


def test_azures_refusals_are_said(azure_bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    right = azure_bucket.environ["AZURE_STORAGE_CONNECTION_STRING"]
    start, _, rest = right.partition("AccountKey=")
    wrong = "bm90LXRoZS1zZWNyZXQ="
    monkeypatch.setenv("AZURE_STORAGE_CONNECTION_STRING", f"{start}AccountKey={wrong};{rest.partition(';')[2]}")
    with pytest.raises(AccessDeniedError, match="Credentials: AZURE_STORAGE_CONNECTION_STRING") as caught:
        open_store(azure_bucket.url).create("a", b"x")
    assert azure_bucket.url in str(caught.value)
    assert wrong not in str(caught.value)
    monkeypatch.delenv("AZURE_STORAGE_CONNECTION_STRING")
    with pytest.raises(AccessDeniedError, match=r"no storage account is named.*AZURE_STORAGE_ACCOUNT_KEY"):
        open_store(azure_bucket.url).read("a")


@pytest.fixture
def port() -> Iterator[int]:
    """Returns a port at which nobody listens."""
    with free_ports(1) as [port]:
        yield port


@pytest.mark.parametrize("scheme", ["s3", "gs", "abfs"])
def test_a_server_that_is_not_there_is_an_error(monkeypatch: pytest.MonkeyPatch, scheme: str, port: int) -> None:
    endpoint = f"http://127.0.0.1:{port}"
    monkeypatch.setenv("AZURE_STORAGE_CONNECTION_STRING", f"AccountName=a;AccountKey=YQ==;BlobEndpoint={endpoint}/a;")
    options = {} if scheme == "abfs" else {"endpoint": endpoint, "anonymous": "true"}
    store = open_remote(f"{scheme}://bucket/x", options, sleep=lambda _: None)
    with pytest.raises(StorageError, match=rf"Cannot read a in {scheme}://bucket/x: .*attempt"):
        store.read("a")
    with pytest.raises(StorageError, match="Cannot"):
        store.create("a", b"x")


def test_what_no_single_request_takes_is_written_in_parts(s3_bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(s3, "_SINGLE_PUT_BYTES", 5 * 2**20)
    monkeypatch.setattr(s3, "_PART_BYTES", 5 * 2**20)
    store, data = open_store(s3_bucket.url, s3_bucket.options), BIG * 45
    assert store.create("a", data) is True
    assert store._backend.head("system/a").md5 is None  # type: ignore[attr-defined]
    assert store.read("a") == data


def test_a_process_ends_quietly(any_bucket: Bucket) -> None:
    code = (
        "import sys, threading\n"
        "from mu2net_core.storage import open_store\n"
        f"store = open_store({any_bucket.url!r}, {dict(any_bucket.options)!r})\n"
        "store.create('a', b'one')\n"
        "threads = [threading.Thread(target=store.read, args=('a',)) for _ in range(4)]\n"
        "[thread.start() for thread in threads]; [thread.join() for thread in threads]\n"
        "print(store.read('a').decode())\n"
    )
    command = [sys.executable, "-W", "error::ResourceWarning", "-W", "default::RuntimeWarning", "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ})
    assert (done.returncode, done.stdout, done.stderr) == (0, "one\n", "")


def _s3_error(status: int, code: str) -> ClientError:
    answer = {"Error": {"Code": code, "Message": "see http://x/y?token=secret."}}
    return ClientError({**answer, "ResponseMetadata": {"HTTPStatusCode": status}}, "PutObject")


@pytest.mark.parametrize(
    ("status", "code", "trouble"),
    [
        (404, "NoSuchKey", Trouble.NO_KEY),
        (404, "NoSuchBucket", Trouble.NO_BUCKET),
        (404, "404", Trouble.NOTHING),
        (412, "PreconditionFailed", Trouble.THERE),
        (409, "ConditionalRequestConflict", Trouble.THERE),
        (403, "SignatureDoesNotMatch", Trouble.DENIED),
        (400, "ExpiredToken", Trouble.EXPIRED),
        (403, "RequestTimeTooSkewed", Trouble.REFUSED),
        (503, "SlowDown", Trouble.BUSY),
        (500, "InternalError", Trouble.BUSY),
        (429, "429", Trouble.BUSY),
        (400, "RequestTimeout", Trouble.LOST),
        (408, "408", Trouble.LOST),
        (400, "IncompleteBody", Trouble.LOST),
        (301, "PermanentRedirect", Trouble.REFUSED),
        (501, "NotImplemented", Trouble.REFUSED),
    ],
)
def test_s3s_answers_are_understood_by_their_codes(status: int, code: str, trouble: Trouble) -> None:
    translated = OSError(22, "as s3fs puts it")
    translated.__cause__ = _s3_error(status, code)
    backend = s3.S3Backend(parse_place("s3://x"), {})
    assert backend.failure(translated).trouble is trouble
    found = backend.failure(_s3_error(status, code))
    assert (found.trouble, "secret" in found.reason) == (trouble, False)
    assert str(status) in found.reason


@pytest.mark.parametrize(("status", "word"), [(403, "region"), (301, "region")])
def test_a_refusal_that_has_a_remedy_names_it(status: int, word: str) -> None:
    code = {403: "AuthorizationHeaderMalformed", 301: "PermanentRedirect"}[status]
    failure = s3.S3Backend(parse_place("s3://x"), {}).failure(_s3_error(status, code))
    assert word in str(failure.hint)


def test_googles_answers_are_understood() -> None:
    backend = gcs.GcsBackend(parse_place("gs://x"), {})
    answers = {
        (404, "The specified bucket does not exist"): Trouble.NO_BUCKET,
        (404, "No such object: x/a"): Trouble.NOTHING,
        (412, "conditionNotMet"): Trouble.THERE,
        (401, "Anonymous caller"): Trouble.DENIED,
        (429, "rateLimitExceeded"): Trouble.BUSY,
        (400, "invalid"): Trouble.REFUSED,
    }
    for (status, message), trouble in answers.items():
        assert backend.failure(gcs._AnsweredError(status, message)).trouble is trouble
    assert backend.failure(DefaultCredentialsError("none")).trouble is Trouble.DENIED
    assert backend.failure(TransportError("gone")).trouble is Trouble.LOST
    assert backend.failure(TypeError("odd")).trouble is Trouble.REFUSED
    assert gcs._message(b'{"error": {"message": "no.\\nmore"}}') == "no"
    assert gcs._message(b"<html>") == "<html>"
