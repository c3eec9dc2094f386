"""Large files of rows: describing one to its end, and reading it in the order of training, in how much memory.

The rows are generated: a number of their own, nine numbers, a text of sixteen words in quotes and one of five labels.
The floor of time is a loop over ``csv.reader``, or over the row groups of pyarrow. What grows with a file (where rows
begin, targets, splits) should be little for each row. Each run is a process of its own.
"""

from __future__ import annotations

import csv
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
from measure import Options, Row, apart, megabytes, seconds, spent, times

CSV_ROWS, PARQUET_ROWS, SMALL_ROWS = 9_200_000, 500_000, 400
DISTINCT, CHUNK, READ = 10_000, 1024, 100_000
COLUMNS = ("number", *(f"x{place}" for place in range(9)), "note", "label")
_BYTES_A_ROW, _MANY = 100, 5_000_000  # of fewer rows most of it are libraries
LABELS = ("red", "green", "blue", "grey", "white")


@dataclass(frozen=True, slots=True, kw_only=True)
class Described:
    """What describing a file took.

    Attributes:
        cpu_s: of describing it.
        read_s: of processor time, of reading examples in the order of training.
        before_mb: what the process had before.
        peak_mb: the most it had at any time.
        rows: in all splits.
    """

    cpu_s: float
    read_s: float
    before_mb: float
    peak_mb: float
    rows: int


def measure(options: Options) -> list[Row]:
    found = list[Row]()
    for kind, write, floor, count in (
        ("csv", write_csv, read_csv, CSV_ROWS),
        ("parquet", write_parquet, read_parquet, PARQUET_ROWS),
    ):
        path = options.folder / f"rows.{kind}"
        write(path, SMALL_ROWS if options.small else count)
        base = apart(floor, path, inline=options.small)
        ours = apart(described, f"{kind}:{path}", inline=options.small)
        found += _rows(f"{kind}, {path.stat().st_size / 1e9:.2f} GB, {ours.rows:,} rows", base, ours)
        path.unlink()
    return found


def _rows(what: str, base: float, ours: Described) -> Iterator[Row]:
    each = (ours.peak_mb - ours.before_mb) * 1e6 / ours.rows
    yield Row(
        case=f"{what}: memory",
        floor=f"libraries: {megabytes(ours.before_mb)}",
        ours=f"{megabytes(ours.peak_mb)} at most",
        ratio=f"{each:,.0f} bytes a row",
        bar=f"{_BYTES_A_ROW} bytes a row" if ours.rows > _MANY else "-",
    )
    yield Row(
        case=f"{what}: described",
        floor=f"a loop over its rows: {seconds(base)} of processor time",
        ours=seconds(ours.cpu_s),
        ratio=times(ours.cpu_s / base),
        bar="-",
    )
    yield Row(
        case=f"{what}: checked again, and up to {READ:,} rows in the order of training",
        floor="-",
        ours=seconds(ours.read_s),
        ratio="-",
        bar="-",
    )


def lines(count: int) -> Iterator[list[str]]:
    """Yields ``count`` rows, no two of them alike."""
    rng = np.random.default_rng(0)
    numbers = rng.normal(size=(DISTINCT, 9)).round(4).astype(str)
    words = np.array([f"word{number}" for number in range(2_000)])[rng.integers(0, 2_000, (DISTINCT, 16))]
    rows = [[*values, " ".join(text)] for values, text in zip(numbers.tolist(), words.tolist(), strict=True)]
    for number in range(count):
        yield [str(number), *rows[number % DISTINCT], LABELS[number % 7 % len(LABELS)]]


def write_csv(path: Path, count: int) -> None:
    """Writes rows, texts in quotes."""
    with path.open("w", encoding="utf-8", newline="") as file:
        file.write(",".join(COLUMNS) + "\n")
        file.writelines(f'{",".join(row[:10])},"{row[10]}",{row[11]}\n' for row in lines(count))


def write_parquet(path: Path, count: int) -> None:
    """Writes rows, numbers as such."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns = list(zip(*lines(count), strict=True))
    numbers = {name: np.array(column, np.float64) for name, column in zip(COLUMNS[:10], columns, strict=False)}
    texts = {name: list(column) for name, column in zip(COLUMNS[10:], columns[10:], strict=True)}
    pq.write_table(pa.table({**numbers, **texts}), path, row_group_size=50_000)


def read_csv(path: Path) -> float:
    """Returns the processor time of a loop over the rows of a file."""
    with path.open(encoding="utf-8", newline="") as file:
        return _cpu_s(lambda: sum(1 for _ in csv.reader(file)))


def read_parquet(path: Path) -> float:
    """Returns the processor time of a loop over the rows of a file."""
    import pyarrow.parquet as pq

    return _cpu_s(lambda: sum(len(batch.to_pylist()) for batch in pq.ParquetFile(path).iter_batches()))


def _cpu_s(work: Callable[[], object]) -> float:
    began = time.process_time()
    work()
    return time.process_time() - began


def described(uri: str) -> Described:
    """Returns what describing a file took, and reading some of its examples in the order of training."""
    from mu2net_core.data import ExampleStream, ReadAhead, describe_task

    before = spent(lambda: None).peak_mb
    describing = spent(lambda: describe_task(uri, options={"target": "label"}).task)
    task = describing.result
    stream = ExampleStream(task, "train", shape=(len(COLUMNS) - 1, 4), data_dir="", ahead=ReadAhead())

    def read() -> int:
        chunks = stream.shuffled(min(READ, stream.num_examples), chunk=CHUNK, seed=0)
        return sum(map(len, islice(chunks, READ // CHUNK)))

    reading = spent(read)
    return Described(
        cpu_s=describing.cpu_s,
        read_s=reading.cpu_s,
        before_mb=before,
        peak_mb=max(describing.peak_mb, reading.peak_mb),
        rows=sum(split.num_examples for split in task.splits.values()),
    )
