"""The extra deliveries of a duplicated request."""

from __future__ import annotations

import asyncio

from chaos.proxy.flight import Flight
from chaos.proxy.http import AnswerReader
from chaos.proxy.limits import COPY_S_MAX
from chaos.proxy.tap import Answer

CHUNK_BYTES = 65536


async def deliver_copy(flight: Flight, host: str, port: int, after_s: float) -> Answer | None:
    """Delivers the request once more over a connection of its own; what was answered, if all of it
    came within COPY_S_MAX. A copy that does not get through is lost, as copies are."""
    await asyncio.sleep(after_s)
    reader = AnswerReader(flight.request.method)
    try:
        async with asyncio.timeout(COPY_S_MAX):
            source, sink = await asyncio.open_connection(host, port)
            try:
                sink.write(flight.request.raw)
                while not reader.done and not reader.opaque:
                    data = await source.read(CHUNK_BYTES)
                    if not data:
                        reader.feed_eof()
                        break
                    reader.feed(data)
            finally:
                sink.transport.abort()
    except (OSError, TimeoutError):
        return None
    return Answer.of(reader.answer) if reader.done else None
