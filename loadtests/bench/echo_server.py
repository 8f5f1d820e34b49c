"""A server that costs next to nothing: says "registered" to every body, "there" to every lookup.

What is measured against it is the client alone. `python -m loadtests.bench.echo_server`.
"""

from __future__ import annotations

import asyncio
import json
import sys

READY = b'{"ready": true}'


class Echo(asyncio.Protocol):
    """One keep-alive connection; requests come whole or in pieces."""

    stored: dict[bytes, bytes]

    def __init__(self, stored: dict[bytes, bytes]) -> None:
        self._stored = stored
        self._buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while (end := self._buffer.find(b"\r\n\r\n")) >= 0:
            head, rest = self._buffer[:end], self._buffer[end + 4 :]
            length = _content_length(head)
            if len(rest) < length:
                return
            self._buffer = rest[length:]
            self._answer(head, rest[:length])

    def _answer(self, head: bytes, body: bytes) -> None:
        method, path, _ = head.split(b" ", 2)
        if method == b"POST":
            trade = json.loads(body)
            info = {**trade, "entry_price": trade["entry"], "state": "HEALTHY"}
            answer = {"success": True, "trade_info": info, "already_registered": False}
            self._stored[str(trade["ticket"]).encode()] = content = json.dumps(answer).encode()
        else:
            content = self._stored.get(path.rpartition(b"/")[2], READY)
        self._transport.write(
            b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n"
            % len(content)
            + content
        )


def _content_length(head: bytes) -> int:
    for line in head.split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            return int(value)
    return 0


async def main() -> None:
    stored: dict[bytes, bytes] = {}
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Echo(stored), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    print(json.dumps({"event": "listening", "port": port}), file=sys.stderr, flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
