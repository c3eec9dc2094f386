"""Object-store servers on this machine, for tests: started on free ports of 127.0.0.1, killed at the end.

A server that is not installed is a reason to skip, unless ``MU2NET_TEST_SERVERS=required``; ``.ci/servers`` installs
all of them into a folder. Ceph is looked for in the folder MU2NET_TEST_CEPH, Azurite at MU2NET_TEST_AZURITE.
"""

from __future__ import annotations

import base64
import json
import os
import secrets
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from uuid import uuid4

__all__ = ["Bucket", "MissingServerError", "Server", "azurite", "cache_folder", "free_ports", "gcs_emulator", "moto"]

_READY_S = 240
_REGION = "us-east-1"


class MissingServerError(Exception):
    """A server that is not installed here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bucket:
    """An empty bucket of a server.

    Attributes:
        url: for ``open_store``.
        options: for ``open_store``.
        environ: what a client needs in its environment: its credentials, and no others.
        endpoint: the server.
    """

    url: str
    options: Mapping[str, str]
    environ: Mapping[str, str]
    endpoint: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """A running server.

    Attributes:
        scheme: of its URLs.
        endpoint: http://127.0.0.1:PORT.
        environ: what a client needs in its environment.
        options: for ``open_store``.
        create_bucket: makes the bucket of that name.
        folder: its files.
    """

    scheme: str
    endpoint: str
    environ: Mapping[str, str]
    create_bucket: Callable[[str], None]
    folder: Path
    options: Mapping[str, str] = field(default_factory=dict)

    def new_bucket(self, folder: str = "system") -> Bucket:
        """Returns an empty bucket; its URL names a folder in it."""
        name = f"b-{uuid4().hex}"
        self.create_bucket(name)
        url = f"{self.scheme}://{name}/{folder}" if folder else f"{self.scheme}://{name}"
        return Bucket(url=url, options=self.options, environ=self.environ, endpoint=self.endpoint)


def cache_folder() -> Path:
    """Returns where ``.ci/servers`` installs servers by default."""
    cache = os.environ.get("XDG_CACHE_HOME") or Path("~/.cache").expanduser()
    return Path(os.environ.get("MU2NET_CI_CACHE") or Path(cache) / "mu2net-ci")


@contextmanager
def running(command: Sequence[str], log: Path, *, environ: Mapping[str, str] | None = None) -> Iterator[None]:
    """Keeps a command running inside the block, and no longer than this process lives."""
    guard = 'trap "" TERM; "$@" & server=$!; cat >/dev/null; kill -9 $server 2>/dev/null; wait $server'
    with log.open("ab") as out:
        shell = subprocess.Popen(
            ["/bin/bash", "-c", guard, "guard", *command],
            stdin=subprocess.PIPE,
            stdout=out,
            stderr=out,
            env={**os.environ, **(environ or {})},
            cwd=log.parent,
            start_new_session=True,
        )
    try:
        yield
    finally:
        shell.communicate()  # the end of its input is the end of the server


@contextmanager
def free_ports(number: int) -> Iterator[list[int]]:
    """Yields ports of 127.0.0.1 that nobody else is given inside the block; who is told one can listen there."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(number)]
        for each in sockets:
            each.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as servers do: bound, and still free to them
            each.bind(("127.0.0.1", 0))
        yield [int(each.getsockname()[1]) for each in sockets]


def wait_until(ready: Callable[[], bool], what: str, log: Path) -> None:
    """Waits until ``ready``.

    Raises:
        AssertionError: it took too long.
    """
    end = time.monotonic() + _READY_S
    while not ready():
        if time.monotonic() > end:
            raise AssertionError(f"{what} did not start: {log.read_text(errors='replace')[-2000:]}")
        time.sleep(0.1)


def answers(endpoint: str) -> bool:
    """Returns whether something speaks HTTP there."""
    try:
        urllib.request.urlopen(endpoint, timeout=5).close()
    except urllib.error.HTTPError as exc:
        exc.close()
    except OSError:
        return False
    return True


