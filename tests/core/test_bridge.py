"""The two functions that services call: from plain code, loops, threads, and at exit."""

import asyncio
import io
import subprocess
import sys
import textwrap
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from core import bridge as bridges
from core import helper
from core.bridge import Accepted, Bridge, accept
from core.errors import OutboxFailed, RegistrationError
from core.helper import auto_register_dtms, close_bridges, install, register_trade_with_dtms_api
from core.outcome import Conflict, Registered, Rejected
from core.port import Answer
from core.settings import Policy

BRISK = Policy(base_s=0.01, cap_s=0.05, resume_interval_s=0.01, breaker_cooldown_s=0.05)
DATA = {"symbol": "XAUUSD", "direction": "buy", "price": 2350.0, "lot": 0.5}
URL = "http://127.0.0.1:8001"


class Yes:
    """An API that registers everything, and stays down while told to."""

    def __init__(self) -> None:
        self.down = False
        self.trades: dict[int, dict[str, object]] = {}
        self.timeouts: list[float] = []
        self.sends = 0

    async def enable(self, payload, *, timeout_s, correlation_id):
        self.timeouts.append(timeout_s)
        self.sends += 1
        if self.down:
            return Answer(500, {})
        info = {**payload, "entry_price": payload["entry"], "state": "HEALTHY"}
        self.trades[payload["ticket"]] = info
        return Answer(200, {"success": True, "trade_info": info, "already_registered": False})

    async def lookup(self, ticket, *, timeout_s, correlation_id):
        if ticket not in self.trades:
            return Answer(404, {})
        return Answer(200, {"state": "HEALTHY", "trade_info": self.trades[ticket]})

    async def health(self, *, timeout_s):
        return Answer(200, {"ready": True})

    async def aclose(self):
        return None


@pytest.fixture
def yes() -> Yes:
    return Yes()


@pytest.fixture
def bridge(make_core, yes, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    made = Bridge(lambda: make_core(BRISK, api=yes))
    install(URL, made)
    yield made
    close_bridges()


def test_plain_code_twice_in_a_row(bridge, yes) -> None:
    assert auto_register_dtms(1, DATA) is True
    assert auto_register_dtms(2, DATA) is True
    bridge.call(bridge.core.settle(10)).result(10)
    assert set(yes.trades) == {1, 2}


async def test_inside_a_running_loop(bridge, yes) -> None:
    assert auto_register_dtms(1, DATA) is True
    await asyncio.wrap_future(bridge.call(bridge.core.settle(10)))
    assert set(yes.trades) == {1}


def test_from_fifty_threads(bridge, yes) -> None:
    with ThreadPoolExecutor(50) as pool:
        assert all(pool.map(lambda n: auto_register_dtms(n, DATA), range(1, 201)))
    bridge.call(bridge.core.settle(20)).result(20)
    assert set(yes.trades) == set(range(1, 201))
    assert [t.name for t in threading.enumerate()].count("dtms-bridge") == 1


def test_it_comes_back_at_once_with_the_api_down(bridge, yes) -> None:
    yes.down = True
    auto_register_dtms(1, DATA)
    took = []
    for n in range(2, 102):
        began = time.perf_counter()
        assert auto_register_dtms(n, DATA)
        took.append(time.perf_counter() - began)
    assert sorted(took)[98] < 0.05


def test_the_outcome_may_be_awaited(bridge) -> None:
    accepted = accept(bridge, 1, DATA)
    assert isinstance(accepted, Accepted)
    assert accepted.outcome.result(10) == Registered(1, verified=True)


@pytest.mark.parametrize("data", [{}, {"symbol": "X"}, DATA | {"price": None}, None, 5])
def test_what_cannot_be_registered_is_false_told_and_never_raised(bridge, data, log, caplog):
    assert auto_register_dtms(1, data) is False
    assert "trade_refused" in log.getvalue() or caplog.records


def test_a_ticket_that_is_none_is_refused(bridge) -> None:
    assert accept(bridge, "7", DATA) == Rejected(0, "ticket: must be an integer, not str")


def test_other_data_under_the_ticket_are_false(bridge) -> None:
    assert auto_register_dtms(1, DATA)
    assert auto_register_dtms(1, DATA | {"lot": 9.0}) is False
    assert isinstance(accept(bridge, 1, DATA | {"lot": 9.0}), Conflict)


async def test_the_helper_registers(bridge, yes) -> None:
    assert await register_trade_with_dtms_api(1, DATA) is True
    assert yes.timeouts == [5.0]


async def test_the_helper_honours_its_arguments(bridge, yes) -> None:
    yes.down = True
    registered = await register_trade_with_dtms_api(1, DATA, retry_count=1, timeout=0.25)
    assert registered is None
    assert yes.timeouts[:2] == [0.25, 0.25]


async def test_the_helper_never_calls_unknown_a_failure(bridge, yes) -> None:
    yes.down = True
    assert await register_trade_with_dtms_api(1, DATA, retry_count=0) is None
    yes.down = False
    assert await asyncio.wrap_future(bridge.call(bridge.core.settle(20))) == ()
    assert set(yes.trades) == {1}


async def test_the_helper_waits_no_longer_than_the_deadline(bridge, make_core, yes) -> None:
    async def never_ready(*, timeout_s):
        return Answer(503, {})

    yes.health = never_ready
    bridge.core.policy = Policy(deadline_s=0.05)
    bridge.core._registrar.gate.on_trouble()
    assert await asyncio.wait_for(register_trade_with_dtms_api(1, DATA), 10) is None


@pytest.mark.parametrize(
    "arguments",
    [
        {"trade_data": {}},
        {"trade_data": None},
        {"ticket": "1"},
        {"retry_count": -1},
        {"retry_count": 1.5},
        {"timeout": 0},
        {"timeout": "5"},
        {"api_url": "ftp://x"},
        {"api_url": 5},
    ],
)
async def test_the_helper_never_raises(bridge, arguments, caplog) -> None:
    given = {"ticket": 1, "trade_data": DATA} | arguments
    assert await register_trade_with_dtms_api(**given) is False
    assert caplog.records


async def test_the_helper_can_be_cancelled(bridge, yes, until) -> None:
    async def forever(*, timeout_s):
        await asyncio.sleep(60)

    yes.health = forever
    bridge.core._registrar.gate.on_trouble()
    asking = asyncio.create_task(register_trade_with_dtms_api(1, DATA))
    await until(bridge.core.pending)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking


def test_a_closed_bridge_accepts_nothing_and_a_new_one_is_made(bridge, monkeypatch) -> None:
    accepted = accept(bridge, 1, DATA)
    accepted.outcome.result(10)
    bridge.close()
    bridge.close()
    with pytest.raises(OutboxFailed, match="closed"):
        accept(bridge, 2, DATA)
    made = []
    monkeypatch.setattr(helper, "_make", lambda url: made.append(url) or bridge)
    helper.bridge_for(URL)
    assert made == [URL]


def test_what_waits_when_the_bridge_closes_is_told_so(bridge, yes) -> None:
    yes.down = True

    async def not_ready(*, timeout_s):
        return Answer(503, {})

    yes.health = not_ready
    bridge.core._registrar.gate.on_trouble()
    accepted = accept(bridge, 1, DATA)
    bridge.close()
    with pytest.raises(RegistrationError, match="pending"):
        accepted.outcome.result(5)


def test_a_core_that_cannot_start_leaves_no_thread(make_core, tmp_path) -> None:
    (tmp_path / "outbox.db").mkdir()
    with pytest.raises(OutboxFailed):
        Bridge(make_core)
    assert "dtms-bridge" not in [t.name for t in threading.enumerate()]


def test_an_intent_that_is_not_durable_in_time_is_not_accepted(bridge, monkeypatch) -> None:
    from concurrent.futures import Future

    monkeypatch.setattr(bridges, "DURABLE_S_MAX", 0.01)
    monkeypatch.setattr(bridge.core, "put", lambda _trade: Future())
    assert auto_register_dtms(1, DATA) is False


def test_a_core_that_does_not_end_is_told(make_core, yes, monkeypatch, log) -> None:
    made = Bridge(lambda: make_core(BRISK, api=yes))
    real = made.core.aclose

    async def stuck() -> None:
        await asyncio.sleep(0.2)
        await real()

    monkeypatch.setattr(bridges, "CLOSE_S_MAX", 0.05)
    monkeypatch.setattr(made.core, "aclose", stuck)
    made.close()
    assert "did not end" in log.getvalue()
    monkeypatch.undo()
    made._loop.call_soon_threadsafe(lambda: None) if made._loop.is_running() else None


def test_one_process_registers_with_a_bounded_number_of_apis(bridge, monkeypatch) -> None:
    monkeypatch.setattr(helper, "BRIDGES_MAX", 1)
    with pytest.raises(ValueError, match="at most"):
        helper.bridge_for("http://127.0.0.1:9")


def run(program: str, tmp_path, **environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)],
        capture_output=True,
        text=True,
        timeout=60,
        cwd=tmp_path,
        env={"PATH": "", "DTMS_OUTBOX_DIR": str(tmp_path / "state"), **environ},
    )


