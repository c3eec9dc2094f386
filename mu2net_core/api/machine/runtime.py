"""What every verb that computes shares: the compilation cache, the device, the task's examples on it."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Sequence
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

import jax
import numpy as np

from mu2net_core.api.context import Context
from mu2net_core.api.machine.brought import brought_options
from mu2net_core.api.machine.compile_cache import CompileCache, why_not_writable
from mu2net_core.api.machine.device_memory import device_bytes, used_bytes
from mu2net_core.api.machine.devices import find_devices
from mu2net_core.api.settings.settings import effective_machine
from mu2net_core.data import (
    Examples,
    ExampleStream,
    ReadAhead,
    Resident,
    absolute_uri,
    data_folder,
    is_catalogue,
    is_file,
    load_split,
    modality_of,
    open_split,
)
from mu2net_core.engine import Feed, Meter, Programs, TaskData, choose_layout, num_params
from mu2net_core.errors import DataError, InvalidInputError, NotFoundError
from mu2net_core.nn import InputSpec, Precision, family_named
from mu2net_core.objects import MachineConfig, Task
from mu2net_core.presets import Preset
from mu2net_core.repo import Repository
from mu2net_core.repo.core import DATA
from mu2net_core.version import __version__

__all__ = [
    "example_names",
    "prepare_jax",
    "programs_of",
    "provenance",
    "resident_bytes_of",
    "split_at",
    "stored_bytes",
    "task_data",
]

_RECORDED = ("jax", "flax", "optax", "numpy")
_TOLD: set[Path] = set()
_DECODED_BYTES = 2**26
"""Splits of images up to here are also kept as they were decoded: models of other sizes come to want them again."""
_AHEAD = ReadAhead(size_bytes=2**26)  # more than a chunk, so that the next one is read while one is trained on


def prepare_jax(context: Context) -> None:
    """Starts JAX's backend, with its persistent compilation cache, so that no program is compiled twice on one machine.

    Where the cache's folder cannot be written there is none, and the context is told so, once. What of it was not used
    for longest is deleted first, down to its bound.

    Raises:
        DeviceError: the backend cannot start here, or may not be used in this process.
    """
    find_devices()
    cache = CompileCache.of(context)
    problem = why_not_writable(cache.folder)
    if problem is None:
        cache.trim()
    elif cache.folder not in _TOLD:
        _TOLD.add(cache.folder)
        context.warn(f"programs are compiled anew each time: {problem} (MU2NET_CACHE_DIR says where they are kept)")
    jax.config.update("jax_compilation_cache_dir", None if problem else str(cache.folder))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
    jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)


def provenance(programs: Programs, machine: MachineConfig) -> dict[str, str]:
    """Returns the device kind (``device``), the versions of the libraries that compute, and what is unusual of how."""
    versions = {name: version(name) for name in _RECORDED}
    layout = programs.layout
    unusual: dict[str, str] = {}
    if programs.precision != "float32":
        unusual["precision"] = programs.precision
    if (layout.together, layout.batch_parts) != (1, 1):
        unusual["layout"] = (
            f"{len(layout.devices)} x {layout.batch_parts} devices, {layout.per_device} children on each"
        )
    if machine.resident_bytes:
        unusual["resident_bytes"] = str(machine.resident_bytes)
    return {"device": jax.devices()[0].device_kind, "mu2net": __version__, **versions, **unusual}


def split_at(
    repo: Repository,
    context: Context,
    task: Task,
    split: str,
    input_spec: InputSpec,
    *,
    resident_bytes: int | None = None,
) -> Feed:
    """Returns a task's split as a model takes it: in memory if it fits there, else read as it is needed.

    Args:
        repo: whose task.
        context: of this process.
        task: as stored.
        split: of the task.
        input_spec: what the model takes: images are resized to it.
        resident_bytes: the largest split that is held in memory; None for what the setting or the device says.
    """
    room = resident_bytes_of(repo, context) if resident_bytes is None else resident_bytes
    size_bytes = input_spec.size_bytes * task.splits[split].num_examples
    streams = size_bytes > room
    _check_input(repo, task, split, input_spec, input_spec.size_bytes if streams else size_bytes)
    folder, uri, brought = data_folder(None, context.environ), _here(repo, task), brought_options(repo, input_spec)
    if streams:
        return ExampleStream(
            task,
            split,
            shape=input_spec.shape,
            data_dir=folder,
            uri=uri,
            brought=brought,
            ahead=_AHEAD,
            limits=repo.limits,
        )
    examples = load_split(
        task, split, shape=input_spec.shape, data_dir=folder, uri=uri, brought=brought, limits=repo.limits
    )
    return Resident(examples)


def example_names(repo: Repository, context: Context, task: Task, split: str, numbers: Sequence[int]) -> list[str]:
    """Returns what the task's source calls some examples of a split, by their place in it."""
    source = open_split(
        task, split, data_dir=data_folder(None, context.environ), uri=_here(repo, task), limits=repo.limits
    )
    return [stored.name for stored in source.examples(task.splits[split].slices).take(numbers)]


def _check_input(repo: Repository, task: Task, split: str, input_spec: InputSpec, held_bytes: int) -> None:
    """Checks that a model takes what the task gives, and how much of a split would be held in memory at once.

    That is all of it, or one example if it streams.
    """
    if input_spec.kind != task.input.kind:
        raise DataError(
            f"The examples of {task.name} are of the kind {task.input.kind}; the model takes {input_spec}.",
            hint="Improve the task in a repository whose preset takes what it gives: mu2net init --preset NAME DIR",
        )
    if held_bytes > repo.limits.examples_bytes:
        raise DataError(
            f"The split {split} of {task.name} would take {held_bytes} bytes as {input_spec}, over the limit of "
            f"{repo.limits.examples_bytes}.",
            hint="If that is meant: mu2net config set limits.examples_bytes NUMBER",
        )


