"""What holds for every input that Hypothesis can think of."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from scenarios.contract.bench import Bench
from scenarios.contract.check import Check, Failed, expect, require
from scenarios.contract.registrations import Payload, is_kept, is_told, is_unknown, registered

T = TypeVar("T")

EXAMPLES = 60
PROPERTY_S_MAX = 8.0
"""After this a property is neither tried further nor made smaller."""


def hold(bench: Bench, strategy: Any, prove: Callable[[T], None], examples: int = EXAMPLES) -> None:
    """Tries `prove` on what the strategy draws from the run's seed. Raises the smallest `Failed`.

    Time bounds it, and a server may answer otherwise the second time: so it is remembered here
    what failed, and not left to Hypothesis to meet it again."""
    from hypothesis import HealthCheck, Phase, given, seed, settings
    from hypothesis.errors import HypothesisException

    failed: Failed | None = None
    until = time.monotonic() + PROPERTY_S_MAX

    @seed(bench.seed)
    @settings(
        max_examples=examples,
        deadline=None,
        database=None,
        phases=(Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck),
        report_multiple_bugs=False,
    )
    @given(strategy)
    def each(drawn: T) -> None:
        nonlocal failed
        if time.monotonic() > until:
            return
        if failed is not None and failed.exchange is not None and failed.exchange.status is None:
            raise failed  # each further try would cost as long a wait
        try:
            prove(drawn)
        except Failed as error:
            failed = error
            raise

    try:
        each()
    except (Failed, HypothesisException):
        if failed is None:
            raise
    if failed is not None:
        raise failed


def _registrations() -> Any:
    from hypothesis import strategies as st

    printable = st.characters(exclude_categories=("C", "Z"), max_codepoint=0x2FFF)

    @st.composite
    def draw_one(draw: Any) -> Payload:
        direction = draw(st.sampled_from(("BUY", "SELL")))
        sign = 1 if direction == "BUY" else -1
        entry = draw(st.integers(2, 10**7) | st.floats(0.001, 1e7))
        share = st.none() | st.floats(0.001, 0.5)
        loss, profit = draw(share), draw(share)
        return {
            "symbol": draw(st.text(printable, min_size=1, max_size=32)),
            "direction": direction,
            "entry": entry,
            "volume": draw(st.floats(0.001, 1000.0) | st.integers(1, 1000)),
            "stop_loss": None if loss is None else entry * (1 - sign * loss),
            "take_profit": None if profit is None else entry * (1 + sign * profit),
        }

    return draw_one()


def round_trip(bench: Bench) -> None:
    server = bench.shared()

    def prove(drawn: Payload) -> None:
        payload = {"ticket": bench.ticket(), **drawn}
        is_told(registered(server, payload), payload)
        is_kept(server, payload)

    hold(bench, _registrations(), prove)


def idempotent(bench: Bench) -> None:
    server = bench.shared()

    def prove(drawn: Payload) -> None:
        payload = {"ticket": bench.ticket(), **drawn}
        registered(server, payload)
        turned = dict(reversed(payload.items()))
        for _time in range(2):
            told = server.enable(turned)
            body = expect(told, 200)
            require(body.get("already_registered") is True, "it counts as new", told)
            is_told(told, payload)

    hold(bench, _registrations(), prove)


def conflicts(bench: Bench) -> None:
    from hypothesis import strategies as st

    server = bench.shared()
    pairs = st.tuples(_registrations(), _registrations()).filter(lambda two: two[0] != two[1])

    def prove(drawn: tuple[Payload, Payload]) -> None:
        ticket = bench.ticket()
        first, second = ({"ticket": ticket, **payload} for payload in drawn)
        registered(server, first)
        expect(server.enable(second), 409)
        is_kept(server, first)

    hold(bench, pairs, prove)


def _wrong_values() -> Any:
    """For each field what it can never be."""
    from hypothesis import strategies as st

    numbers = st.floats(allow_nan=False, allow_infinity=False)
    other = (
        st.booleans()
        | st.lists(st.integers(), max_size=2)
        | st.dictionaries(st.text(max_size=3), st.integers(), max_size=2)
    )
    text = st.text(max_size=20)
    not_positive = st.integers(max_value=0) | numbers.filter(lambda n: n <= 0)
    amount = st.none() | other | text | not_positive
    fields: dict[str, Any] = {
        "ticket": st.none()
        | other
        | text
        | st.integers(max_value=0)
        | st.integers(min_value=2**63)
        | numbers.filter(lambda n: n != int(n)),
        "symbol": st.none()
        | other
        | numbers
        | st.just("")
        | st.text(min_size=33, max_size=60).filter(lambda s: len(s) > 32)
        | st.text(st.characters(max_codepoint=31), min_size=1, max_size=5),
        "direction": st.none() | other | numbers | text.filter(lambda s: s not in {"BUY", "SELL"}),
        "entry": amount,
        "volume": amount | st.floats(1000.001, 1e12),
        "stop_loss": other | text | not_positive,
        "take_profit": other | text | not_positive,
    }
    return st.sampled_from(sorted(fields)).flatmap(
        lambda name: st.tuples(st.just(name), fields[name])
    )


def one_field_wrong(bench: Bench) -> None:
    from hypothesis import strategies as st

    server = bench.shared()

    def prove(drawn: tuple[Payload, tuple[str, object]]) -> None:
        payload, (name, value) = drawn
        ticket = bench.ticket()
        told = server.enable({"ticket": ticket, **payload, name: value})
        expect(told, 422)
        is_unknown(server, ticket)

    hold(bench, st.tuples(_registrations(), _wrong_values()), prove, 120)


def any_json(bench: Bench) -> None:
    from hypothesis import strategies as st

    server = bench.shared()
    values = st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
        lambda inner: (
            st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4)
        ),
        max_leaves=10,
    )

    def prove(drawn: object) -> None:
        if isinstance(drawn, Mapping) and "ticket" in drawn:
            return
        expect(server.enable(json.dumps(drawn).encode()), 400, 422)

    hold(bench, values, prove, 100)


def any_bytes(bench: Bench) -> None:
    from hypothesis import strategies as st

    server = bench.shared()

    def prove(drawn: bytes) -> None:
        expect(server.enable(drawn), 400, 422)

    hold(bench, st.binary(max_size=300), prove, 100)


CHECKS = (
    Check(
        "any-registration",
        "MUST",
        "enable",
        "Any valid registration is taken, and found with the data that it has.",
        round_trip,
    ),
    Check(
        "any-registration-again",
        "MUST",
        "enable",
        "Any registration again, its fields in another order, is already_registered.",
        idempotent,
    ),
    Check(
        "any-conflict",
        "MUST",
        "enable",
        "Any other data under a known ticket are a 409, and change nothing.",
        conflicts,
    ),
    Check(
        "any-field-wrong",
        "MUST",
        "bad input",
        "With any field wrong in any way a registration is a 422, and nothing is stored.",
        one_field_wrong,
    ),
    Check(
        "any-json",
        "MUST",
        "bad input",
        "Any JSON that is no registration is refused, and is no error of the server.",
        any_json,
    ),
    Check(
        "any-bytes",
        "MUST",
        "bad input",
        "Any bytes at all are refused, and are no error of the server.",
        any_bytes,
    ),
)
