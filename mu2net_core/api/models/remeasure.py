"""A model's quality, measured again in float32, whatever measured it first; as a program, in a process of its own.

``python -m mu2net_core.api.models.remeasure FOLDER MODEL EXAMPLES`` prints what it found as a line of JSON, and ends as
soon as whoever started it is gone.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from threading import Thread

from mu2net_core.api.context import Context
from mu2net_core.api.machine.runtime import split_at
from mu2net_core.api.models.loading import load_model
from mu2net_core.engine import measure
from mu2net_core.errors import Mu2netError
from mu2net_core.repo import Repository, open_repository

__all__ = ["main", "remeasured"]


def remeasured(repo: Repository, context: Context, model_id: str, num_examples: int) -> float:
    """Returns a model's quality on the first so many validation examples.

    Raises:
        Mu2netError: the data, the components or a device are not to be had here.
    """
    used = load_model(repo, context, model_id, "measure", None, precision="float32")
    feed = split_at(repo, context, used.stored.task, "validation", used.loaded.input_spec)
    return measure(used.loaded, used.objective, feed, limit=num_examples).quality


def main(folder: str, model_id: str, num_examples: str) -> None:
    """Prints the quality of a model of the repository in ``folder``, or why it cannot be measured."""
    Thread(target=_end_with_stdin, daemon=True).start()
    try:
        repo = open_repository(Path(folder))
        found: dict[str, float | str] = {
            "quality": remeasured(repo, Context.default(), model_id, int(num_examples)),
        }
    except Mu2netError as exc:
        found = {"error": exc.message}
    sys.stdout.write(json.dumps(found) + "\n")


def _end_with_stdin() -> None:
    """Ends this process once whoever started it is gone, and with that the other end of stdin."""
    while os.read(0, 4096):
        pass
    os._exit(1)


if __name__ == "__main__":
    main(*sys.argv[1:])
