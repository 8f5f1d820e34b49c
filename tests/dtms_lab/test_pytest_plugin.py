"""The pytest plugin as projects that use it see it: real runs of pytest, in their own folders."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from random import Random
from xml.etree import ElementTree

import pytest

from scenarios.worlds.ports import Ports

pytest_plugins = ["pytester"]

HERE = Path(__file__).parent
TRADE = """
TRADE = {"symbol": "EURUSD", "direction": "BUY", "entry_price": 1.0856, "volume": 0.5,
         "stop_loss": 1.0806, "take_profit": None}
"""
INI = """
[pytest]
pythonpath = .
asyncio_mode = auto
asyncio_default_fixture_loop_scope = function
addopts = --strict-markers
filterwarnings = error
"""
GONE_S_MAX = 15.0


@pytest.fixture
def project(pytester):
    """A project with packages called as the lab's are, and clients of its own."""
    for name in ("core", "simulator", "scenarios", "chaos", "loadtests", "tests"):
        folder = pytester.mkdir(name)
        (folder / "__init__.py").write_text(f"MINE = '{name}'")
    for client in ("clients.py", "async_client.py"):
        shutil.copy(HERE / client, pytester.path / client)
    (pytester.path / "pytest.ini").write_text(INI)
    (pytester.path / "trade.py").write_text(TRADE)
    return pytester


def outcomes(project, source: str, *words: str) -> dict[str, str]:
    """What became of each test: empty where it passed, else what pytest says of it."""
    (project.path / "tests" / "test_it.py").write_text(source)
    project.runpytest_subprocess("--junitxml=junit.xml", *words)
    cases = ElementTree.parse(project.path / "junit.xml").iter("testcase")
    return {
        case.get("name", ""): "\n".join(part.text or part.get("message", "") for part in case)
        for case in cases
    }


def test_clients_are_judged_with_the_projects_own_packages_unharmed(project, capsys) -> None:
    told = outcomes(
        project,
        """
import sys
import pytest
from async_client import right as right_in_coroutines
from clients import lost_is_failed, refused_is_final, right, stubborn
from trade import TRADE

import chaos, core, loadtests, scenarios, simulator, tests

@pytest.mark.parametrize("client", [right, lost_is_failed])
def test_answer_lost(dtms_server, dtms_faults, dtms_history, client):
    with dtms_faults("DropAnswer", op="enable", attempt=0):
        with dtms_history.register(1001, TRADE) as call:
            call.reported(client(1001, TRADE, timeout=0.3, api_url=dtms_server.url))
    verdicts = dtms_history.check()
    assert verdicts["acknowledged_is_kept"].valid
    assert dtms_server.trade(1001)["entry_price"] == 1.0856

@pytest.mark.parametrize("client", [right, refused_is_final])
def test_refused(dtms_server, dtms_faults, dtms_history, client):
    dtms_faults("Refuse", for_s=0.4)
    with dtms_history.register(1001, TRADE) as call:
        call.reported(client(1001, TRADE, api_url=dtms_server.url))

def test_stubborn(dtms_server, dtms_faults, dtms_history):
    dtms_faults("FailFirst", first=9, status=503)
    with dtms_history.register(1001, TRADE) as call:
        call.reported(stubborn(1001, TRADE, api_url=dtms_server.url))

def test_told_nothing(dtms_history): ...

def test_told_nothing_and_may(dtms_history):
    dtms_history.allow(unknown=True)

def test_fails_by_itself(dtms_server, dtms_history):
    right(1001, TRADE, api_url=dtms_server.url)
    assert dtms_server.trade(1002) is not None

async def test_coroutines(dtms_server, dtms_faults, dtms_history):
    async with dtms_faults("DropAnswer", attempt=0):
        async with dtms_history.register(1001, TRADE) as call:
            call.reported(
                await right_in_coroutines(1001, TRADE, timeout=0.3, api_url=dtms_server.url)
            )
    dtms_history.check()

def test_packages():
    assert [each.MINE for each in (chaos, core, loadtests, scenarios, simulator, tests)] == [
        "chaos", "core", "loadtests", "scenarios", "simulator", "tests"
    ]
    assert not {"msgspec", "uvicorn", "scenarios.stand"} & {*sys.modules}
""",
    )
    assert told["test_answer_lost[right]"] == ""
    assert (
        "INVALID failure_is_honest: 1001 was reported as not registered, and is there"
        in (told["test_answer_lost[lost_is_failed]"])
    )
    assert "fault=drop-answer" in told["test_answer_lost[lost_is_failed]"]
    assert "judge it again: dtms-lab check" in told["test_answer_lost[lost_is_failed]"]
    assert told["test_refused[right]"] == ""
    assert (
        "INVALID unprotected_time_is_bounded: 1001 was never protected"
        in (told["test_refused[refused_is_final]"])
    )
    assert (
        "INVALID retry_discipline: client sent 1001 10 times in one call, 4 are allowed"
        in (told["test_stubborn"])
    )
    assert "the test told nothing that could be checked" in told["test_told_nothing"]
    assert told["test_told_nothing_and_may"] == ""
    assert "assert None is not None" in told["test_fails_by_itself"]
    shown = capsys.readouterr().out.rpartition("Captured dtms history call")[2]
    assert "invoke enable 1001" in shown
    assert told["test_coroutines"] == told["test_packages"] == ""


