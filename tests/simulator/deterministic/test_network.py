"""The stream network: what arrives, in which order, and how connections end."""

import asyncio
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.deterministic.loop import SimLoop
from simulator.deterministic.network import (
    HIGH_WATER_BYTES,
    LATENCY_S,
    WINDOW_BYTES,
    Network,
)
from simulator.deterministic.process import Process, current_process
from simulator.deterministic.real import NotSimulated

PORT = 8001


class Recording(asyncio.Protocol):
    """Writes down all that its transport tells it."""

    def __init__(self) -> None:
        self.told: list[object] = []
        self.got = b""
        self.transport: asyncio.Transport

    def connection_made(self, transport) -> None:
        self.transport = transport
        self.told.append("made")

    def data_received(self, data: bytes) -> None:
        self.got += data
        self.told.append("data")

    def eof_received(self) -> None:
        self.told.append("eof")

    def connection_lost(self, exc: Exception | None) -> None:
        self.told.append(None if exc is None else type(exc).__name__)

    def pause_writing(self) -> None:
        self.told.append("pause")

    def resume_writing(self) -> None:
        self.told.append("resume")


class Pair:
    """A server process `dtms` and a client process `bot`, connected."""

    def __init__(self, loop: SimLoop) -> None:
        self.loop = loop
        self.dtms, self.bot = Process("dtms"), Process("bot")
        self.served: list[Recording] = []
        self.client = Recording()
        self.error: BaseException | None = None

    @property
    def server(self) -> Recording:
        return self.served[0]

    def _accept(self) -> Recording:
        assert current_process() is self.dtms
        self.served.append(Recording())
        return self.served[-1]

    async def listen(self) -> None:
        await self.loop.spawn(self.dtms, self.loop.create_server(self._accept, "127.0.0.1", PORT))

    async def dial(self) -> None:
        async def dial() -> None:
            try:
                await self.loop.create_connection(lambda: self.client, "127.0.0.1", PORT)
            except OSError as error:
                self.error = error

        self.loop.spawn(self.bot, dial())
        await asyncio.sleep(0.01)

    async def open(self) -> "Pair":
        await self.listen()
        await self.dial()
        return self

    def within(self, process: Process, do, *args) -> None:
        process.context.copy().run(do, *args)


@pytest.fixture
def pair(net) -> Pair:
    return Pair(net())


def play(pair: Pair, script) -> None:
    """The script, with both ends connected; then whatever is under way."""

    async def main() -> None:
        await pair.open()
        await script()
        await asyncio.sleep(5)

    pair.loop.run(main())


@given(
    chunks=st.lists(st.binary(min_size=1, max_size=2_000), max_size=40),
    gaps_ms=st.lists(st.integers(0, 3), min_size=40, max_size=40),
    seed=st.integers(0, 1_000),
)
@settings(max_examples=60, deadline=None)
def test_bytes_arrive_in_order_and_whole_however_late_each_piece_is(chunks, gaps_ms, seed) -> None:
    loop = SimLoop()
    draws = random.Random(seed)
    loop.network = Network(loop, lambda _key: draws.random())
    pair = Pair(loop)

    async def script() -> None:
        for chunk, gap_ms in zip(chunks, gaps_ms, strict=False):
            pair.client.transport.write(chunk)
            pair.server.transport.write(chunk[::-1])
            await asyncio.sleep(gap_ms / 1000)
        pair.client.transport.close()

    play(pair, script)
    loop.close()
    assert pair.server.got == b"".join(chunks)
    assert b"".join(chunk[::-1] for chunk in chunks).startswith(pair.client.got)
    assert pair.server.told[-1] in (None, "ConnectionResetError")
    assert loop.unhandled == []


@given(sizes=st.lists(st.integers(1, 200_000), min_size=1, max_size=12), pause=st.booleans())
@settings(max_examples=25, deadline=None)
def test_much_more_than_a_connection_holds_arrives_whole(sizes, pause) -> None:
    loop = SimLoop()
    loop.network = Network(loop)
    pair = Pair(loop)
    sent = [bytes([n]) * size for n, size in enumerate(sizes)]

    async def script() -> None:
        if pause:
            pair.server.transport.pause_reading()
        for chunk in sent:
            pair.client.transport.write(chunk)
        pair.client.transport.write_eof()
        await asyncio.sleep(1)
        pair.server.transport.resume_reading()

    play(pair, script)
    loop.close()
    assert pair.server.got == b"".join(sent)
    assert "eof" in pair.server.told


