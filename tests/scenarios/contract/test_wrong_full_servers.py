"""Full servers with one thing wrong each fail the checks that are meant for it, and no others of
the topics that they could touch; the full server itself fails none."""

import sys
from pathlib import Path

import pytest

from scenarios.contract import (
    broker_at_start,
    durability,
    failed_start,
    failing_store,
    keys,
    limits,
    monitoring,
    optional,
    recovery,
    startup,
)
from scenarios.contract.bench import Bench
from scenarios.contract.run import prove_all
from scenarios.targets.spec import server_target

HERE = Path(__file__).parent
TOPICS = (
    durability,
    failing_store,
    startup,
    broker_at_start,
    recovery,
    failed_start,
    monitoring,
    limits,
    keys,
)
SILENT = ("down", "no-data", "raises", "rubbish")
MISSING = {"root", "status", "actions"}
"""What the full server does not tell, or not the whole of."""
PROGRAM = "{port} {data_dir} {broker_url} {registry_url}"

WRONG = {
    # what fails, and the topics whose checks are made
    "optional_too_soon": (
        {"not-ready-status", "not-ready-actions", "not-ready-engine"},
        [startup],
    ),
    "bare_refusals": (
        {
            "not-ready-error-body",
            "not-persisted-error-body",
            "limited-error-body",
            "key-error-body",
        },
        [startup, failing_store, limits, keys],
    ),
    "stops_storing": ({"survives-stop-amid"}, [durability]),
    "forgets_at_its_end": ({"survives-stop", "survives-stop-amid"}, [durability]),
    "breaks_at_its_end": ({"shutting-down"}, [durability]),
    "healthy_without_store": (
        {
            "failed-start-never-healthy",
            "failed-start-fields",
            "store-health",
            "corrupt-store-degraded",
        },
        [failed_start, failing_store],
    ),
    "no_fields_when_it_fails": (
        {"failed-start-fields", "store-dtms-health"},
        [failed_start, failing_store],
    ),
    "raises_is_empty": (
        {"raises-is-not-empty", "running-raises-is-not-empty"},
        [broker_at_start, monitoring],
    ),
    "rubbish_is_empty": (
        {"rubbish-is-not-empty", "running-rubbish-is-not-empty"},
        [broker_at_start, monitoring],
    ),
    "slow_is_empty": ({"slow-is-not-empty"}, [broker_at_start]),
    "blocks_while_it_asks": ({"answers-while-broker-slow"}, [broker_at_start]),
    "silence_is_empty_later": (
        {f"running-{mode}-is-not-empty" for mode in SILENT},
        [broker_at_start, monitoring],
    ),
    "closes_nothing": ({"position-gone", "monitoring-goes-on"}, [monitoring]),
    "gives_up_after_silence": ({"monitoring-goes-on"}, [monitoring]),
    "stays_degraded": ({"broker-back"}, [monitoring]),
    "broker_not_missed": ({"broker-gone", "broker-back"}, [monitoring]),
    "check_stands": ({"last-check-moves"}, [monitoring]),
    "states_of_its_own": ({"states-are-known", "status-states"}, [monitoring]),
    "adopts_everything": ({"recovery-leaves-owned"}, [recovery]),
    "adopts_nothing_with_a_registry": ({"recovery-adopts-unowned"}, [recovery]),
    "state_and_time_at_the_start": (
        {"recovery-keeps-state", "last-updated-kept"},
        [recovery, durability],
    ),
    "monitors_later": ({"ready-is-monitored"}, [recovery]),
    "local_times": ({"times-are-utc"}, [durability]),
    "stingy": ({"registrations-pass", "queries-pass"}, [limits]),
    "one_limit_for_all": ({"limited-by-client"}, [limits]),
    "limited_for_long": ({"served-after-retry-after"}, [limits]),
    "keys_as_text": ({"key-odd"}, [keys]),
    "keys_by_their_beginning": ({"key-odd"}, [keys]),
    "deleted_counts": ({"delete-counts", "status-counts", *MISSING}, [optional]),
    "metrics_in_words": ({"metrics-format", *MISSING}, [optional]),
    "no_echo_in_errors": ({"correlation-echoed-in-errors", *MISSING}, [optional]),
}


def not_passed(name: str, topics) -> dict[str, str]:
    """The checks of the topics that the server did not pass, and why."""
    checks = [check for topic in topics for check in topic.CHECKS]
    with Bench(server_target(name), seed=1) as bench:
        results = list(prove_all(bench, checks, "full", frozenset()))
    return {r.check.name: r.why for r in results if r.verdict not in ("passed", "skipped")}


@pytest.mark.parametrize("name", WRONG)
def test_each_wrong_server_fails_what_is_meant_for_it(name: str) -> None:
    expected, topics = WRONG[name]
    failed = not_passed(f"{HERE / 'wrong_full_servers.py'}:{name}", topics)
    assert set(failed) == expected, failed


def test_the_full_server_passes_them_all() -> None:
    assert not_passed(f"{HERE / 'full_server.py'}:make_app", TOPICS) == {}


def test_a_program_that_takes_its_port_first_touches_nothing_when_it_is_busy() -> None:
    command = f"cmd:{sys.executable} {HERE / 'full_server.py'} {PROGRAM}"
    assert not_passed(command, [failed_start]) == {}


def test_one_that_touches_its_store_first_is_found_out() -> None:
    command = f"cmd:{sys.executable} {HERE / 'wrong_full_servers.py'} {PROGRAM}"
    checks = [c for c in failed_start.CHECKS if c.name.startswith("second-instance")]
    with Bench(server_target(command), seed=1) as bench:
        results = {r.check.name: r for r in prove_all(bench, checks, "full", frozenset())}
    assert results["second-instance"].verdict == "passed"
    assert results["second-instance-touches-nothing"].verdict == "failed"
    assert "trades.db" in results["second-instance-touches-nothing"].why
