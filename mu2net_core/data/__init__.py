"""Data sets: where they come from, how they are split, and their examples as arrays.

Heavy libraries (tensorflow_datasets, scikit-learn) are imported by the source that needs them, when it is opened;
grain, which imports jax, by a stream's first use.
"""

from mu2net_core.data.catalogue import (
    absolute_uri,
    data_folder,
    default_name,
    is_bare,
    is_catalogue,
    is_file,
    open_source,
    shared_uri,
    split_uri,
)
from mu2net_core.data.describe import Described, describe_task
from mu2net_core.data.images import decode_image, fit, read_image
from mu2net_core.data.load import load_split, open_split
from mu2net_core.data.places import mistyped, place_of
from mu2net_core.data.resident import Resident
from mu2net_core.data.source import Examples, RandomAccess, Source, SourceInfo, Stored, StoredExamples
from mu2net_core.data.splits import resolve_splits
from mu2net_core.data.stream import ExampleStream, ReadAhead

__all__ = [
    "Described",
    "ExampleStream",
    "Examples",
    "RandomAccess",
    "ReadAhead",
    "Resident",
    "Source",
    "SourceInfo",
    "Stored",
    "StoredExamples",
    "absolute_uri",
    "data_folder",
    "decode_image",
    "default_name",
    "describe_task",
    "fit",
    "is_bare",
    "is_catalogue",
    "is_file",
    "load_split",
    "mistyped",
    "open_source",
    "open_split",
    "place_of",
    "read_image",
    "resolve_splits",
    "shared_uri",
    "split_uri",
]