def test_a_piece_takes_a_quiet_networks_time_and_a_jitter_is_asked_by_name(net) -> None:
    keys = []

    def jitter(key: str) -> float:
        keys.append(key)
        return 0.0

    pair = Pair(net(jitter))
    at = []

    async def script() -> None:
        at.append(pair.loop.time())
        pair.client.transport.write(b"x")
        while not pair.server.got:  # noqa: ASYNC110 - a protocol has no event
            await asyncio.sleep(LATENCY_S / 10)
        at.append(pair.loop.time())

    play(pair, script)
    assert at[1] - at[0] == pytest.approx(LATENCY_S, rel=0.2)
    assert keys == [
        "bot->8001 #1 call",
        "bot->8001 #1 answer",
        "bot->8001 #1 up 1",
    ]


def test_connections_of_others_do_not_change_the_name_of_ones_own(net) -> None:
    keys = []

    def jitter(key: str) -> float:
        keys.append(key)
        return 0.0

    pair = Pair(net(jitter))

    async def main() -> None:
        await pair.listen()
        _transport, _protocol = await pair.loop.create_connection(Recording, "localhost", PORT)
        await pair.dial()

    pair.loop.run(main())
    assert "lab->8001 #1 call" in keys
    assert "bot->8001 #1 call" in keys


def test_nobody_listens(pair) -> None:
    async def main() -> None:
        await pair.dial()

    pair.loop.run(main())
    assert isinstance(pair.error, ConnectionRefusedError)
    assert pair.client.told == []


def test_a_port_is_free_again_when_its_process_dies(pair) -> None:
    second = Process("dtms", 1)

    async def main() -> list[object]:
        told: list[object] = []
        await pair.listen()

        async def again() -> None:
            try:
                await pair.loop.create_server(Recording, "127.0.0.1", PORT)
                told.append("listens")
            except OSError as error:
                told.append(error.strerror)

        await pair.loop.spawn(second, again())
        pair.dtms.die()
        assert not pair.loop.network.is_listening(PORT)
        await pair.loop.spawn(second, again())
        pair.bot.die()
        return told

    told = pair.loop.run(main())
    assert "already in use" in str(told[0])
    assert told[1] == "listens"
    assert pair.loop.network.is_listening(PORT)


def test_a_free_port_is_one_on_which_nobody_listens(net) -> None:
    loop = net()

    async def main() -> list[int]:
        first = loop.network.free_port()
        await loop.create_server(Recording, "127.0.0.1", first + 1)
        return [first, loop.network.free_port()]

    first, second = loop.run(main())
    assert second == first + 2


def test_a_paused_process_accepts_and_serves_when_it_is_resumed(pair) -> None:
    async def main() -> None:
        await pair.listen()
        pair.loop.pause(pair.dtms)
        await pair.dial()
        assert pair.client.told == ["made"]
        pair.client.transport.write(b"patience")
        await asyncio.sleep(10)
        assert pair.served == []
        pair.loop.resume(pair.dtms)
        await asyncio.sleep(1)

    pair.loop.run(main())
    assert pair.server.told[0] == "made"
    assert pair.server.got == b"patience"


def test_a_paused_process_that_dies_resets_who_was_never_served(pair) -> None:
    async def main() -> None:
        await pair.listen()
        pair.loop.pause(pair.dtms)
        await pair.dial()
        pair.client.transport.write(b"patience")
        await asyncio.sleep(1)
        pair.dtms.die()
        await asyncio.sleep(1)

    pair.loop.run(main())
    assert pair.served == []
    assert pair.client.told == ["made", "ConnectionResetError"]


def test_who_waits_to_be_accepted_is_reset_when_the_listener_closes(pair) -> None:
    async def main() -> None:
        await pair.listen()
        pair.loop.pause(pair.dtms)
        await pair.dial()
        pair.loop.network._listeners[PORT].close()
        pair.loop.resume(pair.dtms)
        await asyncio.sleep(1)

    pair.loop.run(main())
    assert pair.served == []
    assert pair.client.told == ["made", "ConnectionResetError"]


