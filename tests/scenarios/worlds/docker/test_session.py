"""A session leaves nothing behind, whatever was made in it, and says what went wrong."""

from __future__ import annotations

import pytest
from docker.errors import APIError

from chaos.docker.owner import RUN
from scenarios.worlds.docker import session as sessions
from scenarios.worlds.docker.session import open_session
from scenarios.worlds.world import EnvironmentFailed
from tests.engine import engine_or_skip


async def test_what_nobody_removed_is_gone_when_it_ends() -> None:
    engine = engine_or_skip()
    try:
        async with open_session() as session:
            labels = dict(session.owner.labels(session.run))
            name = f"left-{session.run}"
            await session.engine.call(lambda c: c.api.create_network(name, labels=labels))
        label = {"label": f"{RUN}={session.run}"}
        assert engine.ask(lambda c: c.api.networks(filters=label)) == []
    finally:
        engine.close()


async def test_what_the_engine_refuses_is_the_environments_failure(monkeypatch) -> None:
    engine_or_skip().close()

    def refuse(_client: object) -> str:
        raise APIError("no space left on device")

    monkeypatch.setattr(sessions, "lab_image", refuse)
    with pytest.raises(EnvironmentFailed, match="the Docker engine: no space left on device"):
        async with open_session():
            pytest.fail("there is no image")