def task_data(repo: Repository, context: Context, task: Task, preset: Preset) -> TaskData:
    """Returns the examples of the active task, read when they are asked for."""
    room, modality = resident_bytes_of(repo, context), modality_of(task.input.kind)
    own_shape = modality.own_shape(task.input)

    def load(split: str, input_spec: InputSpec) -> Feed:
        count = task.splits[split].num_examples
        own = input_spec if own_shape is None else replace(input_spec, shape=own_shape)
        is_small = count * max(own.size_bytes, input_spec.size_bytes) <= min(_DECODED_BYTES, room)
        if own == input_spec or not is_small:
            return split_at(repo, context, task, split, input_spec, resident_bytes=room)
        _check_input(repo, task, split, input_spec, count * input_spec.size_bytes)
        (decoded,) = data.split(split, own).in_order(chunk=count)
        inputs = np.stack([modality.refitted(example, input_spec.shape) for example in decoded.inputs])
        return Resident(Examples(inputs=inputs, labels=decoded.labels))

    data = TaskData(
        load=load,
        num_examples={name: split.num_examples for name, split in task.splits.items()},
        output=task.output,
        validation_cap=preset.training.validation_cap,
        resident_bytes=room,
        kept_bytes=room // 4,
    )
    return data


def resident_bytes_of(repo: Repository, context: Context) -> int:
    """Returns up to which size a split is held in memory: the setting, or half of the device's memory."""
    return effective_machine(repo, context).resident_bytes or device_bytes(jax.local_devices()[0]) // 2


def programs_of(
    repo: Repository,
    context: Context,
    preset: Preset,
    on_compile: Callable[[str, float], None] = lambda *_: None,
    *,
    devices: Sequence[jax.Device],
) -> Programs:
    """Returns programs for children of ``preset`` on ``devices`` of this machine, none of them compiled yet."""
    machine, family = effective_machine(repo, context), family_named(preset.architecture.name)
    precision = machine.precision if machine.precision != "auto" else _precision_of(devices[0])
    grow = {family.vocabulary.depth, family.vocabulary.input}
    ends = {name: values[-1] for name, values in preset.space.values.items() if name in grow}
    specs = family.layers(preset.architecture.config, {**preset.space.defaults, **ends}, num_outputs=1)
    numbers = sum(num_params(family, spec) for spec in specs)
    batch = min(preset.training.batch_size, preset.training.samples_cap)
    child_bytes = 4 * ((2 + _remembered(preset)) * numbers + batch * len(specs) * family.activations(specs))
    layout = choose_layout(
        machine.strategy,
        child_bytes=child_bytes,
        device_bytes=min(map(device_bytes, devices)),
        most=preset.training.children,
        devices=devices,
    )
    meter = Meter(memory_bytes=lambda: used_bytes(devices[0]))
    return Programs(family=family, on_compile=on_compile, layout=layout, precision=precision, meter=meter)


def stored_bytes(preset: Preset, num_outputs: int) -> int:
    """Returns how much a model of the root's depth takes on the disk at most: all of it trained, optimizer included."""
    family = family_named(preset.architecture.name)
    specs = family.layers(preset.architecture.config, preset.space.defaults, num_outputs)
    return 4 * (1 + _remembered(preset)) * sum(num_params(family, spec) for spec in specs)


def _remembered(preset: Preset) -> int:
    """Returns how many numbers an optimizer keeps of each parameter, at most."""
    return 2 if "adamw" in preset.space.values.get("optimizer", ()) else 1


def _precision_of(device: jax.Device) -> Precision:
    """Returns bfloat16 on a TPU, and on a GPU of NVIDIA's Ampere generation (8.0) or newer."""
    version = re.fullmatch(r"(\d+)\.\d+", str(getattr(device, "compute_capability", "")))  # AMD's are names
    newer = version is not None and int(version[1]) >= 8
    return "bfloat16" if device.platform == "tpu" or newer else "float32"


def _here(repo: Repository, task: Task) -> str | None:
    """Returns where the task's data lies on this machine; None where the task says.

    A catalogue means the same everywhere. Where anything else lies is what somebody on this machine said, by adding
    the task here or by a setting, whether there are remotes now or not. Nothing that came along is read before.

    Raises:
        DataError: the task names no set of a catalogue, and nobody said where its data is here.
    """
    uri = repo.config.settings.get(f"{DATA}{task.name}")
    if isinstance(uri, str):
        try:
            return absolute_uri(uri, repo.worktree)
        except (InvalidInputError, NotFoundError) as exc:
            raise DataError(f"The setting {DATA}{task.name} names no data. {exc.message}", hint=exc.hint) from exc
    if is_catalogue(task.source):
        return None
    scheme, _, rest = task.source.partition(":")
    here = not is_file(task.source) or (rest == Path(rest).name and (repo.worktree / rest).exists())
    command = f"mu2net config set {DATA}{task.name}"
    raise DataError(
        f"The data of the task {task.name} is {task.source}, as whoever added it calls it. Where that lies on this "
        "machine is not known here, and nothing is read before you say so.",
        hint=f"{command} {shlex.quote(f'{scheme}:{repo.worktree / rest}') if here else f'{scheme}:PATH'}",
    )