def test_a_failures_history_is_judged_the_same_by_the_command(project) -> None:
    told = outcomes(
        project,
        """
from clients import lost_is_failed
from trade import TRADE

def test_it(dtms_server, dtms_faults, dtms_history):
    dtms_faults("DropAnswer")
    with dtms_history.register(1001, TRADE) as call:
        call.reported(lost_is_failed(1001, TRADE, timeout=0.2, api_url=dtms_server.url))
""",
    )["test_it"]
    file = told.rpartition("dtms-lab check ")[2].strip()
    checked = subprocess.run(
        [sys.executable, "-P", "-m", "scenarios", "check", file], capture_output=True, text=True
    )
    assert checked.returncode == 1, checked.stderr
    assert "failure_is_honest: 1001 was reported as not registered" in checked.stdout


def test_the_page_about_it_is_true(project) -> None:
    page = (HERE.parents[1] / "docs" / "pytest.md").read_text()
    example = page.partition("```python\n")[2].partition("```")[0]
    (project.path / "my_client.py").write_text(
        "from async_client import right as register_trade_async\n"
        "from clients import right as register_trade\n"
    )
    assert outcomes(project, example) == {
        "test_an_answer_that_is_lost": "",
        "test_the_labs_own_scenario": "",
    }
    faults = page.partition("## `dtms_faults`")[2].partition("```python\n")[2].partition("```")[0]
    inflicted = outcomes(
        project,
        "def test_it(dtms_faults):\n" + "".join(f"    {line}\n" for line in faults.splitlines()),
    )
    assert inflicted == {"test_it": ""}


