"""One request and what came back, bounded in time and size, whatever the server does."""

from __future__ import annotations

import asyncio
import http.client
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field

import aiohttp
import msgspec
from yarl import URL

ANSWER_S_MAX = 5.0
"""How long a whole answer may take."""
ANSWER_BYTES_MAX = 4 * 1024 * 1024
SHOWN_CHARS = 400


@dataclass(frozen=True, slots=True)
class Exchange:
    """`status` is None where no answer came, and `trouble` says what came instead."""

    method: str
    path: str
    sent: bytes = b""
    status: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    raw: bytes = b""
    trouble: str = ""

    @property
    def json(self) -> object:
        """What the answer says; None where it is no JSON."""
        try:
            told: object = msgspec.json.decode(self.raw)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return None
        return told

    @property
    def request_told(self) -> str:
        """Method, path and body, made short."""
        return f"{self.method} {_short(self.path)} {_short(self.sent)}".rstrip()

    @property
    def answer_told(self) -> str:
        """Status and body, made short, or why there is none."""
        if self.status is None:
            return self.trouble
        return f"{self.status} {_short(self.raw)}".rstrip()


async def exchange(
    session: aiohttp.ClientSession,
    base: str,
    method: str,
    path: str,
    body: bytes | None = None,
    headers: Mapping[str, str] | None = None,
    *,
    chunked: bool = False,
) -> Exchange:
    """Sends `body`, in chunks of unknown sum if so asked. Never raises for what a server does."""
    sent = body or b""
    data = _in_chunks(sent) if chunked else body
    try:
        async with (
            asyncio.timeout(ANSWER_S_MAX),
            session.request(
                method,
                URL(base + path, encoded=True),
                data=data,
                headers=headers,
                allow_redirects=False,
            ) as answer,
        ):
            raw = bytearray()
            async for part in answer.content.iter_any():
                raw += part
                if len(raw) > ANSWER_BYTES_MAX:
                    trouble = f"an answer of more than {ANSWER_BYTES_MAX} bytes"
                    return Exchange(method, path, sent, trouble=trouble)
            told = {name.lower(): value for name, value in answer.headers.items()}
            return Exchange(method, path, sent, answer.status, told, bytes(raw))
    except TimeoutError:
        trouble = f"no whole answer within {ANSWER_S_MAX:g} s"
    except (aiohttp.ClientError, OSError, ValueError) as error:
        words = str(error) or type(error).__name__
        trouble = f"no HTTP answer: {words[:SHOWN_CHARS]}"
    return Exchange(method, path, sent, trouble=trouble)


def exchange_apart(
    base: str,
    method: str,
    path: str,
    body: bytes | None,
    headers: Mapping[str, str | bytes] | None,
    source: str,
) -> Exchange:
    """From the address `source`; headers may hold any bytes. Blocks. Raises `OSError` where this
    machine cannot send from there, and never for what a server does."""
    parts = URL(base)
    sent = body or b""
    connection = http.client.HTTPConnection(
        parts.host or "", parts.port, timeout=ANSWER_S_MAX, source_address=(source, 0)
    )
    try:
        try:
            connection.connect()
        except ConnectionError as error:
            return Exchange(method, path, sent, trouble=f"no connection: {error}")
        connection.request(method, path, body, dict(headers or {}))
        answer = connection.getresponse()
        raw = answer.read(ANSWER_BYTES_MAX)
        told = {name.lower(): value for name, value in answer.getheaders()}
        return Exchange(method, path, sent, answer.status, told, raw)
    except (http.client.HTTPException, TimeoutError, ConnectionError) as error:
        words = str(error) or type(error).__name__
        return Exchange(method, path, sent, trouble=f"no HTTP answer: {words[:SHOWN_CHARS]}")
    finally:
        connection.close()


async def _in_chunks(body: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(body), 8192):
        yield body[start : start + 8192]


def _short(text: str | bytes) -> str:
    if isinstance(text, bytes):
        text = text.decode("utf-8", "backslashreplace")
    text = text.encode("utf-8", "backslashreplace").decode()
    return text if len(text) <= SHOWN_CHARS else f"{text[:SHOWN_CHARS]}... ({len(text)} in all)"
