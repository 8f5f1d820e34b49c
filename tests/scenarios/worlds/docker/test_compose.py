"""compose.yaml, as far as it can be known without Compose."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from simulator.settings import read
from simulator.side_process import parse

ROOT = Path(__file__).parents[4]
COMPOSE = yaml.safe_load((ROOT / "compose.yaml").read_text())
SERVICES = COMPOSE["services"]


@pytest.mark.parametrize("name", SERVICES)
def test_every_port_is_published_on_loopback_only(name) -> None:
    assert SERVICES[name]["ports"]
    assert all(port.startswith("127.0.0.1:") for port in SERVICES[name]["ports"])


@pytest.mark.parametrize("name", SERVICES)
def test_it_listens_on_the_port_that_is_published(name, tmp_path) -> None:
    module, *arguments = SERVICES[name]["command"]
    if module == "simulator":
        settings = read(arguments, {}, tmp_path)
        host, port = settings.host, settings.port
    else:
        flags = parse(module, arguments)
        host, port = flags.host, flags.port
    assert host == "0.0.0.0"
    assert SERVICES[name]["ports"] == [f"127.0.0.1:{port}:{port}"]


@pytest.mark.parametrize("name", SERVICES)
def test_healthy_is_a_200_of_its_own(name) -> None:
    *_words, code = SERVICES[name]["healthcheck"]["test"]
    port = SERVICES[name]["ports"][0].rpartition(":")[2]
    assert f"127.0.0.1:{port}/" in code


def test_servers_find_each_other_by_their_names() -> None:
    for words in (service["command"] for service in SERVICES.values()):
        for word in words:
            _flag, found, rest = str(word).partition("http://")
            assert not found or rest.partition(":")[0] in SERVICES


def test_what_must_outlive_a_container_is_in_a_volume() -> None:
    for service in SERVICES.values():
        volumes = [volume.partition(":")[0] for volume in service.get("volumes", ())]
        assert set(volumes) <= set(COMPOSE["volumes"])
        assert volumes or not any("data-dir" in str(word) for word in service["command"])
