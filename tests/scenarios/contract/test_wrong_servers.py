"""Servers with one thing wrong each fail the checks that are meant for it, and no others."""

from pathlib import Path

import pytest

from scenarios.contract.bench import Bench
from scenarios.contract.catalogue import CHECKS
from scenarios.contract.run import prove_all
from scenarios.targets.spec import server_target

HERE = Path(__file__).parent
DRAWN = ("any-", "no-error-", "described-")
SHARED = [c for c in CHECKS if not c.needs and not c.name.startswith(DRAWN)]
"""Made of every wrong server; checks with a server of their own take long, and are made where one
is wrong in what they look at."""
WAITING = {
    "not-ready",
    "not-healthy",
    "not-ready-enable",
    "not-ready-retry-after",
    "not-ready-lookup",
    "not-ready-stores-nothing",
    "becomes-ready",
}
KILLED = {"survives-kill", "recovered-when-ready", "known-after-restart", "registered-at-kept"}
RECOVERED = {
    "ready-is-recovered",
    "recovery-restores",
    "recovery-closes",
    "recovery-adopts",
    "recovery-broker-wins",
}
UNSTORED = {"not-persisted", "not-persisted-not-active", "store-heals", "store-health"}
UNREADABLE = {
    "refuses-deep-list",
    "refuses-empty",
    "refuses-infinite-volume",
    "refuses-nan-entry",
    "refuses-nan-stop",
    "refuses-not-utf8",
    "refuses-number-too-long",
    "refuses-truncated",
}
STATELESS = {
    "dtms-health-counts",
    "enable-again",
    "enable-conflict",
    "enable-conflict-changes-nothing",
    "enable-limits",
    "enable-new-is-there",
    "enable-sell",
    "enable-without-stops",
    "lookup-known",
    "lookup-protection",
    "together-different",
    "together-distinct",
    "together-identical",
}

WRONG: dict[str, tuple[set[str], set[str]]] = {
    # what fails, and which checks are made besides the shared ones
    "string_tickets": ({"refuses-string-ticket", "string-is-not-number"}, set()),
    "not_a_number": ({"refuses-nan-entry", "refuses-nan-stop"}, set()),
    "unknown_is_found": ({"lookup-unknown", "lookup-out-of-range"}, set()),
    "conflict_overwrites": ({"enable-conflict-changes-nothing", "together-different"}, set()),
    "ready_before_recovered": ({"recovered-when-ready"}, KILLED),
    "broken_json_is500": ({"no-json-is-400", *UNREADABLE}, set()),
    "races": ({"together-identical", "together-different"}, set()),
    "acknowledges_first": (
        {"survives-kill", "survives-kill-amid"},
        KILLED | {"survives-kill-amid"},
    ),
    "healthy_too_soon": ({"not-healthy", "store-health"}, WAITING | UNSTORED),
    "no_retry_after": ({"not-ready-retry-after"}, WAITING),
    "echo": (STATELESS, set()),
    "wrong_sides": (
        {
            "refuses-stop-on-wrong-side",
            "refuses-target-on-wrong-side",
            "refuses-sell-stop-below",
            "refuses-sell-target-above",
        },
        set(),
    ),
    "no_correlation": ({"correlation-echoed", "correlation-echoed-in-errors"}, set()),
    "any_size": ({"body-too-large", "body-too-large-chunked"}, set()),
    "no_data_is_empty": ({"no-data-is-not-empty"}, {"no-data-is-not-empty", "down-is-not-empty"}),
    "active_but_not_stored": ({"not-persisted-not-active"}, UNSTORED),
    "names_nothing": ({"names-the-field"}, set()),
    "always_new": ({"enable-again", "together-identical"}, set()),
    "make_app": (set(), WAITING | KILLED | RECOVERED | UNSTORED),
}


@pytest.mark.parametrize("name", WRONG)
def test_each_wrong_server_fails_what_is_meant_for_it(name: str) -> None:
    expected, besides = WRONG[name]
    file = "minimal_server.py" if name == "make_app" else "wrong_servers.py"
    checks = [c for c in CHECKS if c in SHARED or c.name in besides]
    with Bench(server_target(f"{HERE / file}:{name}"), seed=1) as bench:
        results = list(prove_all(bench, checks, "core", frozenset({"optional"})))
    failed = {result.check.name: result.why for result in results if result.verdict != "passed"}
    assert set(failed) == expected, sorted(failed)
