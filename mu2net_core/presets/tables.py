"""The presets for tables: each has room for more columns; their blocks are as large as those of ConvNets.

There are two for each room. Models usually begin with two blocks, in which columns meet. Those that learn a number from
few rows have none: they add up one curve for each column (a generalized additive model; Agarwal et al., 2021), as few
rows teach blocks mostly what is chance, and validate them so, too.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from mu2net_core.objects import Architecture, Hyperparameter
from mu2net_core.presets.preset import Preset, short_cycles
from mu2net_core.search import SearchSpace

__all__ = ["CURVES_PRESETS", "TABLE_PRESETS", "VALUES_A_COLUMN", "table_presets"]

VALUES_A_COLUMN = 16
"""That are told apart, on average, there is room for."""

_STEPS = {8: 150, 16: 150, 32: 100, 64: 60, 128: 40, 256: 30}
"""By the columns that a preset has room for: the steps of a training cycle."""

TABLE_PRESETS: Mapping[int, str] = {columns: f"table-{columns}" for columns in _STEPS}
"""What the usual ones are called, by the columns that they have room for, ascending."""

CURVES_PRESETS: Mapping[int, str] = {columns: f"curves-{columns}" for columns in _STEPS}
"""What those for a number and few rows are called; likewise."""

_BATCH, _CURVES_STEPS = 64, 600
_VALUES: Mapping[str, tuple[Hyperparameter, ...]] = {
    "learning_rate": (2e-4, 5e-4, 1e-3, 2e-3),
    "label_smoothing": (0.0, 0.05),
    "cell_dropout": (0.0, 0.05, 0.1, 0.2),
    "adapter_dim": (8, 16, 32, 64, 128),
    "num_layers": (1, 2, 3),
}
_DEFAULTS: Mapping[str, Hyperparameter] = {
    "learning_rate": 5e-4,
    "label_smoothing": 0.0,
    "cell_dropout": 0.1,
    "adapter_dim": 32,
    "num_layers": 2,
}
_CURVES_VALUES: Mapping[str, tuple[Hyperparameter, ...]] = {
    "weight_decay": (0.5, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0),
    "cell_dropout": (0.0, 0.05, 0.1),
    "num_layers": (0,),
}
_CURVES: Mapping[str, Hyperparameter] = {
    "learning_rate": 1e-3,
    "weight_decay": 5.0,
    "cell_dropout": 0.0,
    "num_layers": 0,
}
"""What a number is learned with from few rows, whose curves should not bend without need: a hundred times the usual
decay, which moves by small steps, and one validation of what has come to its end, as the best of several on few rows is
the luckiest; chosen on parts of training splits (docs/experiments.md)."""


def table_presets(
    values: Mapping[str, tuple[Hyperparameter, ...]], defaults: Mapping[str, Hyperparameter]
) -> Iterator[Preset]:
    """Yields the presets, from small tables to large ones, the usual one first.

    Args:
        values: of all hyperparameters of training, where they may move.
        defaults: of the same.
    """
    space = SearchSpace(
        values={**values, **_VALUES},
        defaults={**defaults, **_DEFAULTS},
        structural=("adapter", "block"),
        crossing=True,
    )
    curves = SearchSpace(values={**space.values, **_CURVES_VALUES}, defaults={**space.defaults, **_CURVES})
    brief = short_cycles(_CURVES_STEPS, batch_size=_BATCH, validations=1, refit_from=1)
    for columns, steps in _STEPS.items():
        sizes = {"columns": columns, "values": VALUES_A_COLUMN * columns, "width": 128, "heads": 4, "mlp": 384}
        usual = Preset(
            name=TABLE_PRESETS[columns],
            summary=f"A transformer of tables of up to {columns} columns.",
            architecture=Architecture(name="table", config=sizes),
            space=space,
            training=short_cycles(steps, batch_size=_BATCH),
        )
        summary = f"A sum of curves, one for each of up to {columns} columns."
        yield usual
        yield Preset(
            name=CURVES_PRESETS[columns],
            summary=summary,
            architecture=Architecture(name="curves", config=sizes),
            space=curves,
            training=brief,
        )
