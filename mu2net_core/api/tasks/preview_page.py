"""A preview as one HTML page that holds all it shows: it asks no server for anything, and runs nothing."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator, Sequence
from html import escape

from mu2net_core.api.tasks.previewed import Preview
from mu2net_core.api.tasks.sampling import Shown
from mu2net_core.data import shared_uri

__all__ = ["preview_page"]

_MOST_CLASSES, _MOST_COLUMNS = 1_000, 50
_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; margin: 2em auto; max-width: 70em; padding: 0 1em }
table { border-collapse: collapse }
td, th { border: 1px solid #8886; padding: .2em .6em; text-align: left; vertical-align: top }
figure { display: inline-block; margin: .3em; width: 104px; vertical-align: top }
figcaption { font-size: 11px; overflow-wrap: anywhere } .warning { border-left: 4px solid #d80; padding-left: .6em }
:root { color-scheme: light dark } .rows { overflow-x: auto }
"""


def preview_page(preview: Preview, shown: Sequence[Shown]) -> str:
    """Returns the page."""
    return "\n".join(_lines(preview, shown))


def _lines(preview: Preview, shown: Sequence[Shown]) -> Iterator[str]:
    name = escape(preview.name)
    yield f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{name}</title>'
    yield f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}"><style>{_STYLE}</style></head><body>'
    source = escape(shared_uri(preview.source))
    yield f"<h1>{name}</h1><p>{source}: {escape(preview.input.kind)}, {escape(preview.metric)}</p>"
    yield from (f'<p class="warning">{escape(remark)}</p>' for remark in preview.remarks)
    yield from (f'<p class="warning">left out: {escape(name)}</p>' for name in preview.skipped)
    yield "<h2>Splits</h2>" + _table(["split", "examples", "which"], _splits(preview))
    if preview.output.labels:
        weights = () if preview.class_weights is None else ("weight",)
        titles = ["", *(split.name for split in preview.splits), *weights]
        yield f"<h2>{preview.output.kind.capitalize()}</h2>" + _table(titles, _classes(preview))
    yield "<h2>Some training examples</h2>"
    yield from _samples(shown)
    yield "</body></html>"


def _splits(preview: Preview) -> Iterator[Sequence[str]]:
    for split in preview.splits:
        of_numbers = "" if split.mean is None else f"; {split.least:g} to {split.most:g}, mean {split.mean:g}"
        yield split.name, str(split.num_examples), f"{split.spec}{of_numbers}"


def _classes(preview: Preview) -> Iterator[Sequence[str]]:
    names = preview.output.labels
    for label, name in enumerate(names[:_MOST_CLASSES]):
        weight = () if preview.class_weights is None else (f"{preview.class_weights[label]:.4g}",)
        yield name, *(str(split.counts[label]) for split in preview.splits), *weight
    if len(names) > _MOST_CLASSES:
        yield (f"and {len(names) - _MOST_CLASSES} more",)


def _samples(shown: Sequence[Shown]) -> Iterator[str]:
    if any(one.picture is not None for one in shown):
        yield from map(_figure, shown)
    elif shown and shown[0].row:
        columns = list(shown[0].row)[:_MOST_COLUMNS]
        rows = ([one.sample.label, *(one.row.get(column, "") for column in columns)] for one in shown)
        yield f'<div class="rows">{_table(["learned", *columns], rows)}</div>'
    else:
        yield _table(["learned", "text"], ((one.sample.label, one.sample.text) for one in shown))


def _figure(one: Shown) -> str:
    data = b64encode(one.picture or b"").decode()
    said = f"<b>{escape(one.sample.label)}</b> {escape(one.sample.text)}<br>{escape(_short(one.sample.name))}"
    return f'<figure><img alt="" src="data:image/png;base64,{data}"><figcaption>{said}</figcaption></figure>'


def _short(name: str) -> str:
    """Returns the end of a path: where all of it lies is nobody's business who is shown the page."""
    return "/".join(name.split("/")[-2:])


def _table(titles: Sequence[str], rows: Iterator[Sequence[str]]) -> str:
    head = "".join(f"<th>{escape(title)}</th>" for title in titles)
    body = "".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<table><tr>{head}</tr>{body}</table>"
