"""``python tests/benchmarks/table_parts.py TABLE ROUNDS PRESET ...``: a table's presets without its test split.

The rows for training are cut into four parts, in each round others (scikit-learn's ``KFold(4, shuffle=True,
random_state=ROUND)``, from 1); each part is predicted by one iteration that learned from the others, and by the floor.
Presets of tables are chosen by this.

TABLE is a name of ``quality_tables``, or ``TABLE:COLUMN``: a column of numbers to learn in place of its target, from
1,350 rows at most, drawn with seed 0. Then the floor is ridge regression on columns in units of their deviations, with
a penalty that scikit-learn's ``RidgeCV`` chooses.
"""

from __future__ import annotations

import os
import random
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from measure import apart, spread
from quality_ours import improved
from quality_tables import SUBJECTS, Rows, column_of, floor, options_of, split_of, written

import mu2net_core as m

MOST_ROWS = 1_350
PARTS = 4


def main(asked: str, rounds: int, presets: Sequence[str]) -> None:
    name, _, column = asked.partition(":")
    (table,) = (one for one in SUBJECTS if one.name == name)
    data = Path(os.environ.get("MU2NET_TEST_DATA", "../shared/data")).resolve() / "tabular"
    header, *rows = table.read(data)
    rows = [row for row, said in zip(rows, split_of(len(rows)), strict=True) if said == "train"]
    target = column or table.target
    options = options_of(target)
    if column:
        options = replace(options, output="number")
        rows = [row for row in rows if row[header.index(column)] not in {"", "?", "NA"}]
        rows = random.Random(0).sample(rows, min(MOST_ROWS, len(rows)))
    splits = [split for number in range(rounds) for split in parts(len(rows), number + 1)]
    floors = [
        ("ridge regression", ridge(header, rows, split, target)) if column else floor(header, rows, split, target)[:2]
        for split in splits
    ]
    print(f"{floors[0][0]}: {spread([found for _, found in floors])}", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        for preset in presets:
            found = [
                apart(quality, Path(folder) / f"{preset}-{number}", options, [header, *rows], split, preset, number)
                for number, split in enumerate(splits)
            ]
            print(f"{preset}: {spread(found)}, each {', '.join(f'{one:.3f}' for one in found)}", flush=True)
            gaps = [one - reached for one, (_, reached) in zip(found, floors, strict=True)]
            print(f"more than the floor: {spread(gaps)}", flush=True)


def parts(count: int, seed: int) -> list[list[str]]:
    """Returns the split of each row, once for each part that is predicted."""
    from sklearn.model_selection import KFold

    found = []
    for _, tested in KFold(PARTS, shuffle=True, random_state=seed).split(range(count)):
        held = set(tested.tolist())
        found.append(["test" if row in held else "train" for row in range(count)])
    return found


def ridge(header: Sequence[str], rows: Rows, split: Sequence[str], target: str) -> float:
    """Returns R² of ridge regression on the rows of the test: empty cells have the mean, values a column each."""
    from sklearn.linear_model import RidgeCV
    from sklearn.preprocessing import StandardScaler

    at = header.index(target)
    y = np.array([float(row[at]) for row in rows])
    columns = list[np.ndarray]()
    for place in (place for place in range(len(header)) if place != at):
        numbers, is_named = column_of([row[place] for row in rows])
        if is_named:
            columns.extend(numbers == value for value in np.unique(numbers[~np.isnan(numbers)]))
        else:
            columns.append(np.where(np.isnan(numbers), np.nanmean(numbers), numbers))
    x, train = np.column_stack(columns).astype(float), np.array(split) == "train"
    scale = StandardScaler().fit(x[train])
    machine = RidgeCV(np.logspace(-2, 4, 13)).fit(scale.transform(x[train]), y[train])
    return float(machine.score(scale.transform(x[~train]), y[~train]))


def quality(folder: Path, options: m.TaskOptions, rows: Rows, split: Sequence[str], preset: str, seed: int) -> float:
    """Returns what an iteration with a preset came to on the part that it did not see."""
    source = written(rows, split, folder.with_suffix(".csv"))
    repo = m.init(folder, preset=preset)
    repo.add_task(str(source), options)
    return float(improved(repo, {}, seed).result["test"])


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), sys.argv[3:])