def test_an_idle_peer_of_a_killed_process_sees_the_end(pair) -> None:
    async def script() -> None:
        pair.dtms.die()

    play(pair, script)
    assert pair.client.told == ["made", "eof", None]
    assert pair.server.told == ["made"]


def test_the_peer_is_reset_where_the_killed_one_had_not_read(pair) -> None:
    async def script() -> None:
        pair.loop.pause(pair.dtms)
        pair.client.transport.write(b"unread")
        await asyncio.sleep(1)
        pair.dtms.die()

    play(pair, script)
    assert pair.client.told == ["made", "ConnectionResetError"]


def test_an_unread_end_is_no_reason_for_a_reset(pair) -> None:
    async def script() -> None:
        pair.loop.pause(pair.dtms)
        pair.client.transport.write_eof()
        await asyncio.sleep(1)
        pair.dtms.die()

    play(pair, script)
    assert pair.client.told == ["made", "eof", None]


def test_what_is_on_its_way_arrives_though_its_sender_was_killed(pair) -> None:
    async def script() -> None:
        pair.within(pair.bot, pair.client.transport.write, b"last ")
        pair.within(pair.bot, pair.client.transport.write, b"words")
        pair.bot.die()

    play(pair, script)
    assert pair.server.got == b"last words"
    assert pair.server.told == ["made", "data", "eof", None]


def test_what_waited_in_a_killed_process_is_gone_with_it(pair) -> None:
    async def script() -> None:
        pair.server.transport.pause_reading()
        pair.client.transport.write(b"x" * WINDOW_BYTES)
        pair.client.transport.write(b"y" * WINDOW_BYTES)
        await asyncio.sleep(1)
        pair.bot.die()
        pair.server.transport.resume_reading()

    play(pair, script)
    assert pair.server.got == b"x" * WINDOW_BYTES
    assert pair.server.told[-2:] == ["eof", None]


def test_what_a_closed_connection_waited_to_send_is_gone_when_its_process_is_killed(pair) -> None:
    async def script() -> None:
        pair.server.transport.pause_reading()
        pair.client.transport.write(b"x" * 2 * WINDOW_BYTES)
        pair.client.transport.close()
        await asyncio.sleep(1)
        pair.bot.die()
        pair.server.transport.resume_reading()

    play(pair, script)
    assert len(pair.server.got) == WINDOW_BYTES


def test_a_killed_process_is_told_nothing_more(pair) -> None:
    async def script() -> None:
        pair.server.transport.write(b"on its way")
        pair.bot.die()

    play(pair, script)
    assert pair.client.told == ["made"]


def test_writing_to_a_peer_that_has_gone_is_answered_with_a_reset(pair) -> None:
    class Keeps(Recording):
        def eof_received(self) -> bool:
            return True

    pair.client = Keeps()

    async def script() -> None:
        pair.server.transport.close()
        await asyncio.sleep(1)
        pair.client.transport.write(b"anybody?")
        await asyncio.sleep(1)
        assert pair.client.told == ["made"]
        pair.client.transport.write(b"anybody?")
        await asyncio.sleep(1)

    play(pair, script)
    assert pair.client.told == ["made", "BrokenPipeError"]


def test_closing_with_unread_bytes_resets_the_peer(pair) -> None:
    async def script() -> None:
        pair.server.transport.pause_reading()
        pair.client.transport.write(b"unread")
        await asyncio.sleep(1)
        pair.server.transport.close()

    play(pair, script)
    assert pair.client.told == ["made", "ConnectionResetError"]
    assert pair.server.told == ["made", None]


def test_one_direction_may_end_before_the_other(pair) -> None:
    class Answers(Recording):
        def eof_received(self) -> bool:
            self.transport.write(b"answer to " + self.got)
            self.transport.close()
            return True

    pair._accept = Answers

    async def script() -> None:
        pair.client.transport.write(b"question")
        pair.client.transport.write_eof()
        pair.client.transport.write_eof()

    play(pair, script)
    assert pair.client.got == b"answer to question"
    assert pair.client.told == ["made", "data", "eof", None]


