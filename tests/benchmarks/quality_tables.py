"""What a user gets of tables from one iteration with defaults, against boosted trees or ridge regression.

20 % of the rows test, drawn with seed 0, the same for all; they are looked at once, at the end, and each round has
another seed. Where a number is learned the row says between which limits the difference lies in 95 % of 2,000 draws of
as many test rows, with replacement (the mean of all seeds); where there are so few that this tells little, a second row
says what other draws of the test rows come to, each with another seed. ``MU2NET_QUALITY`` chooses tasks by name.
"""

from __future__ import annotations

import csv
import gzip
import os
import statistics
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from measure import Options, Row, Spent, apart, spread
from quality_ours import improved

import mu2net_core as m

SMALL = {"generations": 1, "children": 1, "validations": 1}
SPLIT = "split"
Rows = Sequence[Sequence[str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A data set.

    Attributes:
        name: of the task.
        target: the column that is learned.
        read: returns its rows, names first, from the folder of test data.
        bar: by how much it may be worse than the floor.
        redrawn: how many other draws of the test rows are measured, too.
    """

    name: str
    target: str
    read: Callable[[Path], Rows]
    bar: float = 0.015
    redrawn: int = 0


def _file(name: str, separator: str = ",", without: str = "") -> Callable[[Path], Rows]:
    def read(folder: Path) -> Rows:
        opened = gzip.open if name.endswith(".gz") else open
        with opened(folder / name, "rt", encoding="utf-8") as file:  # type: ignore[operator]
            rows = [[cell.strip() for cell in row] for row in csv.reader(file, delimiter=separator)]
        kept = [place for place, column in enumerate(rows[0]) if column != without]
        return [[row[place] for place in kept] for row in rows]

    return read


def _shipped(name: str) -> Callable[[Path], Rows]:
    def read(_folder: Path) -> Rows:
        from sklearn import datasets

        found: Any = getattr(datasets, f"load_{name}")()
        names = getattr(found, "target_names", None)
        said = [str(float(y)) if names is None else str(names[y]) for y in found.target]
        rows = ([*map(repr, map(float, x)), y] for x, y in zip(found.data, said, strict=True))
        return [[*found.feature_names, "outcome"], *rows]

    return read


SUBJECTS = (
    Table(name="adult", target="income", read=_file("income_evaluation.csv.gz")),
    Table(name="bank", target="y", read=_file("bank-additional.csv", ";", without="duration")),
    Table(name="penguins", target="species", read=_file("penguins.csv")),
    Table(name="breast_cancer", target="outcome", read=_shipped("breast_cancer")),
    Table(name="wine", target="outcome", read=_shipped("wine")),
    Table(name="diabetes", target="outcome", read=_shipped("diabetes"), bar=0.0, redrawn=60),
)
SMALLEST = ("wine", "diabetes")


def measure(options: Options) -> list[Row]:
    data = Path(os.environ.get("MU2NET_TEST_DATA", "../shared/data")).resolve() / "tabular"
    names = os.environ.get("MU2NET_QUALITY", "").split()
    known = [one for one in SUBJECTS if data.is_dir() or one.read.__qualname__.startswith("_shipped")]
    chosen = [one for one in known if (one.name in names if names else not options.small or one.name in SMALLEST)]
    rows = [_row(subject, data, options) for subject in chosen]
    return [*rows, *(_redrawn(subject, data, options) for subject in chosen if subject.redrawn)]


def _row(subject: Table, data: Path, options: Options) -> Row:
    header, *rows = subject.read(data)
    split = split_of(len(rows))
    source = written([header, *rows], split, options.folder / f"{subject.name}.csv")
    mine = list[Spent]()
    for seed in range(options.pairs):
        folder = options.folder / f"{subject.name}-{seed}"
        mine.append(
            apart(ours, folder, source, subject.target, SMALL if options.small else {}, seed, inline=options.small)
        )
    what, floored, guessed = floor(header, rows, split, subject.target)
    found = [one.result["test"] for one in mine]
    compiling_s = statistics.mean(one.result["compiling_s"] for one in mine)
    points = f"{100 * (statistics.mean(found) - floored):+.1f} points"
    if guessed is not None:
        tested, place = np.array(split) == "test", header.index(subject.target)
        truth = np.array([float(row[place]) for row in rows])[tested]
        least, most = limits(truth, [np.array(one.result["said"])[tested] for one in mine], np.array(guessed))
        points += f" ({100 * least:+.1f} to {100 * most:+.1f})"
    return Row(
        case=f"test {mine[0].result['metric']}, {subject.name}, {len(mine)} seeds",
        floor=f"{what} {floored:.3f}",
        ours=f"{spread(found)} in {statistics.mean(one.cpu_s for one in mine):.0f} s, {compiling_s:.0f} s compilations",
        ratio=points,
        bar=f"floor - {100 * subject.bar:.1f} points",
    )


def _redrawn(subject: Table, data: Path, options: Options) -> Row:
    header, *rows = subject.read(data)
    found, floors = list[float](), list[float]()
    for seed in range(1, 2 if options.small else 1 + subject.redrawn):
        split = split_of(len(rows), seed)
        name = f"{subject.name}-redrawn-{seed}"
        source = written([header, *rows], split, options.folder / f"{name}.csv")
        sizes = SMALL if options.small else {}
        mine = apart(ours, options.folder / name, source, subject.target, sizes, seed, inline=options.small)
        found.append(mine.result["test"])
        floors.append(floor(header, rows, split, subject.target)[1])
    gaps = [one - reached for one, reached in zip(found, floors, strict=True)]
    print(f"{subject.name}, each draw:", *(f"{gap:+.3f}" for gap in gaps), file=sys.stderr)
    ahead = sum(gap >= 0 for gap in gaps)
    return Row(
        case=f"test {mine.result['metric']}, {subject.name}, {len(gaps)} other draws of the test rows",
        floor=spread(floors),
        ours=f"{spread(found)}, not behind in {ahead} of {len(gaps)}",
        ratio=spread(gaps),
        bar=f"floor - {100 * subject.bar:.1f} points",
    )


def prepared(subject: Table, data: Path, folder: Path) -> Path:
    """Returns a CSV file of a data set, with a column that says which rows are for the test."""
    rows = subject.read(data)
    return written(rows, split_of(len(rows) - 1), folder / f"{subject.name}.csv")


def written(rows: Rows, split: Sequence[str], path: Path) -> Path:
    """Writes rows, names first, to a CSV file with a column that says the split of each; returns its path."""
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([*row, said] for row, said in zip(rows, [SPLIT, *split], strict=True))
    return path


def split_of(count: int, seed: int = 0) -> list[str]:
    """Returns the split of each row: a fifth is for the test, drawn with ``seed``."""
    from sklearn.model_selection import train_test_split

    _, test = train_test_split(np.arange(count), test_size=0.2, random_state=seed)
    tested = set(test.tolist())
    return ["test" if row in tested else "train" for row in range(count)]


def ours(folder: Path, source: Path, target: str, sizes: dict[str, int], seed: int) -> Spent:
    """Returns what one iteration of a new repository spent; quality on the test split, the time of compilations, and of
    numbers what it says of every row.
    """
    repo = m.init(folder)
    repo.add_task(str(source), options_of(target))
    measured = improved(repo, sizes, seed)
    said = [one.value for one in repo.predict("task", source)] if measured.result["metric"] == "r2" else None
    return replace(measured, result={**measured.result, "said": said})


def limits(truth: np.ndarray, ours_: Sequence[np.ndarray], guessed: np.ndarray) -> tuple[float, float]:
    """Returns between what R² of ours is above that of ``guessed`` in 95 % of draws of the rows, with replacement."""
    from sklearn.metrics import r2_score

    draws = np.random.default_rng(0).integers(0, len(truth), (2_000, len(truth)))

    def above(rows: np.ndarray) -> float:
        mean = statistics.mean(r2_score(truth[rows], said[rows]) for said in ours_)
        return float(mean - r2_score(truth[rows], guessed[rows]))

    least, most = np.percentile([above(rows) for rows in draws], [2.5, 97.5])
    return float(least), float(most)


def options_of(target: str) -> m.TaskOptions:
    """Returns how such a file is added; what is learned is found."""
    return m.TaskOptions(name="task", target=target, split_by=SPLIT)


def floor(
    header: Sequence[str], rows: Rows, split: Sequence[str], target: str
) -> tuple[str, float, Sequence[float] | None]:
    """Returns what the floor is; on the test split its accuracy, or R² of numbers, and the numbers that it guessed."""
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.linear_model import Ridge
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1):  # more threads than free cores wait for each other
        return _floored(header, rows, split, target, HistGradientBoostingClassifier, Ridge)


def _floored(
    header: Sequence[str], rows: Rows, split: Sequence[str], target: str, trees: Any, ridge: Any
) -> tuple[str, float, Sequence[float] | None]:
    place = header.index(target)
    columns = [column_of([row[at] for row in rows]) for at in range(len(header)) if at != place]
    x, y = np.column_stack([numbers for numbers, _ in columns]), np.array([row[place] for row in rows])
    train, test = (np.array(split) == name for name in ("train", "test"))
    if target == "outcome" and len(set(y)) > 20:
        machine = ridge(alpha=0.1)
        machine.fit(x[train], y[train].astype(float))
        quality = float(machine.score(x[test], y[test].astype(float)))
        return "ridge regression", quality, machine.predict(x[test]).tolist()
    machine = trees(categorical_features=[named for _, named in columns], random_state=0)
    machine.fit(x[train], y[train])
    return "boosted trees", float(machine.score(x[test], y[test])), None


def column_of(cells: Sequence[str]) -> tuple[np.ndarray, bool]:
    """Returns the numbers of a column, or those of its values, and whether it is the latter."""
    known = [cell for cell in cells if cell not in {"", "?", "NA"}]
    try:
        list(map(float, known))
    except ValueError:
        values = {value: number for number, value in enumerate(sorted(set(known)))}
        return np.array([values.get(cell, np.nan) for cell in cells], float), True
    return np.array([float(cell) if cell not in {"", "?", "NA"} else np.nan for cell in cells]), False
