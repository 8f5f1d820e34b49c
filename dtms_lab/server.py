"""The server under a test: where to call it, and what can be done to it."""

from __future__ import annotations

from typing import Any

from dtms_lab.stand import Stand

__tracebackhide__ = True


class Server:
    """A DTMS API of this test's own, with an empty store, behind a fault proxy."""

    def __init__(self, stand: Stand) -> None:
        self._stand = stand

    def __repr__(self) -> str:
        return f"<dtms_server at {self.url}>"

    @property
    def url(self) -> str:
        """What the code under test calls: through the fault proxy."""
        return self._stand.url

    def url_for(self, service: str) -> str:
        """The same for one of several services, by name: faults can hit its link alone, and what
        its client says goes to `dtms_history.register(..., service=name)`."""
        url: str = self._stand.ask("url_for", service=service)
        return url

    @property
    def direct_url(self) -> str:
        """The server itself; no fault of the network is in between, and nobody takes notes."""
        return self._stand.direct_url

    def kill(self) -> None:
        """kill -9. What it had stored stays; nothing happens where it does not run."""
        self._stand.ask("control", how="kill")

    def restart(self) -> None:
        """Stops it in good order where it runs, starts it and waits until it is ready."""
        self._stand.ask("control", how="restart")

    def pause(self) -> None:
        """SIGSTOP: it keeps its connections and answers nothing."""
        self._stand.ask("control", how="pause")

    def resume(self) -> None:
        """SIGCONT."""
        self._stand.ask("control", how="resume")

    def trade(self, ticket: int) -> dict[str, Any] | None:
        """What it holds of the ticket, `trade_info` by the contract; None where it holds nothing.
        Asked directly: no fault is in between. Raises `LabFailed` where it does not answer."""
        held: dict[str, Any] | None = self._stand.ask("trade", ticket=ticket)
        return held