def test_a_slow_reader_makes_the_writer_wait_and_memory_stays_bounded(net) -> None:
    loop, held = net(), []

    async def serve(reader, writer) -> None:
        for _read in range(20):
            await asyncio.sleep(0.1)
            await reader.readexactly(100_000)
        writer.close()

    async def main() -> float:
        await asyncio.start_server(serve, "127.0.0.1", PORT)
        _reader, writer = await asyncio.open_connection("127.0.0.1", PORT)
        for _write in range(200):
            writer.write(b"x" * 10_000)
            held.append(writer.transport.get_write_buffer_size())
            await writer.drain()
        took_s = loop.time()
        await asyncio.sleep(5)
        writer.close()
        return took_s

    assert loop.run(main()) > 1.0
    assert 0 < max(held) <= HIGH_WATER_BYTES + 10_000


def test_writers_are_paused_once_and_resumed_once(pair) -> None:
    async def script() -> None:
        pair.server.transport.pause_reading()
        for _write in range(20):
            pair.client.transport.write(b"x" * HIGH_WATER_BYTES)
        await asyncio.sleep(1)
        assert pair.client.told == ["made", "pause"]
        pair.server.transport.resume_reading()

    play(pair, script)
    assert pair.client.told == ["made", "pause", "resume"]
    assert len(pair.server.got) == 20 * HIGH_WATER_BYTES
    assert pair.client.transport.get_write_buffer_size() == 0


def test_who_does_not_read_is_given_nothing_until_it_does(pair) -> None:
    async def script() -> None:
        pair.server.transport.pause_reading()
        assert not pair.server.transport.is_reading()
        pair.client.transport.write(b"x")
        await asyncio.sleep(1)
        assert pair.server.told == ["made"]
        pair.server.transport.resume_reading()
        assert pair.server.transport.is_reading()

    play(pair, script)
    assert pair.server.got == b"x"


def test_a_late_answer_leaves_nothing_behind_where_the_caller_was_cancelled(pair) -> None:
    async def main() -> None:
        await pair.listen()

        async def dial() -> None:
            async with asyncio.timeout(1.5 * LATENCY_S):
                await pair.loop.create_connection(lambda: pair.client, "127.0.0.1", PORT)

        with pytest.raises(TimeoutError):
            await pair.loop.spawn(pair.bot, dial())
        await asyncio.sleep(1)

    pair.loop.run(main())
    assert pair.client.told == []
    assert pair.server.told == ["made", "eof", None]


@pytest.mark.parametrize(
    ("after_s", "told"),
    [(0.5 * LATENCY_S, []), (1.5 * LATENCY_S, ["made", "eof", None])],
    ids=["before it arrived", "before it was answered"],
)
def test_a_caller_that_is_killed_while_it_connects_leaves_nothing_behind(
    pair, after_s, told
) -> None:
    async def main() -> None:
        await pair.listen()
        pair.loop.spawn(
            pair.bot, pair.loop.create_connection(lambda: pair.client, "127.0.0.1", PORT)
        )
        await asyncio.sleep(after_s)
        pair.bot.die()
        await asyncio.sleep(1)

    pair.loop.run(main())
    assert [event for server in pair.served for event in server.told] == told
    assert pair.client.told == []


def test_a_server_whose_protocol_cannot_be_made_hangs_up(pair) -> None:
    def fail() -> Recording:
        raise ValueError("no protocol")

    pair._accept = fail

    async def script() -> None:
        await asyncio.sleep(1)

    play(pair, script)
    assert pair.client.told == ["made", "eof", None]
    assert [type(told["exception"]) for told in pair.loop.unhandled] == [ValueError]
    pair.loop.unhandled.clear()


def test_other_hosts_are_unknown(net) -> None:
    loop = net()

    async def main() -> None:
        await loop.create_connection(Recording, "example.org", PORT)

    with pytest.raises(OSError, match="this host only"):
        loop.run(main())


def test_tls_is_refused(net) -> None:
    loop = net()

    async def main() -> None:
        await loop.create_connection(Recording, "127.0.0.1", PORT, ssl=True)

    with pytest.raises(NotSimulated, match="TLS"):
        loop.run(main())


def test_a_dead_server_that_is_restarted_serves_again(pair) -> None:
    async def main() -> None:
        await pair.listen()
        pair.dtms.die()
        await pair.dial()
        assert isinstance(pair.error, ConnectionRefusedError)
        pair.dtms = Process("dtms", 1)
        await pair.open()
        pair.client.transport.write(b"hello")
        await asyncio.sleep(1)

    pair.loop.run(main())
    assert pair.server.got == b"hello"
