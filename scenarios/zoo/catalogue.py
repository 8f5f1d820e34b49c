"""Every specimen there is, and who may claim it."""

from __future__ import annotations

from dataclasses import replace

from scenarios.zoo import cores, engines, planted
from scenarios.zoo.specimen import Specimen, by_contract, client, part, server

KEPT = "acknowledged_is_kept"
ONCE = "registered_at_most_once"
ONE_NEW = "one_new_answer_per_ticket"
ORDER = "answers_have_an_order"
HONEST = "failure_is_honest"
ONE_MANAGER = "managed_by_exactly_one"
PAYLOAD = "payload_arrived_as_executed"
PROTECTED = "unprotected_time_is_bounded"
UNBLOCKED = "caller_is_never_blocked"
DISCIPLINE = "retry_discipline"
BREAKER = "breaker_is_silent"
BEFORE_READY = "nothing_sent_before_ready"
BACK = "targets_keep_running"
HEALTH = "health_tells_the_truth"
CONFLICT = "conflict_is_reported"
BAD_INPUT = "bad_input_changes_nothing"
TOLD = "failures_are_logged_and_alerted"
LEAKS = "nothing_leaks"

CLIENTS: tuple[Specimen, ...] = (
    client("outcomes", "fire_and_forget", "says yes, and sends once afterwards", KEPT),
    client("outcomes", "unknown_is_failure", "takes no answer for a no", HONEST),
    client("outcomes", "unknown_is_success", "takes no answer for a yes", KEPT),
    client("outcomes", "trusts_any_200", "takes every 200 for a success", KEPT),
    client("outcomes", "trusts_any_echo", "takes another trade's success for its own", KEPT),
    client("outcomes", "truthy_is_success", 'takes "true" and 1 for a success', KEPT),
    client("outcomes", "conflict_is_success", "takes a conflict for a success", CONFLICT),
    client("outcomes", "already_is_failure", "reports what was there as not there", HONEST),
    client("outcomes", "error_is_failure", "takes a 5xx for a no", HONEST, PROTECTED),
    client("outcomes", "believes_not_found", "takes 404 for good too soon", HONEST),
    client("outcomes", "pool_timeout_is_failure", "takes a full pool for a no", PROTECTED),
    client("payloads", "zero_is_missing", "takes a zero for nothing", PAYLOAD),
    client("payloads", "stops_swapped", "sends stop and target swapped", PAYLOAD, PROTECTED),
    client("payloads", "stop_forgotten", "knows the stop by one name only", PAYLOAD),
    client("payloads", "volume_rounded", "rounds the volume", PAYLOAD),
    client("payloads", "string_ticket", "sends the ticket as a string", PROTECTED),
    client("payloads", "direction_as_given", "sends the direction in any case", PROTECTED),
    client("payloads", "details_ignored", "does not look under details", PROTECTED),
    client("retries", "no_back_off", "tries again at once", DISCIPLINE),
    client("retries", "refusals_retried", "tries again after a refusal", DISCIPLINE),
    client("retries", "retry_after_ignored", "comes back sooner than asked", DISCIPLINE),
    client("retries", "one_attempt", "gives up at the first error status", PROTECTED),
    client("retries", "gives_up_soon", "has no patience", PROTECTED),
    client("retries", "more_than_asked", "tries more often than it may", DISCIPLINE),
    client("retries", "no_deadline", "has no deadline for all attempts", UNBLOCKED),
    client("retries", "timeout_ignored", "ignores the time-out", UNBLOCKED),
    client("retries", "one_at_a_time", "holds a lock across the network", UNBLOCKED),
    client("retries", "raises_into_the_caller", "raises into its caller", UNBLOCKED),
    replace(
        client(
            "blocking",
            "one_client_for_all_loops",
            "shares one HTTP client among event loops",
            UNBLOCKED,
            PROTECTED,
        ),
        world="local",
        where=("hundred-at-once",),
    ),
    part("client", planted.TIMEOUT_IS_FAILURE, "takes a time-out for a no", HONEST),
    part("client", planted.SEND_THEN_WRITE, "writes to the outbox after it sent", KEPT, PROTECTED),
    part("client", planted.NEVER_HALF_OPENS, "never closes its breaker again", PROTECTED),
    part("client", cores.STRATEGY_IGNORED, "takes every trade to DTMS", ONE_MANAGER),
    part("client", cores.BOTH_MANAGERS, "makes two managers", ONE_MANAGER, ONCE),
    part("client", cores.LEAVES_IT_TO_NOBODY, "does not fall back", ONE_MANAGER, KEPT),
    part("client", cores.FORGETS_AT_CRASH, "forgets at a crash", KEPT, PROTECTED),
    part("client", cores.PROMISES_FIRST, "promises before it is durable", KEPT, PROTECTED),
    part("client", cores.SENDS_BEFORE_READY, "sends before the API is ready", BEFORE_READY),
    part("client", cores.FAILS_SILENTLY, "tells nobody that sends fail", TOLD),
    part("client", cores.LEAVES_TASKS, "leaves a task for each registration", LEAKS),
    part("client", cores.KNOCKS_WHILE_OPEN, "sends while its breaker is open", BREAKER),
)

