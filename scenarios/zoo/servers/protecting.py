"""The correct server with a key and limits, as its environment has them, and servers that protect
themselves otherwise. One planted bug each.

In the simulation nobody has an environment: these are put through the contract.
"""

from __future__ import annotations

import hmac
import os
import sys
import time
from collections import defaultdict, deque
from typing import Any, ClassVar

from correct import BODY_BYTES_MAX, Refused, Scope, Server

OPEN_TO_ALL = ("/health", "/dtms/health")
REGISTRATIONS_PER_S, QUERIES_PER_S = 10, 30


class Protecting(Server):
    """Answers who has the key and asks seldom enough."""

    key: ClassVar[bytes] = os.environ.get("DTMS_API_KEY", "").encode()
    limits: ClassVar[bool] = os.environ.get("DTMS_RATE_LIMIT_ENABLED", "true") == "true"
    asked: ClassVar[dict[Any, deque[float]]] = defaultdict(deque)
    """When, within the last second, by client and limit."""

    def admit(self, scope: Scope) -> None:
        if scope["path"] in OPEN_TO_ALL:
            return
        if self.limits:
            self.count(scope)
        if self.key and not self.may(dict(scope["headers"]).get(b"x-api-key", b"")):
            raise Refused(401, "unauthorized", "X-API-Key is missing or wrong")

    def count(self, scope: Scope) -> None:
        """One more request of this client. Raises `Refused`."""
        limit = QUERIES_PER_S if scope["method"] == "GET" else REGISTRATIONS_PER_S
        asked, now = self.asked[self.client(scope), limit], time.monotonic()
        while asked and asked[0] <= now - 1.0:
            asked.popleft()
        if len(asked) >= limit:
            raise Refused(429, "rate_limited", f"at most {limit} requests a second")
        asked.append(now)

    def client(self, scope: Scope) -> str:
        """Whose requests are counted together."""
        return str(scope["client"][0])

    def may(self, given: bytes) -> bool:
        return hmac.compare_digest(given, self.key)


class NothingIsLimited(Protecting):
    """Takes the word "true" for another than "True"."""

    limits: ClassVar[bool] = os.environ.get("DTMS_RATE_LIMIT_ENABLED") == "True"


class OneLimitForAll(Protecting):
    """Counts what all clients ask together: one of them locks the others out."""

    def client(self, scope: Scope) -> str:
        return ""


class KeyOfAnyAlphabet(Protecting):
    """Compares words, of which that function takes ASCII only, and breaks at others."""

    def may(self, given: bytes) -> bool:
        return hmac.compare_digest(given.decode("latin-1"), self.key.decode())


class EmptyKeyPasses(Protecting):
    """Compares only a key that was given."""

    def may(self, given: bytes) -> bool:
        return not given or super().may(given)


class KeyByItsBeginning(Protecting):
    """Compares so many characters as its own key has."""

    def may(self, given: bytes) -> bool:
        return super().may(given[: len(self.key)])


class OnlyToldLengths(Server):
    """Refuses what Content-Length tells to be too large, and reads everything else to its end."""

    body_bytes_max: ClassVar[int] = sys.maxsize

    def admit(self, scope: Scope) -> None:
        if int(dict(scope["headers"]).get(b"content-length", 0)) > BODY_BYTES_MAX:
            raise Refused(413, "too_large", f"at most {BODY_BYTES_MAX} bytes")


def make_protecting_app(data_dir: str, broker_url: str, registry_url: str) -> Server:
    return Protecting.at(data_dir, broker_url, registry_url)


def nothing_is_limited(data_dir: str, broker_url: str, registry_url: str) -> Server:
    return NothingIsLimited.at(data_dir, broker_url, registry_url)


def empty_key_passes(data_dir: str, broker_url: str, registry_url: str) -> Server:
    return EmptyKeyPasses.at(data_dir, broker_url, registry_url)


def key_by_its_beginning(data_dir: str, broker_url: str, registry_url: str) -> Server:
    return KeyByItsBeginning.at(data_dir, broker_url, registry_url)


def only_told_lengths(data_dir: str, broker_url: str, registry_url: str) -> Server:
    return OnlyToldLengths.at(data_dir, broker_url, registry_url)


def one_limit_for_all(data_dir: str, broker_url: str, registry_url: str) -> Server:
    return OneLimitForAll.at(data_dir, broker_url, registry_url)


def key_of_any_alphabet(data_dir: str, broker_url: str, registry_url: str) -> Server:
    return KeyOfAnyAlphabet.at(data_dir, broker_url, registry_url)
