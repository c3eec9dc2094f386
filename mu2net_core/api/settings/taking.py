"""Whether models of a preset take what a task gives."""

from __future__ import annotations

from mu2net_core.errors import InvalidInputError
from mu2net_core.objects import Input, Table, Task
from mu2net_core.presets import Preset

__all__ = ["check_takes"]


def check_takes(preset: Preset, task: Task) -> None:
    """Raises InvalidInputError unless models of a preset take what a task gives, and have room for it."""
    from mu2net_core.nn import family_named  # jax comes along

    taken = family_named(preset.architecture.name).input(preset.architecture.config, preset.space.defaults).kind
    if taken != task.input.kind:
        raise InvalidInputError(
            f"Models of the preset {preset.name} take input of the kind {taken}; {task.name} gives {task.input.kind}.",
            hint="Leave --preset out: a repository of the preset auto (mu2net init DIR) chooses one that fits.",
        )
    _check_room(preset, task.input)


def _check_room(preset: Preset, given: Input) -> None:
    """Checks that models of a preset for tables have room for all columns and values of one."""
    room = preset.architecture.config
    if not isinstance(given, Table) or not {"columns", "values"} <= room.keys():
        return
    found = {"columns": len(given.columns), "values": given.num_values}
    if any(count > int(room[name]) for name, count in found.items()):
        raise InvalidInputError(
            f"{preset.name} has room for {room['columns']} columns with {room['values']} values; the table has "
            f"{found['columns']} with {found['values']}.",
            hint="Leave some out: --leave-out COLUMN,COLUMN, or let auto choose",
        )