def test_at_interpreter_exit_all_is_closed_and_the_intents_stay(tmp_path, closed_port) -> None:
    ended = run(
        f"""
        from core import auto_register_dtms
        data = {DATA!r}
        assert auto_register_dtms(1, data) and auto_register_dtms(2, data)
        """,
        tmp_path,
        DTMS_API_PORT=str(closed_port),
        DTMS_SERVICE="bot",
    )
    assert ended.returncode == 0, ended.stderr
    assert "Traceback" not in ended.stderr
    outbox = tmp_path / "state" / f"bot-127.0.0.1-{closed_port}.db"
    from datetime import UTC, datetime

    from core.sqlite_outbox import SqliteOutbox

    kept = SqliteOutbox.open(outbox, now=datetime.now(UTC))
    assert [intent.ticket for intent in kept.pending()] == [1, 2]
    kept.close()


def test_a_bad_setting_is_false_and_logged(tmp_path) -> None:
    ended = run(
        f"from core import auto_register_dtms; print(auto_register_dtms(1, {DATA!r}))",
        tmp_path,
        DTMS_API_PORT="eighty",
    )
    assert ended.stdout == "False\n"
    assert "DTMS_API_PORT" in ended.stderr


def test_the_default_outbox_is_in_the_users_state(monkeypatch, tmp_path) -> None:
    monkeypatch.delenv("DTMS_OUTBOX_DIR", raising=False)
    monkeypatch.delenv("DTMS_SERVICE", raising=False)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.setattr(sys, "argv", ["/opt/bot.py"])
    made = helper._make("http://127.0.0.1")
    made.close()
    assert (tmp_path / "dtms" / "bot-127.0.0.1-80.db").exists()


def test_events_go_where_they_are_told(make_core, yes) -> None:
    stream = io.StringIO()
    made = Bridge(lambda: make_core(BRISK, api=yes, event_stream=stream))
    accept(made, 1, DATA).outcome.result(10)
    made.close()
    assert '"outcome": "REGISTERED"' in stream.getvalue()
