"""The pytest plugin: a server of its own for each test, faults, a judge, and the lab's scenarios.

Costs nothing where it is not used: what does the work is imported, and the lab's process started,
when the first test asks for a fixture.
"""

from __future__ import annotations

import re
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from dtms_lab.faults import Faults
    from dtms_lab.history import History
    from dtms_lab.lab_process import LabProcess
    from dtms_lab.scenario_marker import ScenarioVerdict
    from dtms_lab.server import Server
    from dtms_lab.stand import Stand

MARKER = (
    "scenario(name, ..., client=, server=, seeds=, world=): puts a client through scenarios of the "
    "lab, by name or suite; the test fails where they do, or judges `dtms_verdict` itself"
)
NAME_CHARACTERS_MAX = 80
_lab_key = pytest.StashKey["LabProcess"]()
_stand_key = pytest.StashKey["Stand"]()
_verdict_key = pytest.StashKey["ScenarioVerdict"]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """What can be said on the command line and in the ini file."""
    told = (
        "DTMS API under test: simulated, FILE.py:factory, "
        "cmd:ARGV with {port} and {data_dir}, or http://127.0.0.1:PORT"
    )
    group = parser.getgroup("dtms-lab")
    group.addoption("--dtms-server", dest="dtms_server", metavar="TARGET", default="", help=told)
    parser.addini("dtms_server", told, default="simulated")
    parser.addini("dtms_client", "client that @pytest.mark.scenario puts through", default="")


def pytest_configure(config: pytest.Config) -> None:
    """Registers the marker."""
    config.addinivalue_line("markers", MARKER)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    """A test that tells a history, or has the marker, and judges nothing is judged at its end."""
    try:
        done = yield
    except BaseException:
        _show_history(item)
        raise
    if _stand_key in item.stash or item.get_closest_marker("scenario") is not None:
        with _told_in_words():
            failure = _history_failure(item) or _scenario_failure(item)
        if failure:
            pytest.fail(failure, pytrace=False)
    return done


@pytest.fixture
def _dtms_stand(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stand]:
    from dtms_lab.scenario_marker import server_of, target_of
    from dtms_lab.stand import Stand

    item = request.node
    with _told_in_words():
        server = target_of(server_of(request.config), item)
        keep = tmp_path_factory.getbasetemp() / "dtms-lab" / _file_name(item)
        stand = Stand(_lab(request.config), item.nodeid, server, keep)
    item.stash[_stand_key] = stand
    yield stand
    stand.close()


@pytest.fixture
def dtms_server(_dtms_stand: Stand) -> Server:
    """A DTMS API of this test's own: `.url` to be called, `.kill()`, `.restart()`, `.pause()`,
    `.resume()`, `.trade(ticket)`."""
    from dtms_lab.server import Server

    return Server(_dtms_stand)


@pytest.fixture
def dtms_faults(_dtms_stand: Stand) -> Faults:
    """Faults by name: `with dtms_faults("DropAnswer", op="enable", attempt=0): ...`."""
    from dtms_lab.faults import Faults

    return Faults(_dtms_stand)


@pytest.fixture
def dtms_history(_dtms_stand: Stand) -> History:
    """What the client was given and what it said, and the checkers that judge it: `.execute`,
    `.register`, `.check()`. A test that does not judge is judged at its end."""
    from dtms_lab.history import History

    _dtms_stand.is_told = True
    return History(_dtms_stand)


@pytest.fixture
def dtms_verdict(request: pytest.FixtureRequest) -> ScenarioVerdict:
    """What came of the scenarios that @pytest.mark.scenario names: `.valid`, `.why`, `.cases`."""
    with _told_in_words():
        return _verdict(request.node)


@contextmanager
def _told_in_words() -> Iterator[None]:
    """Where no line of the test is to blame, the sentence is enough."""
    from dtms_lab.lab_process import LabFailed, LabRefused

    try:
        yield
    except (LabRefused, LabFailed) as error:
        pytest.fail(str(error), pytrace=False)


def _lab(config: pytest.Config) -> LabProcess:
    """One for the session; another, where that has died."""
    from dtms_lab.lab_process import LabProcess

    lab = config.stash.get(_lab_key, None)
    if lab is None or lab.ended:
        if lab is not None:
            lab.close()
        lab = config.stash[_lab_key] = LabProcess()
        config.add_cleanup(lab.close)
    return lab


def _verdict(item: pytest.Item) -> ScenarioVerdict:
    from dtms_lab.lab_process import LabRefused
    from dtms_lab.scenario_marker import USE, put_through

    mark = item.get_closest_marker("scenario")
    if mark is None:
        raise LabRefused(f"dtms_verdict needs a marker that says what to play: {USE}")
    name = _file_name(item)
    # No hook is given the factory.
    factory: pytest.TempPathFactory = item.config._tmp_path_factory  # type: ignore[attr-defined]
    verdict = put_through(_lab(item.config), mark, item, factory.mktemp(name))
    item.stash[_verdict_key] = verdict
    item.user_properties.append(("dtms-lab", verdict.summary))
    return verdict


def _file_name(item: pytest.Item) -> str:
    return re.sub(r"\W+", "-", item.name).strip("-")[:NAME_CHARACTERS_MAX]


def _history_failure(item: pytest.Item) -> str:
    stand = item.stash.get(_stand_key, None)
    if stand is None or not stand.is_told or stand.is_judged:
        return ""
    return stand.judge((), 0.0).failure


def _scenario_failure(item: pytest.Item) -> str:
    if item.get_closest_marker("scenario") is None:
        return ""
    verdict = item.stash.get(_verdict_key, None) or _verdict(item)
    return "" if verdict.is_judged else verdict.failure()


def _show_history(item: pytest.Item) -> None:
    """Of a test that failed by itself: what went over the wire."""
    stand = item.stash.get(_stand_key, None)
    if stand is not None and not stand.is_judged and (told := stand.told()):
        item.add_report_section("call", "dtms history", told)
