"""Checker: nothing is sent before the server is ready."""

from __future__ import annotations

from scenarios.evidence.actors import SERVER, told
from scenarios.evidence.exchange import exchanges
from scenarios.history import History
from scenarios.verdict import Invalid, Unknown, Valid, Verdict, conclude


def nothing_sent_before_ready(history: History) -> Verdict:
    """Until the server was ready for the first time no registration reached it.

    It was ready at the earliest when the request began that was answered so. What it took all the
    same shows that it was ready. Does not check: later restarts, which a cached answer may miss,
    nor attempts that found no open port."""
    sends = exchanges(history, "enable")
    ready = _first_ready(history)
    early = [
        send
        for send in sends
        if send.reached
        and not (send.server is not None and send.server.registered)
        and (ready is None or send.begun < ready)
    ]
    if early:
        return conclude(
            Invalid(
                f"{send.service} sent {send.ticket} before the server was ready",
                send.call.indices,
                () if send.ticket is None else (send.ticket,),
            )
            for send in early
        )
    if ready is None:
        return Unknown("the server was never ready")
    if not sends:
        return Unknown("no registration was sent")
    return Valid()


def _first_ready(history: History) -> int | None:
    """The index of the first operation that shows the server ready, or about to be."""
    found = [op.index for op in told(history, "ready", SERVER)]
    found += [
        probe.begun
        for probe in exchanges(history, "health")
        if probe.server is not None and probe.server.status == 200
    ]
    found += [
        call.invoke.index
        for call in history.calls("health", service="auditor")
        if call.ended == "ok" and call.get("status_code") == 200
    ]
    return min(found, default=None)
