"""What one agent of a pool is to do: a file that whoever starts its process writes, and the process reads."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from mu2net_core.api.iterations.options import EvolveOptions
from mu2net_core.api.pool.home import Home
from mu2net_core.errors import NotFoundError
from mu2net_core.objects import decode, encode
from mu2net_core.storage import make_folder, read_if_there, replace_file

__all__ = ["Job", "read_job", "write_job"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What an agent is to do.

    Attributes:
        tasks: that it shares with others; None for all there are, and those to come.
        options: its slot included.
        home: of its working copy, where that is not the pool's.
    """

    tasks: tuple[str, ...] | None
    options: EvolveOptions
    home: Home | None = None


def write_job(folder: Path, job: Job) -> Path:
    """Writes a job to the place of its agent in a folder, and returns where that is."""
    file = folder / f"{job.options.slot if job.home is None else job.home.name}.json"
    make_folder(folder, sync=False)
    replace_file(file, encode(job))
    return file


def read_job(file: Path) -> Job:
    """Returns the job in a file.

    Raises:
        NotFoundError: there is none.
        CorruptObjectError: it is none.
    """
    data = read_if_there(file)
    if data is None:
        raise NotFoundError(f"There is no job of an agent in {file}.")
    return decode(data, Job, what=str(file))
