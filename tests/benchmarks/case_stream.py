"""One shuffled epoch of a data set that is read as it is needed: memory as it grows, and speed against decoding alone.

"evolve" is the whole verb: a child of ViT-Ti/16 without blocks sees every image once, scored and tested on 10 of them.

The data set is generated: 32 × 32 colour PNGs with their labels, in ArrayRecord files as TensorFlow Datasets prepares
them. The floor decodes encoded images that lie in memory, in as many threads. Each run is a process of its own.
"""

from __future__ import annotations

import io
import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import numpy as np
from case_startup import environment
from measure import Options, Row, apart, times
from PIL import Image
from worker_stream import context_of, epoch

from mu2net_core.api.setup.init import init
from mu2net_core.api.setup.open import open_repo
from mu2net_core.api.tasks.add_task import add_task
from mu2net_core.api.tasks.options import TaskOptions
from mu2net_core.data import describe_task
from mu2net_core.objects import encode

SIZES, SMALL_SIZES = (20_000, 200_000), (300, 300)
DISTINCT, SHARDS, CLASSES = 256, 4, 10
MODES = {"stream": "stream", "device": "stream to the device", "evolve": "evolve, one child of one cycle"}
WORKER = Path(__file__).with_name("worker_stream.py")


@dataclass(frozen=True, slots=True)
class Run:
    """Images per second, and the most memory the process had, in MB."""

    rate: float
    megabytes: float


def measure(options: Options) -> list[Row]:
    small, large = sizes = SMALL_SIZES if options.small else SIZES
    images = make_images()
    for size in set(sizes):
        make_data_set(options.folder / str(size), size, images)
    runs: dict[tuple[str, int], list[Run]] = {}
    for _ in range(options.pairs):
        for key in [("decode", large), *((mode, size) for mode in MODES for size in sorted(set(sizes)))]:
            runs.setdefault(key, []).append(run(options.folder, *key, inline=options.small and key[0] != "decode"))
    rows = [_memory_row(what, runs[mode, small], runs[mode, large], small, large) for mode, what in MODES.items()]
    return rows + [_rate_row(what, runs["decode", large], runs[mode, large], large) for mode, what in MODES.items()]


def make_images() -> list[bytes]:
    """Returns encoded images, none like the other."""
    rng = np.random.default_rng(0)
    images = []
    for _ in range(DISTINCT):
        buffer = io.BytesIO()
        Image.fromarray(rng.integers(0, 256, (8, 8, 3), np.uint8)).resize((32, 32)).save(buffer, format="PNG")
        images.append(buffer.getvalue())
    return images


def make_data_set(data_dir: Path, size: int, images: Sequence[bytes]) -> None:
    """Writes what preparing ``generated`` would have written, and its task beside it."""
    from array_record.python.array_record_module import ArrayRecordWriter

    folder = data_dir / "generated" / "1.0.0"
    folder.mkdir(parents=True)
    records = _records(images)
    lengths = [len(range(shard, size, SHARDS)) for shard in range(SHARDS)]
    for shard, length in enumerate(lengths):
        name = f"generated-train.array_record-{shard:05d}-of-{SHARDS:05d}"
        writer = ArrayRecordWriter(str(folder / name), "group_size:1")
        for index in range(length):
            writer.write(records[(index * SHARDS + shard) % len(records)])
        writer.close()
    (folder / "features.json").write_text(json.dumps(_features()))
    (folder / "dataset_info.json").write_text(json.dumps(_info(lengths, sum(map(len, images)) // DISTINCT * size)))
    task = describe_task("generated", validation="train[:10]", test="train[:10]", train="train", data_dir=str(data_dir))
    (data_dir / "task").write_bytes(encode(task.task))
    context = context_of(data_dir)
    init(Path("repo"), context, preset="vit-ti0")
    options = TaskOptions(validation="train[:10]", test="train[:10]", train="train")
    add_task(open_repo(data_dir / "repo", context), context, "generated", options)


def _records(images: Sequence[bytes]) -> list[bytes]:
    from tensorflow_datasets.proto import tf_example_pb2

    records = []
    for number, image in enumerate(images):
        example = tf_example_pb2.Example()
        example.features.feature["image"].bytes_list.value.append(image)
        example.features.feature["label"].int64_list.value.append(number % CLASSES)
        records.append(example.SerializeToString())
    return records


def _features() -> dict[str, object]:
    room = "tensorflow_datasets.core.features."
    shape = {"dtype": "uint8", "shape": {"dimensions": ["32", "32", "3"]}}
    image = {"pythonClassName": room + "image_feature.Image", "image": shape}
    label = {"pythonClassName": room + "class_label_feature.ClassLabel", "classLabel": {"numClasses": str(CLASSES)}}
    return {
        "pythonClassName": room + "features_dict.FeaturesDict",
        "featuresDict": {"features": {"image": image, "label": label}},
    }


def _info(lengths: Sequence[int], num_bytes: int) -> dict[str, object]:
    template = "{DATASET}-{SPLIT}.{FILEFORMAT}-{SHARD_X_OF_Y}"
    split = {"filepathTemplate": template, "name": "train", "numBytes": str(num_bytes)}
    split |= {"shardLengths": [str(length) for length in lengths]}
    return {"fileFormat": "array_record", "name": "generated", "version": "1.0.0", "splits": [split]}


def run(folder: Path, mode: str, size: int, *, inline: bool) -> Run:
    """Returns how fast an epoch was and what memory it took; ``inline`` reads it in this process."""
    if inline:
        return Run(**apart(epoch, mode, folder / str(size), inline=True))
    command = [sys.executable, str(WORKER), mode, str(folder / str(size))]
    result = subprocess.run(command, env=environment(folder), stdout=subprocess.PIPE, text=True, check=True)
    return Run(**json.loads(result.stdout))


def _memory_row(what: str, small: Sequence[Run], large: Sequence[Run], num_small: int, num_large: int) -> Row:
    before, after = (median(run.megabytes for run in runs) for runs in (small, large))
    return Row(
        case=f"{what}, {num_large:,} images, peak memory",
        floor=f"{num_small:,} images: {before:.0f} MB",
        ours=f"{after:.0f} MB",
        ratio=times(after / before),
        bar="≤ 1.1×",
    )


def _rate_row(what: str, floor: Sequence[Run], ours: Sequence[Run], size: int) -> Row:
    ratio = median(a.rate / b.rate for a, b in zip(floor, ours, strict=True))
    return Row(
        case=f"{what}, {size:,} images, time",
        floor=f"decoding alone: {median(run.rate for run in floor):,.0f} images/s",
        ours=f"{median(run.rate for run in ours):,.0f} images/s",
        ratio=times(ratio),
        bar="-",
    )
