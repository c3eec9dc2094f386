from __future__ import annotations

import pytest

from mu2net_core.errors import PluginError
from mu2net_core.search import METHODS, MU2NET_PLUS, RANDOM, ask, ask_random


def test_the_papers_method_random_search_and_tpe_are_shipped() -> None:
    assert METHODS.names() == ("mu2net-plus", "random", "tpe")
    assert METHODS.load("mu2net-plus") is MU2NET_PLUS
    assert METHODS.load("random") is RANDOM
    assert (MU2NET_PLUS.plan, RANDOM.plan) == (ask, ask_random)
    with pytest.raises(
        PluginError, match=r"No search method 'annealing' is installed; there are mu2net-plus, random, tpe"
    ):
        METHODS.load("annealing")
