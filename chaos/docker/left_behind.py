"""Removing what labs made: one run's, or that of every owner who is dead."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

import docker
from docker.errors import APIError, NotFound

from chaos.docker.owner import OWNER, RUN, Owner

CONFLICT = 409
"""Its removal is under way already."""

Doomed = Callable[[Mapping[str, str]], bool]
"""Whether what has these labels is to go."""


def remove_run(client: docker.DockerClient, run: str) -> int:
    """Removes the run's containers and networks, in whatever state; how many there were."""
    return _remove(client, f"{RUN}={run}", lambda _labels: True)


def remove_orphans(client: docker.DockerClient) -> int:
    """Removes what owners left that are dead; how many there were. What belongs to a living one, or
    to one that cannot be seen from here, stays."""

    def is_orphan(labels: Mapping[str, str]) -> bool:
        owner = Owner.read(labels.get(OWNER, ""))
        return owner is not None and owner.dead

    return _remove(client, OWNER, is_orphan)


def _remove(client: docker.DockerClient, label: str, doomed: Doomed) -> int:
    removed = 0
    # Containers first: a network that has some is not let go.
    for container in client.api.containers(all=True, filters={"label": label}):
        if doomed(container["Labels"]):
            removed += _gone(partial(_remove_container, client, container["Id"]))
    for network in client.api.networks(filters={"label": label}):
        if doomed(network["Labels"]):
            removed += _gone(partial(client.api.remove_network, network["Id"]))
    return removed


def _remove_container(client: docker.DockerClient, container: str) -> None:
    client.api.remove_container(container, force=True, v=True)


def _gone(remove: Callable[[], object]) -> bool:
    """Whether this call did it: somebody else may be about it."""
    try:
        remove()
    except NotFound:
        return False
    except APIError as error:
        if error.status_code == CONFLICT:
            return False
        raise
    return True
