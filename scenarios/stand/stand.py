"""What one test works with: a server, the fault proxy before it, and the history of it all."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from itertools import count
from pathlib import Path

import msgspec

from chaos.choice import seeded
from chaos.fault import Fault, describe
from chaos.links import covers
from chaos.nemesis import Nemesis
from chaos.schedule import after_request, at
from scenarios.audit import read_all
from scenarios.checkers import CHECKERS, judge
from scenarios.episode import CONTRACT_BOUNDS, CONTRACT_POLICY, START_S_MAX
from scenarios.evidence.positions import executed, maybe_closed
from scenarios.explain import explain
from scenarios.history import History, Invocation, Recorder
from scenarios.scenario import Bounds, Family, Policy, Scenario
from scenarios.stand.named_fault import named_fault
from scenarios.stand.owed import HELPER, owed
from scenarios.targets.spec import FunctionClient, RunningServer, ServerTarget
from scenarios.verdict import Invalid, Unknown, Valid, Verdict
from scenarios.worlds.local import LocalWorld
from scenarios.worlds.ports import Ports
from scenarios.worlds.world import EnvironmentFailed

SERVICE = "client"
SERVER = "dtms"
SERVICE_NAME = re.compile(r"[a-z][a-z0-9_-]{0,30}")
NO_SERVICES = frozenset(
    {"auditor", "broker", "dtms", "main-api", "nemesis", "network", "wire", "world"}
)
"""Processes that a history tells of, too."""
SERVICES_MAX = 20
FAULTS_MAX = 100
"""In force at a time."""
TICKET_MAX = 2**63 - 1
SETTLE_POLL_S = 0.05
SETTLE_S_MAX = 300.0
SECONDS_MAX = 3_600.0


class Refused(ValueError):
    """The test asks for what there is not, or makes no sense; the message says what would."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """What each checker says. `failure` is why the test fails, in words, empty where it passes."""

    verdicts: Mapping[str, Verdict]
    failure: str
    history: History


@dataclass(eq=False, slots=True)
class _InForce:
    nemesis: Nemesis
    working: asyncio.Task[None] | None = None
    """What inflicts it later, or ends it by itself."""


class Stand:
    """Opened for one test; `aclose` leaves nothing behind. Raises `Refused` for what makes no
    sense and `EnvironmentFailed` where the server does not do its part."""

    def __init__(
        self,
        name: str,
        server: ServerTarget,
        *,
        folder: Path,
        ports: Ports,
        seed: int = 0,
    ) -> None:
        self._name = name
        self._server = server
        self._seed = seed
        self._recorder = Recorder(None)
        self._world = LocalWorld(
            _nothing_but_a_link(name),
            seed,
            client=FunctionClient("the test's own", location=""),
            server=server,
            folder=folder,
            ports=ports,
            recorder=self._recorder,
        )
        self._faults: dict[int, _InForce] = {}
        self._fault_numbers = count(1)
        self._calls: dict[int, tuple[Invocation, dict[str, object]]] = {}
        self._call_numbers = count(1)
        self._services = [SERVICE]
        self._tickets: set[int] = set()
        self._executed: set[int] = set()
        self._policy: Policy = CONTRACT_POLICY
        self._bounds: Bounds = CONTRACT_BOUNDS
        self._unknown_is_allowed = False

    @property
    def url(self) -> str:
        """What the code under test calls, through the fault proxy."""
        return self._world.link_url(f"{SERVICE}->dtms")

    async def url_for(self, service: str) -> str:
        """What that service calls: a link of its own, laid where there is none yet."""
        if service not in self._services:
            if not SERVICE_NAME.fullmatch(service) or service in NO_SERVICES:
                raise Refused(
                    f'a service is called like "bot" or "desktop", not {service!r} or any of '
                    f"{', '.join(sorted(NO_SERVICES))}"
                )
            if len(self._services) >= SERVICES_MAX:
                raise Refused(f"{SERVICES_MAX} services are all that one test may have")
            await self._world.lay_link(service)
            self._services.append(service)
        return self._world.link_url(f"{service}->dtms")

    @property
    def direct_url(self) -> str:
        """The server itself, no fault in between."""
        return self._world.direct_url(SERVER)

    async def open(self) -> None:
        """Starts the server and waits until it is ready."""
        self._recorder.note("world", "episode", {})
        await self._world.__aenter__()
        await self._start()

    async def aclose(self) -> None:
        """Undoes every fault, and ends every process."""
        try:
            await self.heal(None)
        except* EnvironmentFailed:
            pass  # What could not be undone ends with the server.
        finally:
            await self._world.aclose()

    async def kill(self) -> None:
        """kill -9; nothing happens to a server that is not running."""
        self._need_a_process("killed")
        await self._world.kill(SERVER)

    async def restart(self) -> None:
        """Stops the server in good order where it runs, starts it and waits until it is ready."""
        self._need_a_process("restarted")
        await self._world.stop(SERVER)
        await self._start()

    async def pause(self) -> None:
        """SIGSTOP."""
        self._need_a_process("paused")
        await self._world.pause(SERVER)

    async def resume(self) -> None:
        """SIGCONT."""
        self._need_a_process("resumed")
        await self._world.resume(SERVER)

    async def trade(self, ticket: int) -> object:
        """What the server tells of the ticket, None where it does not know it."""
        answer = await self._world.http(SERVER, "GET", f"/dtms/trade/{ticket}")
        if answer is None:
            raise EnvironmentFailed(
                "the server does not answer; dtms_server.restart() or resume() brings it back"
            )
        status, body = answer
        if status == 404:
            return None
        if status != 200 or not isinstance(body, dict):
            raise EnvironmentFailed(f"asked for trade {ticket}, the server answered {status}")
        return body.get("trade_info", body)

    async def inflict(
        self,
        name: str,
        values: Mapping[str, object],
        *,
        for_s: float | None = None,
        after: int | None = None,
    ) -> int:
        """Puts the fault in force, for good or `for_s`; with `after`, once that many registrations
        were seen from the stand's beginning. Returns its number."""
        if len(self._faults) >= FAULTS_MAX:
            raise Refused(f"{FAULTS_MAX} faults are in force already; dtms_faults.heal() ends them")
        if for_s is not None:
            _seconds("for_s", for_s)
        fault = named_fault(name, values, self._world.capabilities())
        self._check_aim(fault)
        if after is not None and (type(after) is not int or after < 1):
            raise Refused(f"requests are counted from 1; there is no after_request={after!r}")
        scheduled = at(0.0, fault) if after is None else after_request(after, fault, for_s=for_s)
        nemesis = Nemesis(
            (scheduled,),
            self._world.capabilities(),
            world=self._world.name,
            draw=seeded(self._seed),
            record=self._note_fault,
        )
        entry = _InForce(nemesis)
        if after is not None:
            entry.working = asyncio.create_task(nemesis.run())
        else:
            await self._inflict_now(fault, nemesis)
            if for_s is not None:
                entry.working = asyncio.create_task(_heal_after(nemesis, for_s))
        number = next(self._fault_numbers)
        self._faults[number] = entry
        return number

    def _check_aim(self, fault: Fault) -> None:
        """Raises `Refused` for a fault that would hit nothing here."""
        links = [f"{service}->dtms" for service in self._services]
        link, actor = getattr(fault, "link", links[0]), getattr(fault, "actor", SERVER)
        if not any(covers(link, there) for there in links):
            raise Refused(
                f"there is no link {link!r}; there is {', '.join(links)}; not given it is all"
            )
        if actor != SERVER:
            raise Refused(
                f"there is no actor {actor!r}; there is {SERVER}, which need not be given"
            )

    async def _inflict_now(self, fault: Fault, nemesis: Nemesis) -> None:
        try:
            await nemesis.run()
        except BaseException:
            # It was announced; nobody may take it for one that is still in force.
            self._note_fault("undo", describe(fault))
            raise

    async def heal(self, number: int | None) -> None:
        """Undoes that fault, None for all, the latest first. Healing again does nothing."""
        for each in sorted(self._faults, reverse=True) if number is None else (number,):
            entry = self._faults.pop(each, None)
            if entry is None:
                continue
            if entry.working is not None:
                entry.working.cancel()
                await asyncio.wait([entry.working])
            await entry.nemesis.heal()
            if entry.working is not None and not entry.working.cancelled():
                entry.working.result()

    async def execute(self, ticket: int, trade: Mapping[str, object]) -> None:
        """A position was executed: from here on it is money at risk."""
        await self._take(ticket)
        self._executed.add(ticket)
        details = trade.get("details")
        nested = details if isinstance(details, dict) else {}
        self._recorder.note("broker", "execute", {**nested, **trade, "ticket": ticket})

    async def close_position(self, ticket: int) -> None:
        """The position is closed at the broker, or the test closed its registration."""
        await self._take(ticket)
        self._recorder.note("broker", "position-closed", {"ticket": ticket})

    async def begin(self, ticket: int, trade: Mapping[str, object], service: str) -> int:
        """The service's client is given the trade; one that was not executed yet is so now."""
        if service not in self._services:
            raise Refused(
                f"nobody calls the server as {service!r}; give that client "
                f"dtms_server.url_for({service!r}). There are: {', '.join(self._services)}"
            )
        if ticket not in self._executed:
            await self.execute(ticket, trade)
        value: dict[str, object] = {"ticket": ticket, "trade": dict(trade), "via": "register"}
        number = next(self._call_numbers)
        self._calls[number] = self._recorder.invoke(service, "register", value), value
        return number

    def end(self, number: int, reported: bool | None, words: str) -> None:
        """What the client said of it: True, False or None, and in what words."""
        call, value = self._calls.pop(number)
        match reported:
            case True:
                call.ok({**value, "detail": words})
            case False:
                call.fail({**value, "reason": words})
            case None:
                call.info(value, words or "pending")

    def allow(self, values: Mapping[str, object]) -> None:
        """Other bounds or another policy than the contract's, by the names of their fields;
        `unknown` lets a test pass in which nothing was checked."""
        policy, bounds = dict(asdict(self._policy)), dict(asdict(self._bounds))
        for name, value in values.items():
            if name == "unknown":
                self._unknown_is_allowed = bool(value)
            elif name in policy:
                policy[name] = _number(name, value)
            elif name in bounds:
                bounds[name] = _number(name, value)
            else:
                there_are = ", ".join((*bounds, *policy, "unknown"))
                raise Refused(f"there is nothing to allow called {name!r}; there are: {there_are}")
        self._policy, self._bounds = Policy(**policy), Bounds(**bounds)

    async def judge(self, names: tuple[str, ...], settle_s: float = 0.0) -> Judgement:
        """Heals, waits up to `settle_s` until every executed trade is there, reads what the server
        holds, and asks the named checkers; none are those that a helper owes."""
        for name in names:
            if name not in CHECKERS:
                raise Refused(f"there is no checker {name!r}; there are: {', '.join(CHECKERS)}")
        _seconds("settle_s", settle_s, least=0.0, most=SETTLE_S_MAX)
        await self.heal(None)
        await self._start()
        self._recorder.note("world", "phase", {"name": "healed"})
        await self._settle(settle_s)
        self._recorder.note("world", "phase", {"name": "settled"})
        history = self._recorder.history()
        seen = {op.ticket for op in history.ops if op.ticket is not None}
        # Of what is no ticket at all there is nothing to be read.
        asked = {ticket for ticket in self._tickets | seen if 0 < ticket <= TICKET_MAX}
        if why := await read_all(self._world, self._recorder, asked):
            raise EnvironmentFailed(f"what the server holds could not be read: {why}")
        return self._judgement(names)

    def history(self) -> History:
        """What happened so far, with a header for `dtms-lab check`."""
        return self._told(HELPER)

    def _judgement(self, names: tuple[str, ...]) -> Judgement:
        history = self._told(HELPER)
        asked = names or tuple(name for name in owed(history) if name not in self._unfit)
        history = self._told(asked)
        verdicts = judge(history, asked)
        return Judgement(verdicts, self._failure(history, verdicts, bool(names)), history)

    @property
    def _unfit(self) -> frozenset[str]:
        """What cannot be judged of a server that others use as well."""
        return frozenset({"answers_have_an_order"} if self._is_running_already else ())

    def _failure(self, history: History, verdicts: Mapping[str, Verdict], chosen: bool) -> str:
        broken = [explain(n, v, history) for n, v in verdicts.items() if isinstance(v, Invalid)]
        if broken or self._unknown_is_allowed:
            return "\n".join(broken)
        unsure = [explain(n, v, history) for n, v in verdicts.items() if isinstance(v, Unknown)]
        if not chosen and not history.calls("register") and not history.notes("execute", "broker"):
            unsure = [
                "UNKNOWN: the test told nothing that could be checked; give each trade to "
                "dtms_history.register(ticket, trade) when the client gets it, or to "
                "dtms_history.execute(ticket, trade)"
            ]
        if not unsure and not any(isinstance(v, Valid) for v in verdicts.values()):
            unsure = ["UNKNOWN: no checker had anything to check"]
        if unsure:
            unsure.append("dtms_history.allow(unknown=True) lets a test pass that checks nothing")
        return "\n".join(unsure)

    def _told(self, checkers: tuple[str, ...]) -> History:
        """The history with its first line as it is known by now, and the last healing only."""
        header, *ops = self._recorder.history().ops
        phases = [op for op in ops if op.f == "phase" and op.process == "world"]
        last = {op.get("name"): op.index for op in phases}
        earlier = {op.index for op in phases if last[op.get("name")] != op.index}
        value = {
            "scenario": self._name,
            "family": "pytest",
            "world": self._world.name,
            "fidelity": self._world.fidelity,
            "seed": self._seed,
            "client": "the test's own",
            "server": self._server.name,
            "level": "helper",
            "checkers": list(checkers),
            "policy": asdict(self._policy),
            "bounds": asdict(self._bounds),
        }
        kept = (op for op in ops if op.index not in earlier)
        return History((msgspec.structs.replace(header, value=value), *kept))

    async def _start(self) -> None:
        await self._world.start(SERVER)
        if not await self._world.until_ready(SERVER, START_S_MAX):
            raise EnvironmentFailed(
                f"the server {self._server.name} was not ready within {START_S_MAX:.0f} s"
            )

    async def _settle(self, settle_s: float) -> None:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + settle_s
        history = self._recorder.history()
        missing = executed(history).keys() - maybe_closed(history)
        while missing and loop.time() < deadline:
            for ticket in sorted(missing):
                answer = await self._world.http(SERVER, "GET", f"/dtms/trade/{ticket}")
                if answer is not None and answer[0] == 200:
                    missing -= {ticket}
            await asyncio.sleep(min(SETTLE_POLL_S, settle_s))

    async def _take(self, ticket: int) -> None:
        """A ticket that the test names. On a server that ran before it must be a fresh one."""
        if self._is_running_already and ticket not in self._tickets:
            answer = await self._world.http(SERVER, "GET", f"/dtms/trade/{ticket}")
            seen = any(op.ticket == ticket for op in self._recorder.history().ops)
            if answer is not None and answer[0] == 200 and not seen:
                raise Refused(
                    f"{self._server.name} knows the ticket {ticket} from before; "
                    "give each test tickets that nobody used"
                )
        self._tickets.add(ticket)

    def _note_fault(self, f: str, value: Mapping[str, object]) -> None:
        self._recorder.note("nemesis", f, dict(value))

    @property
    def _is_running_already(self) -> bool:
        return isinstance(self._server, RunningServer)

    def _need_a_process(self, done: str) -> None:
        if not self._server.restartable:
            raise Refused(
                f"{self._server.name} runs already and cannot be {done} by the lab; "
                "give --dtms-server a FILE.py:factory or cmd:ARGV that the lab starts"
            )


def _nothing_but_a_link(name: str) -> Scenario:
    """A scenario in which the lab itself does nothing."""
    return Scenario(
        name=name,
        family=Family.ERRORS,
        proves="Whatever the test says.",
        workload=lambda _random: (),
        checkers=HELPER,
        services=(SERVICE,),
        demands="helper",
    )


async def _heal_after(nemesis: Nemesis, for_s: float) -> None:
    await asyncio.sleep(for_s)
    await nemesis.heal()


def _seconds(name: str, value: float, least: float = 0.001, most: float = SECONDS_MAX) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value <= most:
        raise Refused(f"{name} is a number of seconds from {least:g} to {most:g}, not {value!r}")


def _number(name: str, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or value < 0:
        raise Refused(f"{name} is a number from 0 on, not {value!r}")
    return value
