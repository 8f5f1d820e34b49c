"""One run of one scenario with one seed, in any world: start, faults, healing, settling, audit.

The driver records what it asks and what is answered; it judges nothing. An episode ends in two
halves: under faults only safety may be expected, after healing everything must come to rest.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Mapping
from dataclasses import fields
from random import Random

import msgspec

from chaos.choice import Draw, seeded
from chaos.nemesis import Nemesis
from scenarios.audit import READ_ATTEMPTS, READ_PAUSE_S, read, read_all
from scenarios.bad_input import BAD_BODIES, BAD_TICKET
from scenarios.history import Recorder
from scenarios.scenario import Bounds, Policy, Scenario, StartUp
from scenarios.targets.spec import (
    ClientTarget,
    ReferenceClient,
    ServerTarget,
    SimulatedServer,
)
from scenarios.workload import (
    BadInput,
    Close,
    ClosePosition,
    Execute,
    Lane,
    Operation,
    Position,
    Register,
    Wait,
)
from scenarios.worlds.world import ActorGone, EnvironmentFailed, World

START_S_MAX = 20.0
"""How long an actor may take to get ready while nothing is wrong."""
HEAL_STARTS_MAX = 3
"""How often an actor is started after healing before its not coming up counts."""
SETTLE_S = 15.0
"""How long services may take, after healing, to bring every pending intent to its end, where the
scenario's bound on unprotected time is no longer than that."""
ANSWER_SLACK_S = 5.0
"""How much longer than its bound a call is waited for before it counts as unanswered."""
OWNERS_CYCLES = 3
"""How many cycles of its monitor DTMS may take, after settling, to give up what another owns."""
AUDIT_S_MAX = 10.0
HEALTH_POLL_S = 0.15
WORDS_MAX = 300
"""How much of what an actor said last the history keeps, in characters."""
SERVICE_WAIT_S = 0.05

CONTRACT_POLICY = Policy(
    base_s=1.0,
    cap_s=30.0,
    timeout_s=5.0,
    deadline_s=180.0,
    breaker_cooldown_s=30.0,
    gate_cache_s=2.0,
    resume_interval_s=5.0,
)
"""What a client that takes no settings from the lab is expected to work with."""
CONTRACT_BOUNDS = Bounds(unprotected_s=30.0, blocked_s=180.0)

NEED_AUDIT = frozenset({"nothing_leaks", "failures_are_logged_and_alerted", "breaker_is_silent"})
"""Checkers of what only the reference client owes or can be asked about."""
OF_FOREIGN = "targets_keep_running"
"""The checker of targets that are not of this repository, in every scenario."""


