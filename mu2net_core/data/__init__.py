"""Data sets: where they come from, how they are split, and their examples as arrays.

Heavy libraries (tensorflow_datasets, scikit-learn) are imported by the source that needs them, when it is opened;
grain, which imports jax, by a stream's first use.
"""

from mu2net_core.data.catalogue import absolute_uri, data_folder, default_name, is_catalogue, open_source
from mu2net_core.data.describe import describe_task
from mu2net_core.data.images import decode_image, fit, read_image
from mu2net_core.data.load import load_split, open_split
from mu2net_core.data.resident import Resident
from mu2net_core.data.source import Examples, RandomAccess, Source, SourceInfo, Stored, StoredExamples
from mu2net_core.data.splits import resolve_splits
from mu2net_core.data.stream import ExampleStream, ReadAhead

__all__ = [
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
    "is_catalogue",
    "load_split",
    "open_source",
    "open_split",
    "read_image",
    "resolve_splits",
]
