"""What files of rows are called."""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["ENDINGS", "scheme_of", "without_ending"]

ENDINGS: Mapping[str, tuple[str, ...]] = {
    "csv": (".csv", ".tsv", ".csv.gz", ".tsv.gz"),
    "jsonl": (".jsonl", ".ndjson", ".jsonl.gz", ".ndjson.gz"),
    "parquet": (".parquet", ".pq"),
    "datasets": (".arrow",),
    "webdataset": (),
}
"""By the scheme that reads them."""


def scheme_of(name: str) -> str | None:
    """Returns the scheme that reads files called so, None if their name does not tell."""
    return next((scheme for scheme, endings in ENDINGS.items() if name.lower().endswith(endings)), None)


def without_ending(name: str) -> str:
    """Returns the name of a file of rows without what says how it is read."""
    endings = sorted((ending for known in ENDINGS.values() for ending in known), key=len, reverse=True)
    return next((name[: -len(ending)] for ending in endings if name.lower().endswith(ending)), name)
