"""One direction of a connection, with whatever flow it is subject to.

Works by the loop's timers, not by tasks: a pipe that is closed leaves nothing behind.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from chaos.conditions import FREE, Flow
from chaos.proxy.limits import BUFFER_BYTES_MAX, TICK_S

Deliver = Callable[[bytes], None]


@dataclass(slots=True)
class Parcel:
    """Bytes on their way, None for the end of the stream. `chance` decides the jitter; the last
    piece is handed to `deliver`."""

    data: bytes | None
    arrived_s: float
    chance: float
    deliver: Deliver


class Pipe:
    """Takes bytes in by `feed` and hands them on in order, as its flow allows.

    `deliver` gets bytes, `ended` is called at the end of the stream, `spent` with the reason when
    the connection is to close before it, `torn` when it is to be reset; `crowded(True)` asks for
    the source to be held up. `chance` draws for jitter and slices.
    """

    def __init__(
        self,
        *,
        deliver: Deliver,
        ended: Callable[[], None],
        spent: Callable[[str], None],
        torn: Callable[[], None],
        crowded: Callable[[bool], None],
        chance: Callable[[], float],
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._deliver = deliver
        self._ended = ended
        self._spent = spent
        self._torn = torn
        self._crowded = crowded
        self._chance = chance
        self._flow = FREE
        self._free = True
        self._parcels: deque[Parcel] = deque()
        self._timer: asyncio.TimerHandle | None = None
        self._quiet: asyncio.TimerHandle | None = None
        self._doom: asyncio.TimerHandle | None = None
        self._line_free_s = 0.0
        self._carried = 0
        self._held = 0
        self._closed = False

    def feed(self, data: bytes, last: Deliver | None = None) -> None:
        """Takes bytes; `last` is handed their last piece instead of `deliver`."""
        deliver = last or self._deliver
        if self._free and not self._parcels:
            if not self._closed:
                deliver(data)
            return
        self._queue(data, deliver)

    def feed_eof(self) -> None:
        """Takes the end of the stream."""
        if self._free and not self._parcels:
            if not self._closed:
                self._ended()
            return
        self._queue(None, self._deliver)

    def reshape(self, flow: Flow) -> None:
        """From now on this is the flow, for what is on its way too."""
        before, self._flow = self._flow, flow
        if (flow.limit_bytes is None) != (before.limit_bytes is None):
            self._carried = 0
        self._free = flow == FREE
        if flow.swallows:
            self._swallow_what_is_held()
            self._wait_for_quiet()
        elif before.swallows and not self._closed:
            self._spent("bytes had been lost")
        self._advance()

    def close(self) -> None:
        """Drops what is on its way and hands on nothing more."""
        self._closed = True
        self._parcels.clear()
        self._held = 0
        for timer in (self._timer, self._quiet, self._doom):
            if timer is not None:
                timer.cancel()

    def _queue(self, data: bytes | None, deliver: Deliver) -> None:
        if self._closed:
            return
        if self._flow.swallows:
            self._swallow(data)
            return
        pieces = self._halved(data) if data else [data]
        for left, piece in zip(reversed(range(len(pieces))), pieces, strict=True):
            chance = self._chance() if self._flow.jitter_s else 0.0
            whom = self._deliver if left else deliver
            self._parcels.append(Parcel(piece, self._loop.time(), chance, whom))
        self._held += len(data or b"")
        if self._held > BUFFER_BYTES_MAX:
            self._crowded(True)
        self._advance()

    def _halved(self, data: bytes) -> list[bytes | None]:
        flow = self._flow
        if flow.slice_bytes is None or flow.slice_vary_bytes is None:
            return [data]
        ends = halved(len(data), flow.slice_bytes, flow.slice_vary_bytes, self._chance)
        return [data[start:end] for start, end in zip((0, *ends), ends, strict=False)]

    def _swallow_what_is_held(self) -> None:
        held = tuple(self._parcels)
        self._parcels.clear()
        self._held = 0
        self._crowded(False)
        for parcel in held:
            self._swallow(parcel.data)

    def _swallow(self, data: bytes | None) -> None:
        """Loses bytes; what is to happen then begins with them."""
        reset_s = self._flow.reset_s
        if reset_s is not None:
            if self._doom is None:
                self._doom = self._loop.call_later(reset_s, self._torn)
        elif data is None:
            self._ended()
        else:
            self._wait_for_quiet()

    def _wait_for_quiet(self) -> None:
        if self._quiet is not None:
            self._quiet.cancel()
            self._quiet = None
        if self._flow.hang_up_s is not None and not self._closed:
            self._quiet = self._loop.call_later(
                self._flow.hang_up_s, self._spent, "nothing had come through"
            )

    def _advance(self) -> None:
        self._stop_timer()
        while self._parcels and not self._flow.stalled and not self._closed:
            parcel = self._parcels[0]
            size = self._piece_size(parcel)
            due_s = self._due_s(parcel, size)
            if due_s > self._loop.time():
                self._timer = self._loop.call_at(due_s, self._advance)
                return
            self._line_free_s = due_s + (self._flow.slice_gap_s if parcel.data else 0.0)
            self._hand_on(parcel, size)

    def _piece_size(self, parcel: Parcel) -> int:
        flow = self._flow
        size = len(parcel.data or b"")
        if flow.slice_bytes is not None and flow.slice_vary_bytes is None:
            size = min(size, flow.slice_bytes)
        if flow.bytes_per_s is not None:
            size = min(size, max(1, int(flow.bytes_per_s * TICK_S)))
        if flow.limit_bytes is not None:
            size = min(size, max(0, flow.limit_bytes - self._carried))
        return size

    def _due_s(self, parcel: Parcel, size: int) -> float:
        flow = self._flow
        here_s = parcel.arrived_s + flow.delay_s + flow.jitter_s * parcel.chance
        sending_s = size / flow.bytes_per_s if flow.bytes_per_s is not None else 0.0
        leaving_s = flow.linger_s if parcel.data is None else 0.0
        return max(here_s + leaving_s, self._line_free_s) + sending_s

    def _hand_on(self, parcel: Parcel, size: int) -> None:
        if parcel.data is None:
            self._parcels.popleft()
            self._ended()
            return
        piece, rest = parcel.data[:size], parcel.data[size:]
        self._carried += size
        self._held -= size
        if rest:
            parcel.data = rest
            if piece:
                self._deliver(piece)
        else:
            self._parcels.popleft()
            parcel.deliver(piece)
        if self._held <= BUFFER_BYTES_MAX // 2:
            self._crowded(False)
        limit = self._flow.limit_bytes
        if limit is not None and self._carried >= limit and not self._closed:
            self._spent("the connection had carried all it may")

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


def halved(size: int, average: int, variation: int, chance: Callable[[], float]) -> list[int]:
    """Where the pieces end into which so many bytes are cut: each is halved, about its middle by up
    to `variation`, until it is of `average` or at most `variation` more. Toxiproxy's slicer cuts
    so; `variation` is less than `average`."""
    ends: list[int] = []
    uncut = [(0, size)]
    while uncut:
        start, end = uncut.pop()
        if end - start - average <= variation:
            ends.append(end)
            continue
        shift = int(chance() * 2 * variation) - variation if variation else 0
        # Of an average of 1 the middle may be an end: a piece that is none would be cut for ever.
        middle = min(end - 1, max(start + 1, (start + end) // 2 + shift))
        uncut += [(middle, end), (start, middle)]
    return ends
