"""The history of an episode: what was invoked and how it ended, in order. All that checkers see.

The shape is Jepsen's: `ok` happened, `fail` certainly did not, `info` nobody knows. One JSON object
a line. A process has at most one open invocation; a lane that ended in `info` may still be running
and is never used again. An `ok` without an invocation is a note: it took no time.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import sha256
from heapq import heappop, heappush
from itertools import count
from pathlib import Path
from threading import Lock
from types import MappingProxyType, TracebackType
from typing import IO, Literal, get_args

import msgspec

OpType = Literal["invoke", "ok", "fail", "info"]
COMPLETIONS = frozenset(get_args(OpType)) - {"invoke"}


class HistoryRefused(Exception):
    """The file is no history; the message names file, line and what is wrong there."""


class HistoryCutOff(HistoryRefused):
    """The last line is incomplete: whoever recorded died in the middle of it.

    `history` is what stands before it.
    """

    def __init__(self, message: str, history: History) -> None:
        super().__init__(message)
        self.history = history


class Op(msgspec.Struct, frozen=True, forbid_unknown_fields=True, gc=False):
    """One line of a history. `time_us` counts microseconds from the start of the episode."""

    # Plain data makes no cycles: what says `gc=False`, here and elsewhere, the collector passes by.

    index: int
    time_us: int
    process: str
    type: OpType
    f: str
    value: object = None
    error: str | None = None

    @property
    def service(self) -> str:
        return service_of(self.process)

    @property
    def ticket(self) -> int | None:
        """The ticket the operation is about, or None."""
        ticket = self.value.get("ticket") if isinstance(self.value, dict) else None
        return ticket if isinstance(ticket, int) and not isinstance(ticket, bool) else None

    def get(self, name: str) -> object:
        """A field of the value; None where there is no such field, or the value is no object."""
        return self.value.get(name) if isinstance(self.value, dict) else None


class Call(msgspec.Struct, frozen=True, gc=False):
    """An invocation and its completion; None while it was open when the history ended."""

    invoke: Op
    completion: Op | None

    @property
    def service(self) -> str:
        return self.invoke.service

    @property
    def ticket(self) -> int | None:
        return self.invoke.ticket

    @property
    def ended(self) -> OpType:
        """`ok`, `fail` or `info`; a call that never ended is `info`, for nobody knows."""
        return self.completion.type if self.completion is not None else "info"

    @property
    def indices(self) -> tuple[int, ...]:
        if self.completion is None:
            return (self.invoke.index,)
        return (self.invoke.index, self.completion.index)

    def get(self, name: str) -> object:
        """A field as the completion tells it, else as the invocation does."""
        completion = self.completion
        if completion is not None and isinstance(completion.value, dict):
            told = completion.value.get(name)
            if told is not None:
                return told
        return self.invoke.get(name)


@dataclass(frozen=True)
class History:
    """Operations in the order they were recorded."""

    ops: tuple[Op, ...]

    @classmethod
    def read(cls, path: Path) -> History:
        """Reads JSON lines.

        Raises `OSError`, `HistoryRefused` naming file and line, and `HistoryCutOff` where only the
        last line is incomplete.
        """
        return cls.decode(path.read_bytes(), str(path))

    @classmethod
    def decode(cls, content: bytes, name: str = "history") -> History:
        """What `read` does with the content of the file called `name`."""
        *lines, rest = content.split(b"\n")
        rules = Rules()
        ops: list[Op] = []
        for number, line in enumerate(lines, start=1):
            try:
                op = _DECODER.decode(line)
                rules.admit(op)
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, OutOfLine) as error:
                raise HistoryRefused(f"{name}:{number}: {error or 'nested too deeply'}") from error
            ops.append(op)
        history = cls(tuple(ops))
        if rest:
            message = (
                f"{name}:{len(ops) + 1}: the last line is cut off, as if the recorder had died "
                f"while writing it; the {len(ops)} before it are whole"
            )
            raise HistoryCutOff(message, history)
        return history

    def encode(self) -> bytes:
        """JSON lines, as `decode` takes them."""
        return b"".join(encode_op(op) for op in self.ops)

    def digest(self) -> str:
        """SHA-256 of the encoded history: the same for two runs that went the same way."""
        return sha256(self.encode()).hexdigest()

    def __reduce__(self) -> tuple[type[History], tuple[tuple[Op, ...]]]:
        """Between processes only the operations travel, not what was read from them."""
        return History, (self.ops,)

    @cached_property
    def remembered(self) -> dict[object, object]:
        """What was read from this history before, by what read it."""
        return {}

    @cached_property
    def header(self) -> Mapping[str, object]:
        """What the world said about the episode in its first note; empty without one."""
        for op in self.notes("episode", "world"):
            if isinstance(op.value, dict):
                return MappingProxyType(op.value)
        return MappingProxyType({})

    @property
    def end_us(self) -> int:
        """When the last operation was recorded; 0 for an empty history."""
        return self.ops[-1].time_us if self.ops else 0

    def calls(self, f: str | None = None, service: str | None = None) -> tuple[Call, ...]:
        """Invocations with what became of them, in the order they were invoked."""
        if service is not None:
            return self._calls_of.get((f, service), ())
        return self._calls if f is None else self._calls_by_f.get(f, ())

    def notes(self, f: str, process: str | None = None) -> tuple[Op, ...]:
        """Completions without an invocation, such as what the world tells of itself."""
        if process is not None:
            return self._notes_of.get((f, process), ())
        return self._notes_by_f.get(f, ())

    def phase(self, name: str) -> Op | None:
        """Where the world said that the phase began; None where it never did."""
        return self._phases.get(name)

    @cached_property
    def _phases(self) -> dict[object, Op]:
        """Where each began first."""
        notes = self.notes("phase", "world")
        return {name: op for op in reversed(notes) if isinstance(name := op.get("name"), str)}

    @cached_property
    def _paired(self) -> tuple[tuple[Call, ...], dict[str, tuple[Op, ...]]]:
        ops = self.ops
        open_since: dict[str, int] = {}
        ends: dict[int, Op | None] = {}
        """By the place of the invocation."""
        notes: dict[str, list[Op]] = {}
        for place, op in enumerate(ops):
            if op.type == "invoke":
                open_since[op.process] = place
                ends[place] = None
            elif (began := open_since.get(op.process)) is not None and ops[began].f == op.f:
                del open_since[op.process]
                ends[began] = op
            else:
                notes.setdefault(op.f, []).append(op)
        calls = tuple(Call(ops[began], end) for began, end in ends.items())
        return calls, {f: tuple(told) for f, told in notes.items()}

    @property
    def _calls(self) -> tuple[Call, ...]:
        return self._paired[0]

    @property
    def _notes_by_f(self) -> dict[str, tuple[Op, ...]]:
        return self._paired[1]

    @cached_property
    def _calls_by_f(self) -> dict[str, tuple[Call, ...]]:
        by_f: dict[str, list[Call]] = {}
        for call in self._calls:
            by_f.setdefault(call.invoke.f, []).append(call)
        return {f: tuple(calls) for f, calls in by_f.items()}

    @cached_property
    def _calls_of(self) -> dict[tuple[str | None, str], tuple[Call, ...]]:
        """By kind and service, and for no kind by service."""
        found: dict[tuple[str | None, str], list[Call]] = {}
        for call in self._calls:
            service = service_of(call.invoke.process)
            found.setdefault((call.invoke.f, service), []).append(call)
            found.setdefault((None, service), []).append(call)
        return {about: tuple(calls) for about, calls in found.items()}

    @cached_property
    def _notes_of(self) -> dict[tuple[str, str], tuple[Op, ...]]:
        """By kind and service."""
        found: dict[tuple[str, str], list[Op]] = {}
        for f, ops in self._notes_by_f.items():
            for op in ops:
                found.setdefault((f, op.service), []).append(op)
        return {about: tuple(ops) for about, ops in found.items()}


def service_of(process: str) -> str:
    """The service a lane belongs to: `bot` for `bot/3`."""
    return process.partition("/")[0]


class Recorder:
    """Writes a history while it happens; what was recorded is in the file, whatever comes after.

    Hands out lanes: an invocation takes the service's lowest free one, `info` burns it. May be used
    from several threads. `clock` tells microseconds since the episode began. Without a path the
    history is kept in memory only, for `history` to tell.
    """

    def __init__(self, path: Path | None, clock: Callable[[], int] | None = None) -> None:
        self._clock = clock or _since_now()
        self._lock = Lock()
        self._next_index = 0
        self._last_us = 0
        self._lanes: dict[str, _Lanes] = {}
        self._file: IO[bytes] | None = None if path is None else path.open("xb", buffering=0)
        self._ops: list[Op] = []

    def __enter__(self) -> Recorder:
        return self

    def __exit__(
        self,
        _type: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """What comes later is refused with `ValueError`."""
        if self._file is not None:
            self._file.close()

    def history(self) -> History:
        """What was recorded in memory so far; empty where it went to a file."""
        return History(tuple(self._ops))

    def note(self, process: str, f: str, value: object = None) -> Op:
        """Something that is so, and took no time."""
        with self._lock:
            return self._write(process, "ok", f, value, None)

    def invoke(self, service: str, f: str, value: object = None) -> Invocation:
        """Something begins, in a lane of its own; the answer is told to what is returned."""
        with self._lock:
            lanes = self._lanes.get(service)
            if lanes is None:
                lanes = self._lanes[service] = _Lanes()
            lane = lanes.take()
            process = f"{service}/{lane}"
            self._write(process, "invoke", f, value, None)
        return Invocation(self, process, service, lane, f)

    def _complete(
        self, invocation: Invocation, ended: OpType, value: object, error: str | None
    ) -> None:
        process = invocation.process
        with self._lock:
            if invocation.ended is not None:
                raise ValueError(f"{process} {invocation.f} has ended already: {invocation.ended}")
            self._write(process, ended, invocation.f, value, error)
            invocation.ended = ended
            if ended != "info":
                self._lanes[invocation.service].give_back(invocation.lane)

    def _write(self, process: str, type_: OpType, f: str, value: object, error: str | None) -> Op:
        # A clock that steps back must not make a history that is refused.
        now_us = self._clock()
        if now_us > self._last_us:
            self._last_us = now_us
        op = Op(self._next_index, self._last_us, process, type_, f, value, error)
        if self._file is None:
            self._ops.append(op)
        else:
            line = encode_op(op)
            if self._file.write(line) != len(line):
                raise OSError(f"{self._file.name}: the history could not be written whole")
        self._next_index += 1
        return op


class Invocation(msgspec.Struct, eq=False):
    """What was begun. Exactly one of `ok`, `fail` and `info` may be told, once."""

    _recorder: Recorder
    process: str
    service: str
    lane: int
    f: str
    ended: OpType | None = None

    def ok(self, value: object = None) -> None:
        """It happened."""
        self._recorder._complete(self, "ok", value, None)

    def fail(self, value: object = None, error: str | None = None) -> None:
        """It certainly did not happen."""
        self._recorder._complete(self, "fail", value, error)

    def info(self, value: object = None, error: str | None = None) -> None:
        """Nobody knows whether it happened, or whether it still will."""
        self._recorder._complete(self, "info", value, error)


def encode_op(op: Op) -> bytes:
    """One JSON line, newline and all. Lone surrogates, which JSON cannot carry, are escaped."""
    try:
        return msgspec.json.encode(op) + b"\n"
    except UnicodeEncodeError:
        plain = msgspec.structs.replace(op, value=_printable(op.value), error=_printable(op.error))
        return msgspec.json.encode(plain) + b"\n"


def _printable(value: object) -> object:
    match value:
        case str():
            return value.encode("utf-8", "backslashreplace").decode()
        case dict():
            return {_printable(name): _printable(held) for name, held in value.items()}
        case list() | tuple():
            return [_printable(held) for held in value]
        case _:
            return value


_DECODER = msgspec.json.Decoder(Op)


class OutOfLine(Exception):
    """Why a line that can be read does not fit the lines before it."""


@dataclass(slots=True)
class Rules:
    """What holds from line to line."""

    index: int = -1
    time_us: int = 0
    open_f: dict[str, str] = field(default_factory=dict)
    burnt: set[str] = field(default_factory=set)

    def admit(self, op: Op) -> None:
        if op.index <= self.index:
            raise OutOfLine(f"index {op.index} comes after {self.index}")
        if op.time_us < self.time_us:
            raise OutOfLine(f"time {op.time_us} us comes after {self.time_us} us")
        begun = self.open_f.pop(op.process, None)
        if begun is not None and (op.type == "invoke" or op.f != begun):
            raise OutOfLine(f"{op.process} has an open {begun}, and this is {op.type} {op.f}")
        if op.type == "invoke":
            if op.process in self.burnt:
                raise OutOfLine(f"{op.process} ended in info and may not be used again")
            self.open_f[op.process] = op.f
        elif op.type == "info" and begun is not None:
            self.burnt.add(op.process)
        self.index, self.time_us = op.index, op.time_us


@dataclass(slots=True)
class _Lanes:
    """Lane numbers of one service, the lowest free one first."""

    fresh: Iterator[int] = field(default_factory=count)
    free: list[int] = field(default_factory=list)

    def take(self) -> int:
        return heappop(self.free) if self.free else next(self.fresh)

    def give_back(self, lane: int) -> None:
        heappush(self.free, lane)


def _since_now() -> Callable[[], int]:
    began_ns = time.monotonic_ns()
    return lambda: (time.monotonic_ns() - began_ns) // 1000
