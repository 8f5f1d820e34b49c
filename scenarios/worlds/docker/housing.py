"""Servers in containers, on a network of their own, each with its port published on 127.0.0.1."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from chaos.capabilities import Networks, Resources
from chaos.docker.engine import EngineFailed
from scenarios.worlds.docker.capabilities import ContainerNetworks, ContainerResources
from scenarios.worlds.docker.server import ServerContainer
from scenarios.worlds.docker.session import Session
from scenarios.worlds.housing import Actor, Launch
from scenarios.worlds.world import EnvironmentFailed

DATA = "/data"
RESOLVER = ["timeout:1", "attempts:1"]
"""Who is down has no name on the network, and the engine asks the outside for it. So long that may
take: a caller that waits for a name does nothing else."""


class Containers:
    """The housing of the world `docker`."""

    name = "docker"

    def __init__(self, session: Session, episode: str) -> None:
        """`episode` names the network, and may be no other's at the same time."""
        self._session = session
        self._network_name = f"dtms-lab-{session.run}-{episode}"
        self._network = ""

    async def open(self) -> None:
        labels = dict(self._session.owner.labels(self._session.run))
        try:
            made = await self._session.engine.call(
                lambda c: c.api.create_network(self._network_name, driver="bridge", labels=labels)
            )
        except EngineFailed as error:
            raise EnvironmentFailed(f"no network for the containers: {error}") from error
        self._network = str(made["Id"])

    async def aclose(self) -> None:
        if self._network:
            try:
                await self._session.engine.call(lambda c: c.api.remove_network(self._network))
            except EngineFailed:
                return  # The session removes it once more.

    def capabilities(self, actor: Callable[[str], Actor | None]) -> Mapping[type, object]:
        return {
            Networks: ContainerNetworks(actor, self._network_name),
            Resources: ContainerResources(actor),
        }

    def python(self) -> str:
        return "python"

    def listening(self) -> Sequence[str]:
        return ("--host", "0.0.0.0", "--published-on-loopback")

    def url(self, actor: str, port: int) -> str:
        return f"http://{actor}:{port}"

    def data_dir(self, _folder: Path) -> str:
        return DATA

    def server(
        self, launch: Launch, on_exit: Callable[[Actor], None], beside: Actor | None = None
    ) -> Actor:
        making = self._making(launch, beside if isinstance(beside, ServerContainer) else None)
        return ServerContainer(self._session, launch, making, on_exit)

    def _making(self, launch: Launch, beside: ServerContainer | None) -> dict[str, Any]:
        api = self._session.engine.client.api
        shared: dict[str, Any] = {
            "binds": {str(launch.data): {"bind": DATA, "mode": "rw"}},
            # A server that kills itself must not be the first process, which cannot.
            "init": True,
        }
        config: dict[str, Any] = {
            "entrypoint": list(launch.argv),
            "command": [],
            "environment": dict(launch.environ),
            "labels": dict(self._session.owner.labels(self._session.run, launch.name)),
            "user": f"{os.getuid()}:{os.getgid()}",
        }
        if beside is not None and beside.container is not None:
            # In the other's network namespace, so that the port is one and the same.
            host = api.create_host_config(network_mode=f"container:{beside.container.id}", **shared)
        else:
            host = api.create_host_config(
                network_mode=self._network_name,
                port_bindings={launch.port: ("127.0.0.1", launch.port)},
                dns_opt=RESOLVER,
                dns_search=["."],
                **shared,
            )
            endpoint = api.create_endpoint_config(aliases=[launch.name])
            config["ports"] = [launch.port]
            config["networking_config"] = api.create_networking_config(
                {self._network_name: endpoint}
            )
        return dict(api.create_container_config(self._session.image, host_config=host, **config))