def test_what_can_be_done_to_a_server(project) -> None:
    told = outcomes(
        project,
        """
import time
from concurrent.futures import ThreadPoolExecutor
import pytest
from clients import right, send
from dtms_lab.lab_process import LabFailed
from trade import TRADE

def test_each_test_gets_a_fresh_one(dtms_server):
    assert dtms_server.trade(1001) is None
    send(1001, TRADE, 5.0, dtms_server.direct_url)
    assert dtms_server.trade(1001)["state"] == "HEALTHY"

def test_fresh_again(dtms_server):
    assert dtms_server.trade(1001) is None

def test_kill_keeps_what_was_stored(dtms_server, dtms_history):
    with dtms_history.register(1001, TRADE) as call:
        assert call.reported(right(1001, TRADE, api_url=dtms_server.url))
    dtms_server.kill()
    with pytest.raises(LabFailed, match="does not answer; dtms_server.restart"):
        dtms_server.trade(1001)
    with pytest.raises(OSError):
        send(1002, TRADE, 1.0, dtms_server.url)
    dtms_server.restart()
    assert dtms_server.trade(1001)["ticket"] == 1001
    dtms_history.check()

def test_a_killed_server_is_brought_back_to_be_judged(dtms_server, dtms_history):
    with dtms_history.register(1001, TRADE) as call:
        call.reported(right(1001, TRADE, api_url=dtms_server.url))
    dtms_server.kill()
    assert dtms_history.check()["acknowledged_is_kept"].valid

def test_pause(dtms_server):
    dtms_server.pause()
    with pytest.raises(OSError):
        send(1001, TRADE, 0.2, dtms_server.url)
    dtms_server.resume()
    send(1001, TRADE, 5.0, dtms_server.url)

def test_faults_end(dtms_server, dtms_faults):
    with dtms_faults("AnswerFor", status=503) as fault:
        with pytest.raises(OSError, match="503"):
            send(1001, TRADE, 5.0, dtms_server.url)
    send(1001, TRADE, 5.0, dtms_server.url)
    fault.heal()
    dtms_faults("answer-for", status=418)
    dtms_faults("Latency", latency_ms=10.0)
    dtms_faults.heal()
    send(1001, TRADE, 5.0, dtms_server.url)
    dtms_faults("Refuse", for_s=0.2)
    with pytest.raises(OSError):
        send(1002, TRADE, 5.0, dtms_server.url)
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        try:
            assert send(1002, TRADE, 5.0, dtms_server.url)
            break
        except OSError:
            time.sleep(0.05)

def test_the_server_dies_after_a_request(dtms_server, dtms_faults, dtms_history):
    dtms_faults("Kill", after_request=1, restart_after_s=0.0)
    for ticket in (1001, 1002):
        with dtms_history.register(ticket, TRADE) as call:
            call.reported(right(ticket, TRADE, api_url=dtms_server.url))
    dtms_history.check()

def test_what_is_no_ticket_is_not_read_back(dtms_server, dtms_history):
    with pytest.raises(OSError, match="422"):
        send(-5, TRADE, 5.0, dtms_server.url)
    dtms_history.allow(unknown=True)
    began_s = time.monotonic()
    dtms_history.check()
    assert time.monotonic() - began_s < 3.0

def test_services_race(dtms_server, dtms_faults, dtms_history):
    def register(service):
        with dtms_history.register(1001, TRADE, service=service) as call:
            call.reported(right(1001, TRADE, timeout=0.3, api_url=dtms_server.url_for(service)))
    urls = {dtms_server.url_for(service) for service in ("bot", "desktop")}
    assert len({*urls, dtms_server.url}) == 3
    dtms_faults("DropAnswer", link="bot->dtms", attempt=0)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(register, ["bot", "desktop", "bot", "desktop"]))
    verdicts = dtms_history.check()
    assert verdicts["one_new_answer_per_ticket"].valid
    with pytest.raises(ValueError, match="nobody calls the server as 'web'; give that client"):
        dtms_history.register(1001, TRADE, service="web").__enter__()
    with pytest.raises(ValueError, match='a service is called like "bot" or "desktop", not'):
        dtms_server.url_for("wire")

def test_one_request_does_not_wait_for_another(dtms_server):
    dtms_server.pause()
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(dtms_server.trade, 1001)
        while not dtms_server._stand._lab._waiting:
            time.sleep(0.001)
        dtms_server.resume()
        assert asked.result(timeout=10.0) is None

def test_the_lab_dies(dtms_server):
    stand = dtms_server._stand
    stand._lab._process.kill()
    with pytest.raises(LabFailed, match="the lab has ended"):
        dtms_server.trade(1001)

def test_the_next_test_has_another(dtms_server):
    assert dtms_server.trade(1001) is None

def test_inside_the_server(dtms_server, dtms_faults):
    with dtms_faults("ServerFault", script={"fault": "store-fails"}):
        with pytest.raises(OSError, match="503"):
            send(1001, TRADE, 5.0, dtms_server.url)
    with pytest.raises(LabFailed, match="there is no fault 'store-ful'; there are store-fails"):
        dtms_faults("ServerFault", script={"fault": "store-ful"})
""",
    )
    assert {name: why for name, why in told.items() if why} == {}
    assert len(told) == 13


