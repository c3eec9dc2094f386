"""What every data source must do: inherit ``SourceTests``, give it the fixture ``open_source``, run it with pytest."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from mu2net_core.data import Source, Stored, checked_label, modality_of
from mu2net_core.objectives import OBJECTIVES
from mu2net_core.objects import Slice

__all__ = ["SourceTests"]

_FEW = 24
"""So many examples of each split are looked at."""

_Open = Callable[[], Source]


def _told(examples: Iterable[Stored]) -> list[tuple[str, bytes, bytes]]:
    """Returns what examples are, so that they can be compared."""
    return [(one.name, np.asarray(one.label).tobytes(), _bytes(one)) for one in examples]


def _bytes(one: Stored) -> bytes:
    return one.input if isinstance(one.input, bytes) else repr(one.input.shape).encode() + one.input.tobytes()


def _beginnings(source: Source) -> list[Slice]:
    splits = source.info().splits.items()
    return [Slice(split=name, start=0, stop=min(count, _FEW)) for name, count in splits]


class SourceTests:
    """The contract of ``mu2net_core.data.Source``, one behaviour a test; ``open_source`` opens the same data again."""

    def test_its_uri_names_it_and_stays(self, open_source: _Open) -> None:
        scheme, colon, rest = open_source().uri.partition(":")
        assert (bool(scheme), colon, bool(rest)) == (True, ":", True)
        assert open_source().uri == open_source().uri

    def test_says_what_it_holds(self, open_source: _Open) -> None:
        info = open_source().info()
        assert info.splits
        assert all(name and count > 0 for name, count in info.splits.items())
        assert len(set(info.classes)) == len(info.classes)
        assert info == open_source().info()

    def test_yields_as_many_examples_as_are_asked_for(self, open_source: _Open) -> None:
        source = open_source()
        for part in _beginnings(source):
            assert len(list(source.read([part]))) == part.stop
        for name, count in source.info().splits.items():
            assert len(list(source.read([Slice(split=name, start=count - 1, stop=count)]))) == 1

    def test_examples_are_of_its_kind_and_labels_of_its_output(self, open_source: _Open) -> None:
        source = open_source()
        info, modality = source.info(), modality_of(source.info().input)
        survey = modality.survey({})
        for one in source.read(_beginnings(source)):
            assert one.name
            assert checked_label(one, info.output).dtype == info.output.label_dtype
            assert survey.look(one)
            if not isinstance(one.input, bytes):
                assert one.input.dtype == modality.dtype
        survey.check(source.uri)
        assert survey.input().kind == info.input

    def test_its_labels_are_what_its_metric_is_of(self, open_source: _Open) -> None:
        info = open_source().info()
        assert f"{info.output.kind}.{info.metric}" in OBJECTIVES
        assert info.output.size > 0

    def test_no_two_examples_have_the_same_name(self, open_source: _Open) -> None:
        source = open_source()
        names = [one.name for one in source.read(_beginnings(source))]
        assert len(set(names)) == len(names)

    def test_examples_come_in_the_same_order_every_time(self, open_source: _Open) -> None:
        source = open_source()
        first = _told(source.read(_beginnings(source)))
        assert _told(source.read(_beginnings(source))) == first
        again = open_source()
        assert _told(again.read(_beginnings(again))) == first

    def test_slices_come_one_after_the_other_as_they_are_given(self, open_source: _Open) -> None:
        source = open_source()
        for part in _beginnings(source):
            whole, middle = _told(source.read([part])), part.stop // 2
            later = Slice(split=part.split, start=middle, stop=part.stop)
            earlier = Slice(split=part.split, start=0, stop=middle)
            parts = [later, earlier] if middle else [later]
            assert _told(source.read(parts)) == [*whole[middle:], *whole[:middle]]

    def test_by_number_they_are_the_same_in_any_order(self, open_source: _Open) -> None:
        source = open_source()
        parts = _beginnings(source)
        expected, held = _told(source.read(parts)), source.examples(parts)
        assert len(held) == len(expected)
        backwards = list(reversed(range(len(held))))
        assert _told(held[number] for number in backwards) == expected[::-1]
        assert _told(held.take(backwards)) == expected[::-1]

    def test_beyond_the_last_there_is_none(self, open_source: _Open) -> None:
        source = open_source()
        held = source.examples(_beginnings(source))
        with pytest.raises(IndexError):
            held[len(held)]

    def test_several_threads_read_the_same_at_once(self, open_source: _Open) -> None:
        source = open_source()
        held = source.examples(_beginnings(source))
        numbers = list(range(len(held))) * 4
        with ThreadPoolExecutor(8) as threads:
            found = list(threads.map(held.__getitem__, numbers))
        assert _told(found) == _told(source.read(_beginnings(source))) * 4
