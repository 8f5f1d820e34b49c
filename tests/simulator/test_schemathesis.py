"""The served document against the served API: thousands of generated requests, over a real socket.

No answer may be a server error or one that the document does not describe.
"""

from collections import Counter

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from schemathesis.checks import not_a_server_error
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

CASES_MIN = 2_000
PER_OPERATION = 400
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]


@pytest.mark.timeout(300)
def test_two_thousand_generated_requests_find_nothing(simulate) -> None:
    process = simulate("--no-rate-limit")
    process.until("ready")
    schema = schemathesis.openapi.from_url(f"{process.url}/openapi.json")
    cases: Counter[str] = Counter()
    session = schemathesis_session()
    for result in schema.get_all_operations():
        operation = result.ok()
        for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):
            try:
                strategy = operation.as_strategy(generation_mode=mode)
                run(strategy, session, cases)
            except Exception as error:
                if "negative" in str(error).lower() or type(error).__name__ == "Unsatisfiable":
                    continue  # there is nothing to get wrong about this operation
                raise
    assert sum(cases.values()) >= CASES_MIN, cases
    assert process.popen.poll() is None
    assert httpx.get(f"{process.url}/health", trust_env=False).status_code == 200


def run(strategy, session, cases) -> None:
    from hypothesis import given

    @settings(
        max_examples=PER_OPERATION,
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=strategy)
    def ask(case) -> None:
        case.call_and_validate(session=session, checks=CHECKS)
        cases[f"{case.method} {case.path}"] += 1

    ask()


def schemathesis_session():
    import requests

    session = requests.Session()
    session.trust_env = False
    return session
