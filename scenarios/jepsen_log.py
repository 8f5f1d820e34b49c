"""Histories as Jepsen tells them: lines of its log, or its history.edn, a map a line.

    INFO  jepsen.util - 3	:invoke	:cas	[3 0]
    {:process 3, :type :invoke, :f :cas, :value [3 0]}

What the nemesis did and everything else in a log is left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import cast, get_args

from scenarios.edn import EdnRefused, Keyword, read_edn
from scenarios.history import History, HistoryRefused, Op, OpType

LINE = re.compile(r"(?:.*jepsen\.util - )?(\d+)\s+:(invoke|ok|fail|info)\s+:(\S+)\s*(.*)")
TYPES = frozenset(get_args(OpType))


def read_jepsen(path: Path) -> History:
    """The operations of clients, in their order; a value is what the EDN says, vectors as lists.

    Raises `OSError`, and `HistoryRefused` naming file and line.
    """
    return decode_jepsen(path.read_bytes(), str(path))


def decode_jepsen(content: bytes, name: str = "history") -> History:
    """What `read_jepsen` does with the content of the file called `name`."""
    try:
        lines = content.decode().splitlines()
    except UnicodeDecodeError as error:
        raise HistoryRefused(f"{name}: it is no text: {error}") from error
    ops: list[Op] = []
    for number, line in enumerate(lines, start=1):
        try:
            told = _told(line)
        except EdnRefused as error:
            raise HistoryRefused(f"{name}:{number}: {error}") from error
        if told is not None:
            process, type_, f, value, why = told
            ops.append(Op(len(ops), number, process, type_, f, value, why))
    if not ops:
        raise HistoryRefused(f"{name}: there is no operation of a client in it")
    return History(tuple(ops))


def _told(line: str) -> tuple[str, OpType, str, object, str | None] | None:
    if (found := LINE.match(line)) is not None:
        process, type_, f, rest = found.groups()
        values = list(_all(rest))
        value = values[0] if values else None
        if isinstance(value, Keyword):  # the reason, where there is no value
            value, values = None, [None, *values]
        why = str(values[1]) if len(values) > 1 else None
        return process, cast(OpType, type_), f, value, why
    if line.startswith("{"):
        entry, _rest = read_edn(line)
        assert isinstance(entry, dict)
        process, type_, f = (entry.get(Keyword(name)) for name in ("process", "type", "f"))
        if isinstance(process, int) and isinstance(type_, Keyword) and type_.name in TYPES:
            why = entry.get(Keyword("error"))
            value = entry.get(Keyword("value"))
            kind = f.name if isinstance(f, Keyword) else str(f)
            told = None if why is None else str(why)
            return str(process), cast(OpType, type_.name), kind, value, told
    return None


def _all(text: str) -> Iterator[object]:
    while text := text.strip():
        value, text = read_edn(text)
        yield value
