"""Ceph's S3 gateway, a production server, from Debian's packages: unpacked, unprivileged, on this machine only."""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
import tempfile
import uuid
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

from mu2net_core.testing.servers.servers import (
    MissingServerError,
    Server,
    answers,
    cache_folder,
    free_ports,
    running,
    s3_environ,
    s3_server,
    wait_until,
)

__all__ = ["ceph"]

_ID = "11111111-2222-3333-4444-555555555555"
_CONF = """
# Two lines of paxos: a monitor otherwise waits a second for each of the maps that others wait for.
[global]
fsid = {id}
mon initial members = a
mon host = [v2:127.0.0.1:{mon}/0,v1:127.0.0.1:{mon_v1}/0]
public addr = 127.0.0.1
cluster addr = 127.0.0.1
ms bind ipv6 = false
ms mon client mode = crc
ms client mode = crc
ms mon cluster mode = crc
ms mon service mode = crc
ms cluster mode = crc
ms service mode = crc
auth cluster required = none
auth service required = none
auth client required = none
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 8
osd pool default pg autoscale mode = off
mon allow pool size one = true
mon max pg per osd = 1000
mon data avail crit = 1
paxos propose interval = 0.05
paxos min wait = 0.01
osd crush chooseleaf type = 0
mon data = {folder}/mon
osd data = {folder}/osd
rgw data = {folder}/rgw
keyring = {folder}/keyring
log file = {folder}/$name.log
admin socket = {folder}/$name.asok
pid file = {folder}/$name.pid
run dir = {folder}
crash dir = {folder}/crash
plugin dir = {libraries}
erasure code dir = {libraries}/erasure-code
osd class dir = {classes}
osd objectstore = bluestore
bluestore block size = 10737418240
osd memory target = 939524096
[client.admin]
rgw frontends = beast endpoint=127.0.0.1:{port} tcp_nodelay=1
rgw dynamic resharding = false
"""


@contextmanager
def ceph() -> Iterator[Server]:
    """Runs one monitor, one object daemon and the S3 gateway, with one user."""
    root = Path(os.environ.get("MU2NET_TEST_CEPH") or cache_folder() / "ceph")
    if not (root / "usr" / "bin" / "radosgw").exists():
        raise MissingServerError(f"Ceph: no packages unpacked in {root} (see .ci/servers)")
    folder = Path(tempfile.mkdtemp(prefix="ceph-"))
    try:
        with free_ports(3) as [port, mon, mon_v1], ExitStack() as stack:
            environ = _prepare(root, folder, port=port, mon=mon, mon_v1=mon_v1)
            yield _start(stack, folder, environ, f"http://127.0.0.1:{port}")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _prepare(root: Path, folder: Path, **ports: int) -> Mapping[str, str]:
    libraries = next((root / "usr" / "lib").glob("*/ceph"))
    machine = libraries.parent.name
    for name in ("mon", "osd", "rgw"):
        (folder / name).mkdir()
    settings = {"id": _ID, "folder": folder, "libraries": libraries, "classes": libraries.parent / "rados-classes"}
    (folder / "ceph.conf").write_text(_CONF.format(**settings, **ports))
    return {
        "MON_HOST": f"[v2:127.0.0.1:{ports['mon']},v1:127.0.0.1:{ports['mon_v1']}]",
        "LD_LIBRARY_PATH": f"{libraries.parent}:{root}/lib/{machine}:{libraries}",
        "PATH": f"{root}/usr/bin:{os.environ['PATH']}",
        "PYTHONPATH": f"{root}/usr/lib/python3/dist-packages",
        "CEPH_CONF": f"{folder}/ceph.conf",
        "CEPH_ROOT": str(root),
    }


def _start(stack: ExitStack, folder: Path, environ: Mapping[str, str], endpoint: str) -> Server:
    run = partial(_run, folder / "commands.log", environ)
    daemon = partial(running, environ=environ)
    keyring, osd = f"{folder}/keyring", str(uuid.uuid4())
    all_rights = ("--cap", "mon", "allow *", "--cap", "osd", "allow *")
    run("ceph-authtool", "--create-keyring", keyring, "--gen-key", "-n", "mon.", "--cap", "mon", "allow *")
    run("ceph-authtool", keyring, "--gen-key", "-n", "client.admin", *all_rights)
    run("monmaptool", "--create", "--addv", "a", environ["MON_HOST"], "--fsid", _ID, f"{folder}/monmap")
    run("ceph-mon", "--mkfs", "-i", "a", "--monmap", f"{folder}/monmap", "--keyring", keyring)
    stack.enter_context(daemon(["ceph-mon", "-f", "-i", "a"], folder / "mon.log"))
    run("/usr/bin/python3", f"{environ['CEPH_ROOT']}/usr/bin/ceph", "osd", "new", osd)
    run("ceph-osd", "-i", "0", "--mkfs", "--osd-uuid", osd)
    stack.enter_context(daemon(["ceph-osd", "-f", "-i", "0"], folder / "osd.log"))
    stack.enter_context(daemon(["radosgw", "-f", "-n", "client.admin"], folder / "rgw.log"))
    key, secret = f"AK{secrets.token_hex(9).upper()}", secrets.token_hex(20)
    user = ("--uid", "ci", "--display-name", "ci", "--access-key", key, "--secret-key", secret)
    run("radosgw-admin", "user", "create", *user)
    wait_until(partial(answers, endpoint), "Ceph's gateway", folder / "rgw.log")
    return s3_server(endpoint, s3_environ(key, secret), folder)


def _run(log: Path, environ: Mapping[str, str], *command: str) -> None:
    with log.open("ab") as out:
        done = subprocess.run(
            command, env={**os.environ, **environ}, stdout=out, stderr=out, check=False, timeout=240, cwd=log.parent
        )
    if done.returncode != 0:
        raise AssertionError(f"{command[0]} failed: {log.read_text(errors='replace')[-2000:]}")