SERVERS: tuple[Specimen, ...] = (
    server("registering", "memory_before_store", "stores after it acknowledged", KEPT, ORDER),
    server("registering", "never_stored", "keeps everything in memory", KEPT, ORDER),
    server("registering", "check_then_act", "looks first, registers later", ONCE, ONE_NEW, ORDER),
    server("registering", "retry_is_new", "takes a retry for a new trade", ONCE, ONE_NEW, ORDER),
    server("registering", "conflict_overwritten", "overwrites at a conflict", CONFLICT, ORDER),
    server("registering", "conflict_merged", "merges at a conflict", CONFLICT, ORDER),
    server("registering", "same_is_conflict", "takes the same for a conflict", ORDER, HONEST),
    server("registering", "string_tickets", "takes strings for tickets", BAD_INPUT, ORDER),
    server("registering", "nan_accepted", "takes NaN for a price", BAD_INPUT),
    server("registering", "wrong_side_accepted", "takes stops on the wrong side", BAD_INPUT),
    server("registering", "prices_rounded", "rounds prices", PAYLOAD, ORDER),
    server("registering", "stop_ignored", "drops the stops of short positions", PAYLOAD, ORDER),
    server("registering", "lock_taken_twice", "locks itself out", PROTECTED, UNBLOCKED),
    server("registering", "close_forgotten", "says closed, and goes on", ORDER),
    server("recovering", "forgets_at_restart", "does not read its store", KEPT, ORDER),
    server("recovering", "silence_is_empty", "closes all when the broker is silent", KEPT),
    server("recovering", "state_reset", "opens at a restart what was closed", ORDER),
    server("recovering", "column_forgotten", "forgets stops at a restart", PAYLOAD, ORDER),
    server("recovering", "store_wins", "keeps its own data against the broker's", PAYLOAD, KEPT),
    server("recovering", "ready_before_recovered", "says ready too soon", ONE_NEW, ONCE, ORDER),
    server("recovering", "owners_not_asked", "adopts what others manage", ONE_MANAGER, ONCE),
    server("recovering", "never_ready_again", "comes up only where it is new", BACK),
    server("recovering", "crashes_on_its_own_rows", "cannot read what it wrote", BACK),
    server("recovering", "recovers_before_it_listens", "second instance spoils the store", KEPT),
    server("answering", "unknown_is_200", "answers 200 for an unknown ticket", ORDER, KEPT),
    server("answering", "health_in_a_list", "tells its health in a list", HEALTH),
    server("answering", "healthy_whatever_happens", "says ready from the start", HEALTH),
    server("answering", "not_ready_is_refused", "refuses for good while it starts", PROTECTED),
    server("answering", "refused_after_commit", "registers, and says it did not", HONEST, ORDER),
    server("answering", "bad_input_breaks_it", "breaks at bad input", BAD_INPUT),
    server("answering", "answers_another", "answers one with another's trade", ORDER),
    part("server", planted.ACK_BEFORE_SYNC, "acknowledges before the sync", KEPT, ORDER),
    part("server", planted.NEW_AGAIN, "takes what it recovered for new", ONE_NEW, ONCE, ORDER),
    part("server", planted.LOOKUP_RACES_RECOVERY, "answers while it recovers", ONE_NEW, ORDER),
    part("server", engines.SWALLOWS_STORE_FAILURES, "hides that its store fails", KEPT, ORDER),
    part("server", engines.ACTIVE_THOUGH_NOT_STORED, "keeps what it refused", ORDER, KEPT, ONE_NEW),
    part("server", engines.OWNERS_FORGOTTEN, "asks nobody whose it is", ONE_MANAGER, ONCE),
    replace(
        server("registering", "blocks_the_loop", "blocks its event loop", PROTECTED, UNBLOCKED),
        world="local",
        where=("hundred-at-once",),
    ),
    by_contract("answering", "error_after_commit", "registers, and answers 500", "enable-new"),
    by_contract(
        "answering",
        "unknown_until_ready",
        "calls unknown what it has not yet recovered",
        "not-ready-lookup",
    ),
    by_contract(
        "answering",
        "drops_at_initialise",
        "drops live trades when it initialises again",
        "initialize",
    ),
    by_contract(
        "protecting",
        "nothing_is_limited",
        "limits nothing",
        "registrations-limited",
        "queries-limited",
    ),
    by_contract(
        "protecting",
        "one_limit_for_all",
        "counts the requests of all clients together",
        "limited-by-client",
    ),
    by_contract(
        "protecting",
        "key_of_any_alphabet",
        "breaks at a key that is no ASCII",
        "key-odd",
    ),
    by_contract(
        "protecting",
        "empty_key_passes",
        "takes no key for the right one",
        "key-odd",
        "key-for-registrations",
        "key-for-initialize",
        "key-for-delete",
    ),
    by_contract(
        "protecting",
        "key_by_its_beginning",
        "takes a key that begins like the right one",
        "key-odd",
        "key-for-registrations",
    ),
    by_contract(
        "protecting",
        "only_told_lengths",
        "reads any body whose length is not told",
        "body-too-large-chunked",
    ),
)

CORRECT: tuple[Specimen, ...] = (
    client("correct", "register_trade", ""),
    replace(
        client("blocking", "register_trade", ""),
        name="register-trade-blocking",
        world="local",
        where=(
            "down-during",
            "answer-lost-once",
            "errors-then-fine",
            "throttled",
            "refused",
            "zero-is-a-value",
            "same-trade-everywhere",
            "conflicting-payloads",
            "hundred-at-once",
            "kill-after-ack",
        ),
    ),
    server("correct", "make_app", ""),
    by_contract("protecting", "make_protecting_app", ""),
)
"""Written independently of the core; never to be blamed."""