def test_misuse_is_refused_in_words(project) -> None:
    told = outcomes(
        project,
        """
import pytest
from trade import TRADE

@pytest.fixture
def refused(): return lambda words: pytest.raises(ValueError, match=words)

def test_faults(dtms_faults, refused):
    with refused("no fault 'DropAnser'. Did you mean DropAnswer. There are: AnswerFor, Bandw"):
        dtms_faults("DropAnser")
    with refused("DropAnswer has no value 'atempt'. DropAnswer takes link: .*attempt: int"):
        dtms_faults("DropAnswer", atempt=0)
    with refused("'enble'. DropAnswer takes .*op: 'enable' . 'lookup'"):
        dtms_faults("DropAnswer", op="enble")
    with refused("CrashAt needs Points, which this server does not offer"):
        dtms_faults("CrashAt", point="send")
    with refused("there is no link 'bot->dtms'; there is client->dtms"):
        dtms_faults("Refuse", link="bot->dtms")
    with refused("there is no actor 'bot'; there is dtms"):
        dtms_faults("Kill", actor="bot")
    with refused("for_s is a number of seconds from 0.001 to 3600, not -1"):
        dtms_faults("Refuse", for_s=-1)
    with refused("requests are counted from 1; there is no after_request=0"):
        dtms_faults("Refuse", after_request=0)
    with refused("must be such as JSON has"):
        dtms_faults("Refuse", cut=object())

def test_history(dtms_history, refused):
    dtms_history.allow(unknown=True)
    with refused("a ticket is a whole number from 1 to .*, not '7'"):
        dtms_history.register("7", TRADE)
    with refused("a trade is an object such as .*, not None"):
        dtms_history.execute(1001, None)
    with refused("reported 'yes' about 1001; say True"):
        with dtms_history.register(1001, TRADE) as call:
            call.reported("yes")
    with refused("what the client said about 1001 was not told"):
        with dtms_history.register(1001, TRADE): ...
    with refused("no checker 'kept'; there are: acknowledged_is_kept, "):
        dtms_history.judge("kept")
    with refused("nothing to allow called 'patience'; there are: unprotected_s, "):
        dtms_history.allow(patience=1)
    with refused("settle_s is a number of seconds from 0 to 300, not 1000"):
        dtms_history.check(settle_s=1000)
    dtms_history.close_position(1001)

def test_verdict_without_a_marker(dtms_verdict): ...

@pytest.mark.scenario("answer-lost-once", sedes=3, client="clients.py:right")
def test_unknown_word(): ...

@pytest.mark.scenario("answer-lost-once")
def test_no_client(): ...

@pytest.mark.scenario("answer-lost-once", client="cleints.py:right")
def test_no_file(): ...

@pytest.mark.scenario("answer-lost-onc", client="clients.py:right")
def test_no_scenario(): ...

@pytest.mark.scenario("answer-lost-once", client="clients.py:right", seeds=0)
def test_no_seeds(): ...

@pytest.mark.scenario("answer-lost-once", client="clients.py:right", world="sim")
def test_not_simulated(): ...

@pytest.mark.scenario("kill-client", client="clients.py:right")
def test_not_owed(): ...
""",
    )
    assert (told.pop("test_faults"), told.pop("test_history")) == ("", "")
    for name, words in {
        "test_verdict_without_a_marker": "dtms_verdict needs a marker that says what to play: @pyt",
        "test_unknown_word": "it has no 'sedes', as in @pytest.mark.scenario(",
        "test_no_client": "say whose client, as in @pytest.mark.scenario(",
        "test_no_file": "cleints.py:right: there is no ",
        "test_no_scenario": "there is no scenario or suite 'answer-lost-onc'; suites: down, ",
        "test_no_seeds": "seeds are a number from 1 on, or a list of seeds, not 0",
        "test_not_simulated": 'what blocks cannot run in virtual time; say world="local"',
        "test_not_owed": "owes what a helper owes. These can judge it: down-during, ",
    }.items():
        assert words in told.pop(name)
    assert told == {}


