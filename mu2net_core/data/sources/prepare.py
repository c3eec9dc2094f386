"""Preparing a catalogue data set: download, generate, store as ArrayRecord. Needs TensorFlow; reading does not."""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import logging
import sys
import warnings
from pathlib import Path
from typing import Any

from mu2net_core.errors import DataError

__all__ = ["import_tfds", "prepare"]


def import_tfds() -> Any:
    """Returns the module ``tensorflow_datasets``, imported without its warnings about optional packages.

    Raises:
        DataError: it does not start here: what it imports is missing, which it logs and goes on without its parts.
    """
    absl = logging.getLogger("absl")
    level = absl.level
    absl.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tfds = importlib.import_module("tensorflow_datasets")
    except ImportError as exc:
        raise _does_not_start(f": {exc}") from exc
    finally:
        absl.setLevel(level)
    if not hasattr(tfds, "builder_from_directory"):
        raise _does_not_start("")
    return tfds


def _does_not_start(why: str) -> DataError:
    return DataError(
        f"The package tensorflow-datasets does not start here{why}.",
        hint="python -c 'import tensorflow_datasets' says why; pip install --force-reinstall tensorflow-datasets",
    )


def prepare(name: str, data_dir: Path) -> None:
    """Downloads and prepares the data set ``name`` below ``data_dir``, telling its progress on stderr.

    Raises:
        DataError: TensorFlow is missing, or the preparation failed.
    """
    if importlib.util.find_spec("tensorflow") is None:
        raise DataError(
            f"The data set {name} is not prepared in {data_dir}, and preparing it needs TensorFlow.",
            hint="Run: pip install 'mu2net[prepare]'. "
            "Or point --data-dir, MU2NET_DATA_DIR or TFDS_DATA_DIR to where it is prepared.",
        )
    tfds = import_tfds()
    try:
        with contextlib.redirect_stdout(sys.stderr):
            builder = tfds.builder(name, data_dir=str(data_dir), file_format="array_record")
            builder.download_and_prepare()
    except Exception as exc:
        # Whatever a data set's own code, a mirror or a full disk raises: there is no common base.
        raise DataError(f"Preparing {name} in {data_dir} failed: {type(exc).__name__}: {exc}.") from exc
