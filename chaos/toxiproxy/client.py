"""A Toxiproxy server's API, through `toxiproxy-python`, where that is silent or wrong made whole.

That client has one server for all of a process, no time-outs, takes 500 and 503 for answers, and
cannot change a toxic. Its consumer of the API is used here by a class of its own for each server,
with a time-out, and every status is looked at.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote

import requests
from toxiproxy.api import APIConsumer
from toxiproxy.exceptions import InvalidToxic, NotFound, ProxyExists

from chaos.toxiproxy.errors import ServerRefused, ServerUnreachable
from chaos.toxiproxy.named_toxic import NamedToxic

TIMEOUT_S: Final = 5.0
"""For one call."""
STUCK: Final = 503
"""What the server answers when it waited 25 s for itself."""
STATUS_OF: Final = {InvalidToxic: 400, NotFound: 404, ProxyExists: 409}


@dataclass(frozen=True, slots=True)
class ProxyState:
    """A proxy, as a server tells of it, or is to have it. Addresses are HOST:PORT."""

    name: str
    listen: str
    upstream: str
    enabled: bool = True
    toxics: tuple[NamedToxic, ...] = ()


class ToxiproxyClient:
    """Blocks, for at most `timeout_s` a call; any thread may use it.

    Every method raises `ServerRefused` where the server says no and why, and `ServerUnreachable`
    where it says nothing: then it may have been done.
    """

    def __init__(self, host: str, port: int, *, timeout_s: float = TIMEOUT_S) -> None:
        self.host = host
        self.port = port
        self._timeout_s = timeout_s
        self._api: type[APIConsumer] = type("Api", (APIConsumer,), {"host": host, "port": port})

    def version(self) -> str:
        """What it says of itself."""
        told = self._call(self._api.get, "/version")
        return str(told["version"]) if isinstance(told, dict) else str(told)

    def proxies(self) -> dict[str, ProxyState]:
        """Every proxy, by name."""
        told = self._call(self._api.get, "/proxies")
        return {name: _state(proxy) for name, proxy in told.items()}

    def create(self, proxy: ProxyState) -> ProxyState:
        """Lays a proxy, with its toxics; `listen` may end with `:0` for any port."""
        said = {
            "name": proxy.name,
            "listen": proxy.listen,
            "upstream": proxy.upstream,
            "enabled": proxy.enabled,
        }
        made = _state(self._call(self._api.post, "/proxies", said))
        for toxic in proxy.toxics:
            self.add_toxic(made.name, toxic)
        return made

    def delete(self, name: str) -> None:
        """Ends the proxy and its connections."""
        self._call(self._api.delete, _path(name))

    def enable(self, name: str) -> None:
        """The proxy listens."""
        self._call(self._api.post, _path(name), {"enabled": True})

    def disable(self, name: str) -> None:
        """The proxy's port and connections close."""
        self._call(self._api.post, _path(name), {"enabled": False})

    def redirect(self, name: str, upstream: str) -> None:
        """From now on another server is behind it; open connections end."""
        self._call(self._api.post, _path(name), {"upstream": upstream})

    def add_toxic(self, proxy: str, toxic: NamedToxic) -> None:
        """Puts a toxic in force."""
        said = {
            "name": toxic.name,
            "type": toxic.type,
            "stream": toxic.stream,
            "toxicity": toxic.toxicity,
            "attributes": dict(toxic.attributes),
        }
        self._call(self._api.post, f"{_path(proxy)}/toxics", said)

    def change_toxic(self, proxy: str, toxic: NamedToxic) -> None:
        """The toxic of that name has these attributes and this toxicity from now on."""
        said = {"toxicity": toxic.toxicity, "attributes": dict(toxic.attributes)}
        self._call(self._api.post, f"{_path(proxy)}/toxics/{quote(toxic.name, safe='')}", said)

    def remove_toxic(self, proxy: str, name: str) -> None:
        """Lifts a toxic."""
        self._call(self._api.delete, f"{_path(proxy)}/toxics/{quote(name, safe='')}")

    def reset(self) -> None:
        """Lifts every toxic. The real server enables every proxy, too."""
        self._call(self._api.post, "/reset", {})

    def _call(
        self, method: Callable[..., requests.Response], path: str, said: object = None
    ) -> Any:
        body = {} if said is None else {"json": said}
        try:
            answer = method(path, timeout=self._timeout_s, **body)
        except (InvalidToxic, NotFound, ProxyExists) as refused:
            status = STATUS_OF[type(refused)]
            raise ServerRefused(status, _sentence(refused.args[0])) from None
        except requests.RequestException as error:
            where = f"the Toxiproxy server at {self.host}:{self.port}"
            raise ServerUnreachable(f"{where} did not answer: {error}") from error
        if answer.status_code == STUCK:
            raise ServerUnreachable("the Toxiproxy server is stuck: it answered 503")
        if answer.status_code >= 300:
            raise ServerRefused(answer.status_code, _sentence(answer.content))
        return answer.json() if answer.content else None


def _path(proxy: str) -> str:
    return f"/proxies/{quote(proxy, safe='')}"


def _state(told: Mapping[str, Any]) -> ProxyState:
    toxics = tuple(NamedToxic(**toxic) for toxic in told["toxics"])
    return ProxyState(told["name"], told["listen"], told["upstream"], told["enabled"], toxics)


def _sentence(body: bytes) -> str:
    """What an error says; of one that is no JSON, the text."""
    try:
        return str(json.loads(body)["error"])
    except (ValueError, KeyError, TypeError):
        return body.decode("utf-8", "replace").strip() or "no reason was given"
