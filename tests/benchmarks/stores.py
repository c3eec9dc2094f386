"""``python tests/benchmarks/stores.py [SERVER ...]``: object stores on this machine: races, and milliseconds a request.

A race: 16 clients create one key, each with its own bytes; it is right if exactly one is told that it did, and its
bytes are there. Latencies are medians, in turns with obstore (``pip install obstore``), where that is installed.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier
from typing import Any

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from mu2net_core.errors import AlreadyExistsError  # noqa: E402
from mu2net_core.storage import Store, open_store  # noqa: E402
from mu2net_core.testing.servers.ceph import ceph  # noqa: E402
from mu2net_core.testing.servers.servers import Bucket, azurite, moto  # noqa: E402

SERVERS = {"ceph": ceph, "azurite": azurite, "moto": moto}  # Google's emulator overwrites: nothing to race for
CLIENTS, ROUNDS = 16, 200
SIZES = ((2_000, 60), (1_800_000, 20), (50_000_000, 5))
PROCESS = """
import sys, time
from mu2net_core.errors import AlreadyExistsError
from mu2net_core.storage import open_store
url, options, number, start, rounds = sys.argv[1], eval(sys.argv[2]), *map(float, sys.argv[3:])
store = open_store(url, options)
store.exists("warm")
time.sleep(max(0.0, start - time.time()))
for round_ in range(int(rounds)):
    try:
        store.create(f"processes/{round_}", bytes([int(number)]) * 300)
    except AlreadyExistsError:
        continue
    print(round_)
"""


def race_of_threads(bucket: Bucket) -> int:
    """Returns in how many rounds exactly one of the clients created the key and its bytes are there."""
    stores = [open_store(bucket.url, bucket.options) for _ in range(CLIENTS)]
    barrier, right = Barrier(CLIENTS), 0

    def create(key: str, number: int) -> bool:
        barrier.wait()
        try:
            return stores[number].create(key, bytes([number]) * 300)
        except AlreadyExistsError:
            return False

    with ThreadPoolExecutor(CLIENTS) as pool:
        for round_ in range(ROUNDS):
            key = f"threads/{round_}"
            won = list(pool.map(create, [key] * CLIENTS, range(CLIENTS)))
            right += won.count(True) == 1 and stores[0].read(key) == bytes([won.index(True)]) * 300
    return right


def race_of_processes(bucket: Bucket) -> int:
    """Returns the same for processes, which begin together and then run through all keys."""
    start = str(time.time() + 20)
    command = [sys.executable, "-c", PROCESS, bucket.url, repr(dict(bucket.options))]
    running = [
        subprocess.Popen([*command, str(number), start, str(ROUNDS)], stdout=subprocess.PIPE, text=True, cwd=ROOT)
        for number in range(CLIENTS)
    ]
    won: Counter[int] = Counter()
    for each in running:
        won.update(int(line) for line in each.communicate()[0].split())
        assert each.returncode == 0
    return sum(won[round_] == 1 for round_ in range(ROUNDS))


def milliseconds(call: Callable[[int], Any], times: int) -> float:
    """Returns the median of ``times`` calls."""
    taken = []
    for number in range(times):
        began = time.perf_counter()
        call(number)
        taken.append(time.perf_counter() - began)
    return 1000 * statistics.median(taken)


def latencies(bucket: Bucket, store: Store) -> None:
    for size, times in SIZES:
        data = os.urandom(size)
        put = milliseconds(lambda i, d=data: store.create(f"ours/{len(d)}/{i}", d), times)
        get = milliseconds(lambda i, s=size: store.read(f"ours/{s}/{i}"), times)
        print(f"  {size:>10} bytes: create {put:.1f} ms, read {get:.1f} ms", flush=True)
        if bucket.url.startswith("s3://"):
            beside_obstore(bucket, data, times)


def beside_obstore(bucket: Bucket, data: bytes, times: int) -> None:
    try:
        import obstore
        from obstore.store import S3Store
    except ImportError:
        return
    where = {"endpoint": bucket.endpoint, "region": "us-east-1", "client_options": {"allow_http": True}}
    native = S3Store(bucket.url.removeprefix("s3://").partition("/")[0], **where)
    name = f"obstore/{len(data)}"
    put = milliseconds(lambda i: obstore.put(native, f"{name}/{i}", data, mode="create", use_multipart=False), times)
    get = milliseconds(lambda i: bytes(obstore.get(native, f"{name}/{i}").bytes()), times)
    print(f"  {'':>10} obstore:    put {put:.1f} ms,  get {get:.1f} ms", flush=True)


def main() -> None:
    for name in sys.argv[1:] or SERVERS:
        with SERVERS[name]() as server:
            os.environ.update(server.environ)
            bucket = server.new_bucket()
            began = time.perf_counter()
            threads = race_of_threads(bucket)
            print(
                f"{name}: {threads} of {ROUNDS} races of threads right, {time.perf_counter() - began:.0f} s", flush=True
            )
            print(f"{name}: {race_of_processes(bucket)} of {ROUNDS} races of processes right", flush=True)
            latencies(bucket, open_store(bucket.url, bucket.options))


if __name__ == "__main__":
    main()
