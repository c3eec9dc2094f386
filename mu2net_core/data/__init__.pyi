from .catalogue import (
    absolute_uri,
    data_folder,
    default_name,
    is_bare,
    is_catalogue,
    is_file,
    is_of_images,
    is_of_rows,
    local_path,
    open_source,
    shared_uri,
    split_uri,
)
from .deep import RANGE, ValueRange, range_of
from .describe import Described, describe_task
from .formats import endings
from .images import Picture, decode_whole, fit, read_image, read_picture
from .labels import checked_label
from .load import load_split, open_split
from .modality import MODALITIES, Change, Modality, Survey, modality_of
from .notices import Notices
from .places import mistyped, place_of
from .resident import Resident
from .rows.reading import read_object, read_rows
from .source import Examples, Options, Source, SourceInfo, Stored, StoredExamples
from .sources.digits import check_digits
from .splits import resolve_splits
from .stream import ExampleStream, ReadAhead
from .text_survey import remarks_on_text
from .wording import counted

__all__ = [
    "MODALITIES",
    "RANGE",
    "Change",
    "Described",
    "ExampleStream",
    "Examples",
    "Modality",
    "Notices",
    "Options",
    "Picture",
    "ReadAhead",
    "Resident",
    "Source",
    "SourceInfo",
    "Stored",
    "StoredExamples",
    "Survey",
    "ValueRange",
    "absolute_uri",
    "check_digits",
    "checked_label",
    "counted",
    "data_folder",
    "decode_whole",
    "default_name",
    "describe_task",
    "endings",
    "fit",
    "is_bare",
    "is_catalogue",
    "is_file",
    "is_of_images",
    "is_of_rows",
    "load_split",
    "local_path",
    "mistyped",
    "modality_of",
    "open_source",
    "open_split",
    "place_of",
    "range_of",
    "read_image",
    "read_object",
    "read_picture",
    "read_rows",
    "remarks_on_text",
    "resolve_splits",
    "shared_uri",
    "split_uri",
]