def test_unused_it_imports_nothing_of_the_lab_and_starts_no_process(project) -> None:
    told = outcomes(
        project,
        """
import os, sys
from pathlib import Path

def test_it():
    ours = [name for name in sys.modules if name.startswith("dtms_lab")]
    assert ours == ["dtms_lab", "dtms_lab.pytest_plugin"]
    assert not {"core", "scenarios", "chaos", "simulator", "msgspec"} & {*sys.modules}
    assert Path(f"/proc/self/task/{os.getpid()}/children").read_text() == ""
""",
    )
    assert told == {"test_it": ""}


def test_workers_of_xdist_have_a_lab_each(project) -> None:
    told = outcomes(
        project,
        """
import os
import pytest
from clients import right
from trade import TRADE

@pytest.mark.parametrize("nth", range(4))
def test_it(dtms_server, dtms_faults, dtms_history, nth):
    with dtms_faults("DropAnswer", attempt=0), dtms_history.register(1001, TRADE) as call:
        call.reported(right(1001, TRADE, timeout=0.2, api_url=dtms_server.url))
    dtms_history.check()
    assert os.environ["PYTEST_XDIST_WORKER"] in ("gw0", "gw1")
""",
        "-n2",
    )
    assert [*told.values()] == [""] * 4


LASTING = """
import os, time
from pathlib import Path

def test_it(dtms_server, dtms_history, request):
    stand = dtms_server._stand
    Path("lab").write_text(str(stand._lab._process.pid))
    if FORKS:
        # A child that holds the lab's input open, as a pool of workers does.
        if os.fork() == 0:
            time.sleep(30)
            os._exit(0)
    Path("url").write_text(dtms_server.direct_url)
    Path("ready").touch()
    time.sleep(60)
"""


