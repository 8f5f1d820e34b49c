"""What the fault proxy sees, as operations of the process `wire` in the history."""

from __future__ import annotations

from chaos.proxy import Answer, Exchange, Outcome
from scenarios.history import Invocation, Recorder


class WireTap:
    """Records each exchange: `ok` an answer was delivered, `info` none was, `fail` the request
    certainly never reached the server. Copies that a fault delivers are the process `network`'s:
    no service sent them, and none gets their answers."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder
        self._open: dict[int, tuple[Invocation, dict[str, object]]] = {}

    def on_request(self, exchange: Exchange) -> None:
        request, about = exchange.request, _about(exchange)
        value = about.copy()
        value["attempt"], value["payload"] = request.attempt, request.payload
        self._open[exchange.number] = self._recorder.invoke("wire", request.op, value), about

    def on_answer(self, exchange: Exchange, answer: Answer) -> None:
        """What the server said stands in the end of the exchange."""

    def on_copy(self, exchange: Exchange, answer: Answer | None) -> None:
        value = {**_about(exchange), "fault": "duplicate-request", **_server(answer)}
        call = self._recorder.invoke("network", exchange.request.op, value)
        if answer is None:
            call.info(value, "an extra delivery without an answer")
        else:
            call.ok({**value, "status": answer.status, "body": answer.body})

    def on_end(self, exchange: Exchange, outcome: Outcome) -> None:
        call, value = self._open.pop(exchange.number)
        value["fault"] = outcome.fault
        if outcome.server is not None:
            value["server_status"] = outcome.server.status
            value["server_body"] = outcome.server.body
        if outcome.client is not None:
            client = outcome.client
            value["status"], value["body"] = client.status, client.body
            value["retry_after"] = _seconds(client.retry_after)
            call.ok(value)
        elif outcome.reached:
            call.info(value, outcome.why or "no answer was delivered")
        else:
            call.fail(value, outcome.why or "never reached the server")


def _about(exchange: Exchange) -> dict[str, object]:
    request = exchange.request
    return {"link": request.link, "service": exchange.service, "ticket": request.ticket}


def _server(answer: Answer | None) -> dict[str, object]:
    if answer is None:
        return {}
    return {"server_status": answer.status, "server_body": answer.body}


def _seconds(header: str | None) -> float | None:
    return float(header) if header is not None and header.isdigit() else None
