from __future__ import annotations

import pytest

from mu2net_core.errors import InvalidInputError
from mu2net_core.search import ask, ask_random, method_named


def test_the_papers_method_and_random_search_are_shipped() -> None:
    assert method_named("mu2net-plus") is ask
    assert method_named("random") is ask_random
    with pytest.raises(InvalidInputError, match=r"expected mu2net-plus or random, got 'annealing'(.|\n)*Install"):
        method_named("annealing")


def test_another_packages_method_is_found_through_its_entry_point(monkeypatch: pytest.MonkeyPatch) -> None:
    class Entry:
        name = "theirs"

        def load(self):
            return ask_random

    monkeypatch.setattr("mu2net_core.search.methods.entry_points", lambda group, name=None: [Entry()])
    assert method_named("theirs") is ask_random
