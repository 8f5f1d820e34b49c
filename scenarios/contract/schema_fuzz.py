"""The published schema against the server: requests that Schemathesis makes from it, sent like all
others."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from functools import cache, partial
from pathlib import Path
from typing import Any, cast

import httpx

import simulator
from scenarios.contract.bench import Bench
from scenarios.contract.check import Check, Failed, Need
from scenarios.contract.exchange import Exchange
from scenarios.contract.properties import hold

SCHEMA = Path(simulator.__file__).parent / "openapi.yaml"
CASES = 30
DECODED = ("content-encoding", "transfer-encoding", "content-length")
CORE = (
    "POST /dtms/trade/enable",
    "GET /dtms/trade/{ticket}",
    "GET /health",
    "GET /dtms/health",
)


@cache
def _schema() -> Any:
    import schemathesis

    return schemathesis.openapi.from_path(SCHEMA)


def fuzz(operation: str, judge: Callable[[Any, Exchange, Any], None], bench: Bench) -> None:
    from hypothesis.errors import Unsatisfiable
    from requests import Request
    from schemathesis.generation import GenerationMode

    server = bench.shared()
    method, _, path = operation.partition(" ")
    described = _schema()[path][method]

    def prove(case: Any) -> None:
        words = case.as_transport_kwargs(base_url=server.base)
        known = {"method", "url", "headers", "files", "data", "params", "auth", "cookies", "json"}
        request = Request(**{k: v for k, v in words.items() if k in known}).prepare()
        body = request.body
        told = server.ask(
            str(request.method),
            str(request.url).removeprefix(server.base),
            body.encode() if isinstance(body, str) else cast("bytes | None", body),
            {str(name): _text(value) for name, value in request.headers.items()},
        )
        if told.status is None:
            raise Failed(f"there was {told.trouble}", told)
        judge(case, told, request)

    for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):
        try:
            hold(bench, described.as_strategy(generation_mode=mode), prove, CASES)
        except Unsatisfiable:
            continue  # there is nothing to get wrong about this operation
        except Exception as error:
            if isinstance(error, Failed) or "negative" not in str(error).lower():
                raise


def no_server_error(_case: Any, told: Exchange, _request: Any) -> None:
    if told.status is not None and told.status >= 500:
        raise Failed(f"{told.status} is an error of the server's own", told)


def as_described(case: Any, told: Exchange, request: Any) -> None:
    from schemathesis.core.failures import Failure, FailureGroup
    from schemathesis.specs.openapi.checks import (
        content_type_conformance,
        response_schema_conformance,
        status_code_conformance,
    )

    checks = [status_code_conformance, content_type_conformance, response_schema_conformance]
    try:
        case.validate_response(_answer(told, request), checks=checks)
    except (Failure, FailureGroup) as group:
        found = group.exceptions if isinstance(group, FailureGroup) else [group]
        lines = [line for line in str(found[0]).splitlines() if line.strip()]
        raise Failed("; ".join(lines[:3]), told) from group


def _answer(told: Exchange, request: Any) -> httpx.Response:
    """What came back, as Schemathesis takes it; it was decoded already."""
    assert told.status is not None
    kept = {k: v for k, v in told.headers.items() if k not in DECODED}
    answer = httpx.Response(
        told.status,
        headers=kept,
        content=told.raw,
        request=httpx.Request(request.method, request.url, content=told.sent),
    )
    answer.elapsed = timedelta(0)
    return answer


def _text(value: str | bytes) -> str:
    return value if isinstance(value, str) else value.decode("latin-1")


def _name(operation: str) -> str:
    words = operation.lower().replace("{", "").replace("}", "").replace("/", " ").split()
    return "-".join(words) if len(words) > 1 else f"{words[0]}-root"


_TOPIC = "schema"
OPERATIONS = (
    *CORE,
    "GET /",
    "GET /dtms/status",
    "GET /dtms/actions",
    "GET /dtms/engine",
    "GET /dtms/metrics",
    "POST /dtms/initialize",
    "DELETE /dtms/trade/{ticket}",
)


def _needs(operation: str) -> frozenset[Need]:
    if operation.startswith("DELETE"):
        return frozenset({"own", "optional"})  # it would close trades of others
    return frozenset() if operation in CORE else frozenset({"optional"})


CHECKS = (
    *(
        Check(
            f"no-error-{_name(operation)}",
            "MUST" if operation in CORE else "SHOULD",
            _TOPIC,
            f"{operation}: no request, good or bad, is answered with 5xx or not at all.",
            partial(fuzz, operation, no_server_error),
            _needs(operation),
        )
        for operation in OPERATIONS
    ),
    *(
        Check(
            f"described-{_name(operation)}",
            "SHOULD",
            _TOPIC,
            f"{operation}: every answer is one that the published schema describes.",
            partial(fuzz, operation, as_described),
            _needs(operation),
        )
        for operation in OPERATIONS
    ),
)