def s3_environ(key: str, secret: str) -> dict[str, str]:
    """Returns an environment with these credentials and no others."""
    none = {
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    return {"AWS_ACCESS_KEY_ID": key, "AWS_SECRET_ACCESS_KEY": secret, **none}


def s3_server(endpoint: str, environ: Mapping[str, str], folder: Path) -> Server:
    """Returns a running S3 server, as its clients see it."""
    from botocore.session import Session

    client = Session().create_client(
        "s3",
        endpoint_url=endpoint,
        region_name=_REGION,
        aws_access_key_id=environ["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=environ["AWS_SECRET_ACCESS_KEY"],
    )
    return Server(
        scheme="s3",
        endpoint=endpoint,
        environ=environ,
        options={"endpoint": endpoint, "region": _REGION},
        create_bucket=lambda name: client.create_bucket(Bucket=name),
        folder=folder,
    )


@contextmanager
def moto() -> Iterator[Server]:
    """Runs moto's S3, one request at a time: it accepts any key, and answers refusals in AWS's own words."""
    _need(find_spec("moto") is not None, "moto: pip install 'moto[server]'")
    with free_ports(1) as [port], tempfile.TemporaryDirectory(prefix="moto-") as folder:
        endpoint = f"http://127.0.0.1:{port}"
        module = "mu2net_core.testing.servers.exclusive_moto"
        log, command = Path(folder) / "log", [sys.executable, "-m", module, "-H", "127.0.0.1", "-p", str(port)]
        with running(command, log):
            wait_until(partial(answers, endpoint), "moto", log)
            yield s3_server(endpoint, s3_environ("any", "any"), Path(folder))


@contextmanager
def gcs_emulator() -> Iterator[Server]:
    """Runs gcp-storage-emulator, which does not honour exclusive creation."""
    _need(find_spec("gcp_storage_emulator") is not None, "gcp-storage-emulator: pip install gcp-storage-emulator")

    def create_bucket(name: str) -> None:
        body, kind = json.dumps({"name": name}).encode(), {"Content-Type": "application/json"}
        request = urllib.request.Request(f"{endpoint}/storage/v1/b?project=test", body, kind)
        urllib.request.urlopen(request, timeout=_READY_S).close()

    with free_ports(1) as [port], tempfile.TemporaryDirectory(prefix="gcs-") as folder:
        endpoint = f"http://127.0.0.1:{port}"
        log, where = Path(folder) / "log", ["--host", "127.0.0.1", "--port", str(port)]
        command = [sys.executable, "-m", "gcp_storage_emulator", "-d", folder, "start", "-M", *where]
        with running(command, log):
            wait_until(partial(answers, endpoint), "gcp-storage-emulator", log)
            yield Server(
                scheme="gs",
                endpoint=endpoint,
                environ={"GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT": "false"},
                options={"endpoint": endpoint, "anonymous": "true"},
                create_bucket=create_bucket,
                folder=Path(folder),
            )


@contextmanager
def azurite() -> Iterator[Server]:
    """Runs Azurite, Azure's own emulator."""
    default = cache_folder() / "azurite" / "node_modules" / ".bin" / "azurite-blob"
    program = Path(os.environ.get("MU2NET_TEST_AZURITE") or default)
    _need(program.exists(), f"Azurite: no {program} (see .ci/servers)")
    from azure.storage.blob import BlobServiceClient

    account, key = "tester", base64.b64encode(secrets.token_bytes(32)).decode()

    def create_bucket(name: str) -> None:
        with BlobServiceClient.from_connection_string(connection) as client:
            client.create_container(name).close()

    with free_ports(1) as [port], tempfile.TemporaryDirectory(prefix="azurite-") as folder:
        endpoint = f"http://127.0.0.1:{port}"
        parts = ("DefaultEndpointsProtocol=http", f"AccountName={account}", f"AccountKey={key}")
        connection = ";".join((*parts, f"BlobEndpoint={endpoint}/{account};"))
        where = ["--blobHost", "127.0.0.1", "--blobPort", str(port)]
        log = Path(folder) / "log"
        command = [str(program), *where, "-l", folder, "--disableTelemetry", "--skipApiVersionCheck"]
        with running(command, log, environ={"AZURITE_ACCOUNTS": f"{account}:{key}"}):
            wait_until(partial(answers, endpoint), "Azurite", log)
            yield Server(
                scheme="abfs",
                endpoint=endpoint,
                environ={"AZURE_STORAGE_CONNECTION_STRING": connection},
                create_bucket=create_bucket,
                folder=Path(folder),
            )


def _need(there: bool, what: str) -> None:  # noqa: FBT001
    if not there:
        raise MissingServerError(what)