class Episode:
    """Drives one episode. `run` may be called once; the world is closed by whoever opened it."""

    def __init__(
        self,
        scenario: Scenario,
        seed: int,
        world: World,
        recorder: Recorder,
        client: ClientTarget,
        server: ServerTarget,
        draw: Draw | None = None,
    ) -> None:
        self._draw = draw or seeded(seed)
        self._scenario = scenario
        self._seed = seed
        self._world = world
        self._recorder = recorder
        self._client = client
        self._server = server
        self._durable = client.level == "durable"
        self._policy = scenario.policy if self._durable else CONTRACT_POLICY
        self._bounds = scenario.bounds if self._durable else CONTRACT_BOUNDS
        random = Random(f"{scenario.name}:{seed}")
        self._start_up = scenario.start_up(random)
        self._lanes = scenario.workload(random)
        self._faults = scenario.faults(random)
        self._ids = itertools.count(1)
        self._tickets: set[int] = set()
        self._deaf: set[str] = set()

    @property
    def actors(self) -> tuple[str, ...]:
        """Every actor of the episode, the server's neighbours first."""
        return (*sorted(self._scenario.needs), "dtms", *self._scenario.services)

    async def run(self) -> None:
        """Runs the episode to its end. Raises `EnvironmentFailed` where the world could not."""
        self._note_header()
        nemesis = Nemesis(
            self._faults,
            self._world.capabilities(),
            world=self._world.name,
            draw=self._draw,
            record=self._note_fault,
        )
        nemesis.refuse_what_is_not_offered()
        background = asyncio.create_task(self._poll_health()) if self._polls_health() else None
        try:
            if self._start_up.ready_first:
                await self._start_all(self._start_up)
                await self._under_faults(nemesis)
            else:
                starting = asyncio.create_task(self._start_all(self._start_up))
                try:
                    await self._under_faults(nemesis)
                finally:
                    await starting
        finally:
            await nemesis.heal()
            if background is not None:
                background.cancel()
                await asyncio.gather(background, return_exceptions=True)
        await self._audit()
        self._recorder.note("world", "phase", {"name": "end"})

    async def _under_faults(self, nemesis: Nemesis) -> None:
        self._recorder.note("world", "phase", {"name": "faults"})
        began = self._world.now_us()
        lanes = [asyncio.create_task(self._run_lane(lane)) for lane in self._lanes]
        inflicting = asyncio.create_task(nemesis.run())
        try:
            last_start_s = max((lane.at_s for lane in self._lanes), default=0.0)
            await asyncio.sleep(max(self._scenario.faults_last_s, last_start_s))
            inflicting.cancel()
            await asyncio.gather(inflicting, return_exceptions=True)
            await nemesis.heal()
            await self._heal_actors()
            self._recorder.note("world", "phase", {"name": "healed"})
            await self._let_finish(lanes)
            await self._settle()
            if "main-api" in self._scenario.needs:
                await self._until_owners_agree()
            self._recorder.note("world", "phase", {"name": "settled"})
        finally:
            running = [task for task in (*lanes, inflicting) if not task.done()]
            for task in running:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)
        self._raise_what_broke(lanes, inflicting, began)

    def _raise_what_broke(
        self, lanes: list[asyncio.Task[None]], inflicting: asyncio.Task[None], began: int
    ) -> None:
        for task in (*lanes, inflicting):
            if not task.cancelled() and (error := task.exception()) is not None:
                raise EnvironmentFailed(
                    f"{self._scenario.name}: {type(error).__name__}: {error} "
                    f"(faults began at {began / 1e6:.3f} s)"
                ) from error

    async def _start_all(self, start_up: StartUp) -> None:
        named = set(start_up.order) | start_up.withheld
        first = tuple(actor for actor in self.actors if not self._is_named(actor, named))
        for group in (*((actor,) for actor in first), *self._groups(start_up)):
            await asyncio.gather(*(self._world.start(actor) for actor in group))
            if start_up.ready_first:
                for actor in group:
                    await self._require_ready(actor)
            await asyncio.sleep(start_up.gap_s)

    def _is_named(self, actor: str, named: set[str]) -> bool:
        return actor in named or (actor in self._scenario.services and "services" in named)

    def _groups(self, start_up: StartUp) -> tuple[tuple[str, ...], ...]:
        groups = []
        for name in start_up.order:
            group = self._scenario.services if name == "services" else (name,)
            groups.append(
                tuple(a for a in group if a in self.actors and a not in start_up.withheld)
            )
        return tuple(groups)

    async def _require_ready(self, actor: str) -> None:
        if not await self._world.until_ready(actor, START_S_MAX):
            raise EnvironmentFailed(f"{actor} was not ready within {START_S_MAX:.0f} s")

    async def _heal_actors(self) -> None:
        """Brings every actor back that is not running, and waits until all can work. One that gives
        up now, over a fault that is healed by now, is brought back once more."""
        for actor in self.actors:
            await self._world.start(actor)
        for actor in self.actors:
            try:
                await self._bring_back(actor)
            except EnvironmentFailed as failure:
                if not self._is_foreign(actor):
                    raise
                words = " ".join(str(failure).split())
                value = {"actor": actor, "words": words[-WORDS_MAX:]}
                self._recorder.note("world", "not-ready", value)

    async def _bring_back(self, actor: str) -> None:
        for _attempt in range(HEAL_STARTS_MAX - 1):
            try:
                await self._require_ready(actor)
            except EnvironmentFailed:
                # What it suffered before may end it a moment after it was found running.
                if self._world.running(actor):
                    raise
                await self._world.start(actor)
            else:
                break
        else:
            await self._require_ready(actor)

    def _is_foreign(self, actor: str) -> bool:
        """Whether it is under test, and not of this repository."""
        if actor in self._scenario.services:
            return not isinstance(self._client, ReferenceClient)
        return actor == "dtms" and not isinstance(self._server, SimulatedServer)

    async def _run_lane(self, lane: Lane) -> None:
        await asyncio.sleep(lane.at_s)
        for operation in lane.operations:
            # Who did not answer once is asked no more: each wait is as long as a call may take.
            if lane.service in self._deaf:
                return
            await self._perform(lane.service, operation)

    async def _perform(self, service: str, operation: Operation) -> None:
        match operation:
            case Execute(position):
                await self._execute(position)
            case Register():
                await self._register(service, operation)
            case Close(ticket):
                await self._close(service, ticket)
            case ClosePosition(ticket):
                await self._close_position(ticket)
            case Wait(for_s):
                await asyncio.sleep(for_s)
            case BadInput(case):
                await self._bad_input(case)

    async def _execute(self, position: Position) -> None:
        self._tickets.add(position.ticket)
        if "broker" in self._scenario.needs:
            await self._until_running("broker")
        # Noted first: a recovery may find the position before the broker's answer is back.
        self._recorder.note("broker", "execute", position.terms())
        if "broker" in self._scenario.needs:
            body = {
                "symbol": position.symbol,
                "direction": position.direction,
                "entry_price": position.entry,
                "volume": position.volume,
                "stop_loss": position.stop_loss,
                "take_profit": position.take_profit,
            }
            await self._tell_broker("PUT", position.ticket, body)

    async def _close_position(self, ticket: int) -> None:
        if "broker" in self._scenario.needs:
            await self._tell_broker("DELETE", ticket, None)
        self._recorder.note("broker", "position-closed", {"ticket": ticket})

    async def _tell_broker(self, method: str, ticket: int, body: object) -> None:
        for _attempt in range(READ_ATTEMPTS):
            answer = await self._world.http(
                "broker", method, f"/_lab/positions/{ticket}", encode(body)
            )
            if answer is not None and answer[0] < 300:
                return
            await asyncio.sleep(READ_PAUSE_S)
        raise EnvironmentFailed(f"the broker did not take {method} of position {ticket}")

    async def _until_running(self, actor: str) -> None:
        """Waits for an actor that somebody else starts; bounded like any start."""
        for _turn in range(int(START_S_MAX / SERVICE_WAIT_S)):
            if self._world.running(actor):
                return
            await asyncio.sleep(SERVICE_WAIT_S)
        raise EnvironmentFailed(f"{actor} was not started within {START_S_MAX:.0f} s")

    async def _register(self, service: str, operation: Register) -> None:
        if self._is_foreign(service) and self._world.ended_by_itself(service):
            await self._world.start(service)  # as whatever supervises services would
        await self._until_running(service)
        ticket = operation.position.ticket
        self._tickets.add(ticket)
        trade = operation.position.data(operation.spelling)
        request = {
            "op": "register",
            "ticket": ticket,
            "trade": trade,
            "timeout_s": self._policy.timeout_s,
            "retry_count": self._policy.retries,
            "via": operation.via,
        }
        value = {"ticket": ticket, "trade": trade, "via": operation.via}
        call = self._recorder.invoke(service, "register", value)
        waits_s = self._bounds.blocked_s + ANSWER_SLACK_S
        try:
            answer = await self._ask(service, request, waits_s)
        except ActorGone as gone:
            call.info(value, f"process died: {gone}")
        except TimeoutError:
            self._deaf.add(service)
            call.info(value, f"no answer in {waits_s:.0f} s")
        except asyncio.CancelledError:
            call.info(value, "the episode ended")
            raise
        else:
            detail = answer.get("detail", "")
            if answer.get("registered") is True:
                call.ok({**value, "detail": detail})
            elif answer.get("registered") is False:
                call.fail({**value, "reason": detail})
            else:
                call.info(value, str(detail) or "pending")

    async def _close(self, service: str, ticket: int) -> None:
        value = {"ticket": ticket}
        call = self._recorder.invoke(service, "close", value)
        answer = await self._world.http("dtms", "DELETE", f"/dtms/trade/{ticket}")
        if answer is None:
            call.info(value, "no answer")
        elif answer[0] == 200:
            call.ok(value)
        else:
            call.fail({**value, "status": answer[0]})

    async def _bad_input(self, case: str) -> None:
        self._tickets.add(BAD_TICKET)
        bad = BAD_BODIES[case]
        value = {"case": case, "ticket": BAD_TICKET, "expected": list(bad.expected)}
        call = self._recorder.invoke("auditor", "bad-input", value)
        answer = await self._world.http("dtms", "POST", "/dtms/trade/enable", bad.body)
        if answer is None:
            call.info(value, "no answer")
        else:
            call.ok({**value, "status": answer[0], "body": answer[1]})

    async def _let_finish(self, lanes: list[asyncio.Task[None]]) -> None:
        """Waits for what was begun; every call in a lane has a bound of its own."""
        longest = max((len(lane.operations) for lane in self._lanes), default=1)
        waits_s = longest * (self._bounds.blocked_s + ANSWER_SLACK_S)
        running = [lane for lane in lanes if not lane.done()]
        if running:
            await asyncio.wait(running, timeout=waits_s)

    async def _settle(self) -> None:
        if not self._durable:
            return
        # Who ends sooner judges as unprotected what still has time to be protected.
        settle_s = max(SETTLE_S, self._bounds.unprotected_s)
        request = {"op": "settle", "timeout_s": settle_s}
        waits_s = settle_s + ANSWER_SLACK_S
        asked = (self._ask(s, request, waits_s) for s in self._scenario.services)
        await asyncio.gather(*asked, return_exceptions=True)

    async def _until_owners_agree(self) -> None:
        """Waits while DTMS protects what the Universal Manager has, at most OWNERS_CYCLES of its
        monitor: it gives such a trade up when it looks next."""
        every_s = self._scenario.server.monitoring_interval_s / 4
        for _turn in range(4 * OWNERS_CYCLES):
            if not await self._held_twice():
                return
            await asyncio.sleep(every_s)

    async def _held_twice(self) -> bool:
        answer = await self._world.http("main-api", "GET", "/universal/trades")
        owned = answer[1].get("tickets") if answer and isinstance(answer[1], dict) else None
        for ticket in owned or ():
            held = await self._world.http("dtms", "GET", f"/dtms/trade/{ticket}")
            if held and isinstance(held[1], dict) and held[1].get("state", "CLOSED") != "CLOSED":
                return True
        return False

    async def _audit(self) -> None:
        if self._durable:
            for service in self._scenario.services:
                await self._audit_service(service)
        await read_all(self._world, self._recorder, self._tickets)
        if "main-api" in self._scenario.needs:
            await self._read_managers()

    async def _audit_service(self, service: str) -> None:
        call = self._recorder.invoke(service, "audit", None)
        try:
            call.ok(await self._ask(service, {"op": "audit"}, AUDIT_S_MAX))
        except (ActorGone, TimeoutError) as error:
            call.info(None, f"{type(error).__name__}: {error}")

    async def _read_managers(self) -> None:
        call = self._recorder.invoke("auditor", "who-manages", None)
        managers: dict[str, object] = {}
        for ticket in sorted(self._tickets):
            answer = await read(self._world, "main-api", f"/trade-registry/{ticket}", (200,))
            if answer is None or not isinstance(answer[1], dict):
                call.info(None, f"the owner of {ticket} could not be read")
                return
            managers[str(ticket)] = answer[1].get("managed_by")
        call.ok(managers)
        call = self._recorder.invoke("auditor", "universal", None)
        answer = await read(self._world, "main-api", "/universal/trades", (200,))
        if answer is None or not isinstance(answer[1], dict):
            call.info(None, "the Universal Manager could not be read")
        else:
            call.ok(answer[1].get("tickets"))

    async def _ask(
        self, service: str, request: Mapping[str, object], timeout_s: float
    ) -> dict[str, object]:
        answer = await self._world.ask(service, {"id": next(self._ids), **request}, timeout_s)
        return answer if isinstance(answer, dict) else {"detail": f"answered {answer!r}"}

    def _polls_health(self) -> bool:
        return "health_tells_the_truth" in self._scenario.checkers

    async def _poll_health(self) -> None:
        while True:
            call = self._recorder.invoke("auditor", "health", None)
            answer = await self._world.http("dtms", "GET", "/dtms/health")
            if answer is None:
                call.info(None, "no answer")
            else:
                status, body = answer
                ready = body.get("ready") if isinstance(body, dict) else None
                call.ok({"status_code": status, "ready": ready, "body": body})
            await asyncio.sleep(HEALTH_POLL_S)

    def _note_header(self) -> None:
        scenario = self._scenario
        self._recorder.note(
            "world",
            "episode",
            {
                "scenario": scenario.name,
                "family": str(scenario.family),
                "world": self._world.name,
                "fidelity": self._world.fidelity,
                "seed": self._seed,
                "client": self._client.name,
                "server": self._server.name,
                "level": self._client.level,
                "checkers": list(checkers_for(scenario, self._client, self._server)),
                "policy": plain(self._policy),
                "bounds": plain(self._bounds),
            },
        )

    def _note_fault(self, f: str, value: Mapping[str, object]) -> None:
        self._recorder.note("nemesis", f, dict(value))


def checkers_for(
    scenario: Scenario, client: ClientTarget, server: ServerTarget | None = None
) -> tuple[str, ...]:
    """The checkers that may judge these targets in `scenario`; no server is the simulated one."""
    names = scenario.checkers
    if client.level != "durable":
        names = tuple(name for name in names if name not in NEED_AUDIT)
    if not isinstance(client, ReferenceClient) or not isinstance(server, SimulatedServer | None):
        names = (*names, OF_FOREIGN)
    return names


def plain(settings: Policy | Bounds) -> dict[str, object]:
    """Their values by name, all of them plain: `asdict` without the copying."""
    return {field.name: getattr(settings, field.name) for field in fields(settings)}


def encode(body: object) -> bytes | None:
    """JSON for a request that carries a body."""
    return None if body is None else msgspec.json.encode(body)
