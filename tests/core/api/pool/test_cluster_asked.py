"""What is asked of a Ray cluster, and what no cluster can be asked for; tests/test_ray.py has real nodes."""

from __future__ import annotations

import os
import sys

import pytest

from mu2net_core.api.context import Context
from mu2net_core.api.iterations.options import EvolveOptions
from mu2net_core.api.pool.cluster import Cluster
from mu2net_core.api.pool.pool import run_pool
from mu2net_core.api.pool.ray_package import load_ray
from mu2net_core.api.pool.resources import AgentResources, parse_resources
from mu2net_core.errors import InvalidInputError, PluginError
from mu2net_core.repo import Repository, open_repository
from mu2net_core.testing.building.samples import add_sample_task

CLUSTER = Cluster(address="10.0.0.1:6379")


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("gpu=1,cpu=2", {"CPU": 2, "GPU": 1}),
        ("GPU=0.5", {"CPU": 1, "GPU": 0.5}),
        (" cpu = 0 , tpu-slice = 2 ", {"tpu-slice": 2}),
    ],
)
def test_what_an_agent_needs_is_read_from_text(text: str, found: dict[str, float]) -> None:
    assert parse_resources(text).by_name == found


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "Expected NAME=NUMBER, got ''"),
        ("gpu", "Expected NAME=NUMBER, got 'gpu'"),
        ("gpu=one", "Expected NAME=NUMBER, got 'gpu=one'"),
        ("cpu=-1", "Expected a number from 0 of CPU, got -1"),
        ("cpu=inf", "Expected a number from 0 of CPU, got inf"),
        ("gpu=1.5", "a whole number of them, got 1.5"),
        ("cpu=1,CPU=2", "one number of CPU, got several"),
        ("memory=8", "got memory"),
    ],
)
def test_what_no_agent_can_need_is_refused(text: str, message: str) -> None:
    with pytest.raises(InvalidInputError, match=message):
        parse_resources(text)


def test_it_is_known_whether_any_node_has_enough_for_an_agent() -> None:
    nodes = [{"CPU": 8.0}, {"CPU": 1.0, "GPU": 1.0}]
    assert parse_resources("gpu=1").fit(nodes)
    assert not parse_resources("gpu=1,cpu=2").fit(nodes)
    assert parse_resources("gpu=1,cpu=2").words == "2 CPU, 1 GPU"


@pytest.mark.parametrize("address", ["ray://10.0.0.1:10001", "RAY://h:1"])
def test_the_client_of_ray_is_refused_with_what_to_do_instead(address: str) -> None:
    with pytest.raises(InvalidInputError, match="behind Ray's client") as caught:
        Cluster(address=address)
    assert "--ray-address HOST:6379" in str(caught.value.hint)


@pytest.mark.parametrize("address", ["auto", "local", "", "10.0.0.1", "h:", "h:123456", "http://h:8265"])
def test_the_address_of_a_cluster_is_never_guessed(address: str) -> None:
    with pytest.raises(InvalidInputError, match=r"Expected the address of a Ray cluster, HOST:PORT"):
        Cluster(address=address)


@pytest.mark.parametrize("address", ["head.local:6379", "10.0.0.1:6379", "[::1]:6379"])
def test_a_cluster_is_named_by_host_and_port(address: str) -> None:
    assert Cluster(address=address).address == address


def test_without_ray_it_is_said_what_to_install_and_nothing_was_done(
    ann: Repository, context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    add_sample_task(ann, "new")
    with pytest.raises(PluginError) as caught:
        run_pool(ann, context, None, EvolveOptions(agents=2), program=[], cluster=CLUSTER)
    assert caught.value.hint == "Install it here and on every node: pip install 'mu2net[ray]'"
    assert open_repository(context.cwd / "shared").refs.head("new") is None


def test_ray_is_told_to_tell_nobody_of_itself_before_it_is_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "1")
    monkeypatch.setitem(sys.modules, "ray", sys)
    assert load_ray() is sys
    assert os.environ["RAY_USAGE_STATS_ENABLED"] == "0"


def test_an_agent_needs_one_core_unless_it_is_told_otherwise() -> None:
    assert AgentResources().by_name == {"CPU": 1.0}
