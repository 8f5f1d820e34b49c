"""The driver's own requests on a simulated network: one connection each, no fault in between."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import msgspec

from chaos.proxy.http import AnswerReader

CHUNK_BYTES = 256 * 1024


async def exchange(
    port: int, method: str, path: str, headers: Mapping[str, str], body: bytes | None
) -> tuple[int, object] | None:
    """Status and decoded JSON, None where the body is none; None alone where no whole answer
    came."""
    reader = AnswerReader(method)
    try:
        source, sink = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return None
    try:
        sink.write(_request(port, method, path, headers, body))
        while not reader.done and not reader.opaque:
            data = await source.read(CHUNK_BYTES)
            if not data:
                reader.feed_eof()
                break
            reader.feed(data)
    except OSError:
        return None
    finally:
        sink.close()
    if not reader.done:
        return None
    answer = reader.answer
    try:
        return answer.status, msgspec.json.decode(answer.body)
    except msgspec.DecodeError:
        return answer.status, None


def _request(
    port: int, method: str, path: str, headers: Mapping[str, str], body: bytes | None
) -> bytes:
    lines = [
        f"{method} {path} HTTP/1.1",
        f"Host: 127.0.0.1:{port}",
        "Connection: close",
        *(f"{name}: {value}" for name, value in headers.items()),
    ]
    if body is not None:
        lines += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
    return "\r\n".join([*lines, "", ""]).encode() + (body or b"")
