"""``worker_stream.py decode|stream|device|evolve FOLDER``: one epoch of a generated data set; see case_stream.py.

Prints images per second, after the check of the stored bytes, and the most memory the process had.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter

import numpy as np

from mu2net_core.api.context import Context
from mu2net_core.data import Examples, ExampleStream, ReadAhead, fit, open_source
from mu2net_core.data.images import decode_image
from mu2net_core.objects import Slice, Task, decode

SIZE, BLOCK, CHUNK, DISTINCT = (32, 32), 64, 1024, 256
AHEAD = ReadAhead(size_bytes=16 * 2**20)  # more than chunks are, and less than 20,000 images


def decoding(encoded: list[bytes], count: int) -> Iterator[Examples]:
    """Yields ``count`` examples, decoded from memory by as many threads, a few blocks ahead."""

    def block(start: int) -> Examples:
        numbers = range(start, min(start + BLOCK, count))
        images = np.empty((len(numbers), *SIZE, 3), np.uint8)
        for place, number in enumerate(numbers):
            images[place] = fit(decode_image(encoded[number % len(encoded)], "image"), SIZE)
        return Examples(inputs=images, labels=np.zeros(len(numbers), np.int32))

    num_threads = AHEAD.num_threads
    starts = range(0, count, BLOCK)
    with ThreadPoolExecutor(num_threads) as pool:
        for first in range(0, len(starts), 8 * num_threads):
            yield from pool.map(block, starts[first : first + 8 * num_threads])


def to_device(examples: Iterator[Examples]) -> Iterator[Examples]:
    """Yields what was put on the default device, when it is there."""
    import jax

    for part in examples:
        jax.block_until_ready(jax.device_put((part.inputs, part.labels)))
        yield part


def context_of(folder: Path) -> Context:
    """Returns the context of a process for which every split is too large to lie on the device."""
    return Context(
        now=lambda: datetime.now(UTC),
        host="bench",
        environ={
            "MU2NET_DATA_DIR": str(folder),
            "MU2NET_CACHE_DIR": str(folder.parent / "cache"),
            "MU2NET_MACHINE_RESIDENT_BYTES": "1",
            "MU2NET_EVOLVE_SAMPLES_CAP": "1000000",
            "MU2NET_SPACE_NUM_LAYERS": "[0]",
            "MU2NET_SPACE_IMAGE_SIZE": "[32]",
        },
        user_config=None,
        cwd=folder,
    )


def evolve_once(folder: Path) -> int:
    """Returns how many examples the one child of an ``evolve`` saw."""
    from mu2net_core.api.evolving.evolve import evolve
    from mu2net_core.api.iterations.options import EvolveOptions
    from mu2net_core.api.setup.open import open_repo
    from mu2net_core.events import GenerationFinished

    seen = []
    evolve(
        open_repo(folder / "repo", context_of(folder)),
        context_of(folder),
        ["generated"],
        EvolveOptions(generations=1, children=1, validations=1, seed=1),
        on_event=lambda event: seen.append(event.spent.examples) if isinstance(event, GenerationFinished) else None,
    )
    return sum(seen)


def most_memory() -> float:
    """Returns the process's largest size so far, in MB."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1e3 for line in lines if line.startswith("VmHWM"))


def epoch(mode: str, folder: Path) -> dict[str, float]:
    """Returns how many images a second one epoch took, and the most memory the process had."""
    if mode == "evolve":
        began = perf_counter()
        rate = evolve_once(folder) / (perf_counter() - began)
        return {"rate": rate, "megabytes": most_memory()}
    task = decode((folder / "task").read_bytes(), Task, what="task")
    stream = ExampleStream(task, "train", shape=(*SIZE, 3), data_dir=str(folder), ahead=AHEAD)
    if mode == "decode":
        first = Slice(split="train", start=0, stop=min(DISTINCT, stream.num_examples))
        stored = open_source(task.source, data_dir=str(folder)).read([first])
        examples = decoding([bytes(one.input) for one in stored], stream.num_examples)
    else:
        examples = stream.shuffled(stream.num_examples, chunk=CHUNK, seed=0)
        examples = to_device(examples) if mode == "device" else examples
    began = perf_counter()
    assert sum(map(len, examples)) == stream.num_examples
    rate = stream.num_examples / (perf_counter() - began)
    return {"rate": rate, "megabytes": most_memory()}


def main() -> None:
    print(json.dumps(epoch(sys.argv[1], Path(sys.argv[2]))))


if __name__ == "__main__":
    main()