@pytest.mark.parametrize("forks", [False, True], ids=["alone", "with a forked child"])
def test_a_killed_pytest_leaves_no_process_and_no_file(project, forks) -> None:
    (project.path / "tests" / "test_it.py").write_text(LASTING.replace("FORKS", str(forks)))
    mine = project.mkdir("tmp")
    running = subprocess.Popen(
        [sys.executable, "-m", "pytest", "-q"],
        cwd=project.path,
        env={**os.environ, "TMPDIR": str(mine)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        until((project.path / "ready").exists)
        lab = int((project.path / "lab").read_text())
        started = [lab, *children_of(lab)]
        assert len(started) == 2
        assert [entry.name for entry in mine.iterdir() if entry.name.startswith("dtms-lab-")]
    finally:
        running.kill()
        running.wait()
    try:
        until(lambda: not any(alive(process) for process in started))
        until(lambda: not [e for e in mine.iterdir() if e.name.startswith("dtms-lab-")])
    finally:
        # The forked child is the test's own.
        for process in session_of(running.pid):
            os.kill(process, signal.SIGKILL)


def until(so, within_s: float = GONE_S_MAX) -> None:
    deadline = time.monotonic() + within_s
    while not so():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def children_of(process: int) -> list[int]:
    return [int(n) for n in Path(f"/proc/{process}/task/{process}/children").read_text().split()]


def alive(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def session_of(leader: int) -> list[int]:
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if int(fields[3]) == leader:
            found.append(int(folder.name))
    return found


def test_scenarios_judge_a_client(project) -> None:
    told = outcomes(
        project,
        """
import pytest

@pytest.mark.scenario("answer-lost-once", "kill-client", client="async_client.py:right", seeds=2)
def test_right(): ...

@pytest.mark.scenario("answer-lost-once", client="../async_client.py:lost_is_failed", seeds=[5])
def test_wrong(): ...

@pytest.mark.scenario("answer-lost-once", client="async_client.py:lost_is_failed", seeds=1)
def test_judged_by_the_test(dtms_verdict):
    assert not dtms_verdict.valid
    assert "was reported as not registered, and is there" in dtms_verdict.why
    assert dtms_verdict.world == "sim"
    assert dtms_verdict.episodes == 1
    assert dtms_verdict.cases[0].is_file()

@pytest.mark.scenario("answer-lost-once", client="async_client.py:lost_is_failed", seeds=1)
def test_never_looked_at(dtms_verdict): ...
""",
    )
    assert (told["test_right"], told["test_judged_by_the_test"]) == ("", "")
    assert "INVALID failure_is_honest: " in told["test_wrong"]
    assert "failure_is_honest" in told["test_never_looked_at"]
    junit = (project.path / "junit.xml").read_text()
    assert "valid: 2 episodes in sim; kill-client is skipped: it demands a durable" in junit
    case = told["test_wrong"].rpartition("dtms-lab replay ")[2].split()[0]
    replayed = subprocess.run(
        [sys.executable, "-P", "-m", "scenarios", "replay", case], capture_output=True, text=True
    )
    assert replayed.returncode == 1, replayed.stdout + replayed.stderr


def test_a_client_that_cannot_be_simulated_is_put_through_on_real_processes(project) -> None:
    (project.path / "core" / "own.py").write_text("HERS = True")
    (project.path / "threaded.py").write_text(
        """
from threading import Thread
from async_client import right as simulated
from core.own import HERS

async def right(ticket, trade, **more):
    Thread(target=int).start()
    return await simulated(ticket, trade, **more)
"""
    )
    told = outcomes(
        project,
        """
import pytest

@pytest.mark.scenario("registered-again", client="threaded.py:right")
def test_it(dtms_verdict):
    assert dtms_verdict.valid, dtms_verdict.told
    assert dtms_verdict.world == "local"
    assert dtms_verdict.skipped[0].startswith("not in the simulation: ")
""",
    )
    assert told == {"test_it": ""}


FORGETFUL = """
async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        return
    body = b'{"success": true, "ready": true, "already_registered": false}'
    status = 404 if scope["method"] == "GET" and "trade" in scope["path"] else 200
    await receive()
    headers = [(b"content-type", b"application/json")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})

def make_app(data_dir):
    return app
"""


def test_a_server_of_the_projects_own(project) -> None:
    (project.path / "server.py").write_text(FORGETFUL)
    told = outcomes(
        project,
        """
from clients import right
from trade import TRADE

def test_it(dtms_server, dtms_history):
    with dtms_history.register(1001, TRADE) as call:
        call.reported(right(1001, TRADE, api_url=dtms_server.url))
""",
        "--dtms-server=server.py:make_app",
    )
    assert "INVALID acknowledged_is_kept: 1001 was acknowledged and is gone" in told["test_it"]


def test_a_server_that_runs_already(project, tmp_path_factory) -> None:
    port = Ports(Random()).take()
    folder = tmp_path_factory.mktemp("store")
    command = [sys.executable, "-m", "simulator", "--port", str(port), "--data-dir", str(folder)]
    running = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=HERE.parents[1]
    )
    try:
        told = outcomes(
            project,
            """
import pytest
from clients import right
from trade import TRADE

def test_first(dtms_server, dtms_history):
    with dtms_history.register(1001, TRADE) as call:
        call.reported(right(1001, TRADE, api_url=dtms_server.url))
    dtms_history.check()

def test_second(dtms_server, dtms_history):
    dtms_history.allow(unknown=True)
    with pytest.raises(ValueError, match="knows the ticket 1001 from before"):
        dtms_history.execute(1001, TRADE)
    with pytest.raises(ValueError, match="runs already and cannot be killed by the lab; give"):
        dtms_server.kill()
""",
            f"--dtms-server=http://127.0.0.1:{port}",
        )
        assert told == {"test_first": "", "test_second": ""}
    finally:
        running.kill()
        running.wait()
