"""Somebody else answers."""

from __future__ import annotations

from dataclasses import dataclass

from chaos.choice import Draw
from chaos.faults.aim import AimedAtRequests
from chaos.refusal import refuse_unless
from chaos.request import RequestView
from chaos.verdict import Reply, Verdict

INJECTED = '{"error": "injected", "message": "This is a fault.", "details": {}}'


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerFor(AimedAtRequests):
    """The server never sees the request; the client gets this answer, its body over `over_s`."""

    status: int
    body: str = INJECTED
    retry_after_s: int | None = None
    headers: tuple[tuple[str, str], ...] = ()
    over_s: float = 0.0

    def __post_init__(self) -> None:
        AimedAtRequests.__post_init__(self)
        check_status(self.status)
        check_retry_after(self.retry_after_s)
        refuse_unless(self.over_s >= 0, f"An answer does not take {self.over_s} s.")
        for name, value in self.headers:
            refuse_unless(
                not set("\r\n") & set(name + value), f"The header {name!r} would split the answer."
            )

    def hit(self, request: RequestView, nth: int, draw: Draw) -> Verdict:  # noqa: ARG002
        return reply(self.status, self.body, self.retry_after_s, self.headers, self.over_s)


def check_status(status: int) -> None:
    """Raises `ValueError` for what is no final HTTP status."""
    refuse_unless(200 <= status <= 599, f"An answer's status is 200 to 599, not {status}.")


def check_retry_after(retry_after_s: int | None) -> None:
    """Raises `ValueError` for what Retry-After cannot say."""
    refuse_unless(
        retry_after_s is None or (isinstance(retry_after_s, int) and retry_after_s >= 0),
        f"Retry-After is a whole number of seconds, not {retry_after_s}.",
    )


def reply(
    status: int,
    body: str,
    retry_after_s: int | None,
    headers: tuple[tuple[str, str], ...] = (),
    over_s: float = 0.0,
) -> Reply:
    """A JSON answer in the server's place."""
    given = {name.lower() for name, _value in headers}
    if "content-type" not in given:
        headers = (("content-type", "application/json"), *headers)
    if retry_after_s is not None:
        headers = (*headers, ("retry-after", str(retry_after_s)))
    return Reply(status, headers, body.encode(), over_s)
