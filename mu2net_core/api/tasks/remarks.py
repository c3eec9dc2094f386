"""What is remarkable about a new task in the system it comes to: other tasks, the models' size, other names."""

from __future__ import annotations

from collections.abc import Iterator

from mu2net_core.api.context import Context
from mu2net_core.api.settings.serving import is_auto
from mu2net_core.api.settings.settings import effective_preset
from mu2net_core.data import Described, is_bare, place_of
from mu2net_core.errors import Mu2netError
from mu2net_core.nn import family_named
from mu2net_core.objects import Image, Task
from mu2net_core.presets import PRESETS, Preset
from mu2net_core.repo import Repository

__all__ = ["remarks"]

_SHRUNK = 2
"""How many times larger than anything the models see images are before somebody is told."""


def remarks(
    repo: Repository, context: Context, given: str, described: Described, *, sizes: bool = True
) -> Iterator[str]:
    """Yields what whoever adds a task should know of it in this system, one sentence each.

    Args:
        repo: where it is added.
        context: of this process.
        given: the data set as the user wrote it.
        described: what was found.
        sizes: whether somebody chose what models see; if the data did, there is nothing to remark.
    """
    yield from _names(context, given, described.task.source)
    yield from _same_data(repo, described.task)
    if sizes and isinstance(described.task.input, Image) and described.typical_size is not None:
        yield from _sizes(repo, context, described.task, described.typical_size)
    yield from _cut_off(repo, context, described)


def _names(context: Context, given: str, source: str) -> Iterator[str]:
    """Yields which of several data sets a catalogue name was taken for."""
    if not source.startswith("tfds:"):
        return
    name, full = (uri.removeprefix("tfds:").partition(":")[0] for uri in (given, source))
    if full != name:
        yield f"{name} has several configurations: this is {full} (to choose: mu2net add-task {name}/CONFIG)"
    place = place_of(given, context.cwd) if is_bare(given) else None
    if place is not None:
        yield f"this is {given} of the catalogue, not {place.what} of that name here. {place.hint or ''}".rstrip()


def _same_data(repo: Repository, task: Task) -> Iterator[str]:
    """Yields which tasks have the very same examples in the same splits."""
    for name, state in sorted(repo.refs.heads().items()):
        commit = repo.objects.commit(state.commit)
        other = None if commit.removed or name == task.name else repo.objects.task(commit.task_id)
        if other is not None and _fingerprints(other) == _fingerprints(task):
            yield f"the task {name} has the same examples in the same splits"


def _fingerprints(task: Task) -> dict[str, str]:
    return {name: split.fingerprint for name, split in task.splits.items()}


def _cut_off(repo: Repository, context: Context, described: Described) -> Iterator[str]:
    """Yields what of the examples no model of the task would read, as large as roots are."""
    try:
        preset = effective_preset(repo, context, task=described.task)
        taken = family_named(preset.architecture.name).input(preset.architecture.config, preset.space.defaults)
    except Mu2netError:
        return  # `evolve` says what is wrong with the settings
    if taken.kind != described.task.input.kind or preset.architecture.name == "bert":
        return  # nobody counted the tokens of the latter
    told = described.cut_off(taken.shape)
    if told is not None:
        yield told


def _sizes(repo: Repository, context: Context, task: Task, typical: tuple[int, ...]) -> Iterator[str]:
    """Yields by how much images are shrunk, if that is much more than the task's pictures can be meant for."""
    try:
        preset = effective_preset(repo, context, task=task)
    except Mu2netError:
        return  # `evolve` says what is wrong with the settings
    start, most = _seen(preset)
    if most is None or min(typical) < _SHRUNK * most:
        return
    seen = f"{start} x {start}" + (f", at most {most} x {most}" if most != start else "")
    ways = []
    if "image_size" in preset.space.values:
        sizes = [*preset.space.values["image_size"], 2 * most]
        ways.append(f"to let evolution try larger ones: mu2net config set space.image_size '{sizes}'")
    larger = sorted((size, name) for name, other in PRESETS.items() if (size := _seen(other)[1] or 0) > most)
    if larger:
        names = ", ".join(f"{name} up to {size}" for size, name in larger)
        verb = "add-task" if is_auto(repo) else "init"
        ways.append(f"presets that see more, for mu2net {verb} --preset: {names}")
    typically = f"a typical image has {typical[1]} x {typical[0]} pixels"
    yield "; ".join([f"{typically}, and models of the preset {preset.name} see {seen}", *ways])


def _seen(preset: Preset) -> tuple[int | None, int | None]:
    """Returns the side of the images that a root of ``preset`` sees, and the largest that evolution may choose."""
    start = preset.space.defaults.get("image_size", preset.architecture.config.get("image"))
    sizes = [start, *preset.space.values.get("image_size", ())]
    sides = [int(size) for size in sizes if isinstance(size, int)]
    return (int(start) if isinstance(start, int) else None), max(sides, default=None)
