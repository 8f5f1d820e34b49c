"""Putting a client through scenarios for a test of its own project."""

from __future__ import annotations

import pytest

from scenarios.stand.put_through import Asked, put_through


@pytest.mark.parametrize("world", ["mars", "docker"])
async def test_a_world_that_it_has_not_is_refused_in_words(tmp_path, world) -> None:
    asked = Asked(("kill-after-ack",), "reference", "simulated", (1,), world, 1)
    with pytest.raises(ValueError, match=rf"there is no world '{world}'; there are: sim, local$"):
        await put_through(asked, tmp_path)
