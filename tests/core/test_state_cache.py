import asyncio

import pytest

from core import state_cache
from core.errors import NotSent, Unanswered
from core.port import UNDECODABLE, Answer
from core.state_cache import Permissions, StateCache, permissions, states_of


class Source:
    """Tells `state` at each ask, once `gate` is open."""

    def __init__(self) -> None:
        self.state: str | None = "HEALTHY"
        self.asked: list[int] = []
        self.gate = asyncio.Event()
        self.gate.set()

    async def fetch(self, ticket: int) -> str | None:
        self.asked.append(ticket)
        await self.gate.wait()
        return self.state


@pytest.fixture
def source() -> Source:
    return Source()


@pytest.fixture
def cache(source, clock) -> StateCache:
    return StateCache(source.fetch, clock)


async def test_a_state_is_asked_for_once_in_ten_seconds(cache, source, clock) -> None:
    assert await cache.state(7) == "HEALTHY"
    source.state = "HEDGED"
    clock.seconds = 9.9
    assert await cache.state(7) == "HEALTHY"
    assert source.asked == [7]


async def test_after_ten_seconds_it_is_asked_for_again(cache, source, clock) -> None:
    await cache.state(7)
    source.state = "HEDGED"
    clock.seconds = 10.0
    assert await cache.state(7) == "HEDGED"


async def test_the_last_known_state_may_be_used_for_thirty_seconds(cache, source, clock) -> None:
    await cache.state(7)
    source.state = None
    clock.seconds = 29.9
    assert await cache.state(7) == "HEALTHY"
    clock.seconds = 30.0
    assert await cache.state(7) is None


async def test_using_an_old_state_does_not_make_it_younger(cache, source, clock) -> None:
    await cache.state(7)
    source.state = None
    clock.seconds = 20.0
    await cache.state(7)
    clock.seconds = 30.0
    assert await cache.state(7) is None


async def test_a_state_never_seen_is_unknown(cache, source) -> None:
    source.state = None
    assert await cache.state(7) is None


async def test_readers_at_once_share_one_question(cache, source) -> None:
    source.gate.clear()
    readers = [asyncio.create_task(cache.state(7)) for _ in range(20)]
    await asyncio.sleep(0)
    source.gate.set()
    assert set(await asyncio.gather(*readers)) == {"HEALTHY"}
    assert source.asked == [7]


async def test_a_reader_that_gives_up_takes_the_answer_from_nobody(cache, source) -> None:
    source.gate.clear()
    hasty, patient = asyncio.create_task(cache.state(7)), asyncio.create_task(cache.state(7))
    await asyncio.sleep(0)
    hasty.cancel()
    await asyncio.sleep(0)
    source.gate.set()
    assert await patient == "HEALTHY"


async def test_an_answer_that_nobody_waited_for_is_remembered(cache, source) -> None:
    source.gate.clear()
    hasty = asyncio.create_task(cache.state(7))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    hasty.cancel()
    source.gate.set()
    assert await cache.state(7) == "HEALTHY"
    assert source.asked == [7]


async def test_memory_is_bounded_and_forgets_the_oldest(cache, source, monkeypatch) -> None:
    monkeypatch.setattr(state_cache, "TICKETS_MAX", 3)
    for ticket in (1, 2, 3, 4):
        await cache.state(ticket)
    source.asked.clear()
    for ticket in (2, 3, 4, 1):
        await cache.state(ticket)
    assert source.asked == [1]


async def test_closing_ends_what_is_being_asked(cache, source) -> None:
    source.gate.clear()
    reader = asyncio.create_task(cache.state(7))
    await asyncio.sleep(0)
    await cache.aclose()
    with pytest.raises(asyncio.CancelledError):
        await reader
    assert asyncio.all_tasks() == {asyncio.current_task()}


def test_unknown_allows_break_even_and_partial_closes_but_no_trailing() -> None:
    assert permissions(None) == Permissions(break_even=True, partial_close=True, trailing=False)


@pytest.mark.parametrize("state", ["HEDGED", "WARNING_L2"])
def test_while_dtms_defends_a_trade_nobody_else_touches_it(state: str) -> None:
    assert permissions(state) == Permissions(False, False, False)


@pytest.mark.parametrize("state", ["HEALTHY", "WARNING_L1", "RECOVERING"])
def test_else_everything_is_allowed(state: str) -> None:
    assert permissions(state) == Permissions(True, True, True)


def fetching(api):
    return states_of(api, timeout_s=1.0, new_id=lambda: "c1")


async def test_the_api_is_asked_for_the_state(api, answers) -> None:
    api.lookups = [answers.found(state="HEDGED")]
    assert await fetching(api)(1001) == "HEDGED"
    assert api.sent == [("lookup", 1001)]


@pytest.mark.parametrize(
    "step",
    [
        NotSent("refused"),
        Unanswered("reset"),
        Answer(503, {}),
        Answer(404, {}),
        Answer(200, UNDECODABLE),
        Answer(200, {"state": "HEALTHY"}),
        Answer(200, {"state": "HEALTHY", "trade_info": {"ticket": 1002}}),
        Answer(200, {"state": "HEALTHY", "trade_info": {"ticket": "1001"}}),
        Answer(200, {"state": 3, "trade_info": {"ticket": 1001}}),
        Answer(500, {"state": "HEALTHY", "trade_info": {"ticket": 1001}}),
    ],
)
async def test_whatever_fails_there_the_state_is_unknown(api, step) -> None:
    api.lookups = [step]
    assert await fetching(api)(1001) is None
