"""Histories as Jepsen tells them: lines of its log, or its history.edn, a map a line.

    INFO  jepsen.util - 3	:invoke	:cas	[3 0]
    {:process 3, :type :invoke, :f :cas, :value [3 0]}

What the nemesis did, and in a log whatever is no operation, is left out. A record's tag, as in
`#jepsen.history.Op{...}`, is read over.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import cast, get_args

from scenarios.edn import EdnRefused, Keyword, read_edn
from scenarios.history import History, HistoryRefused, Op, OpType, OutOfLine, Rules

LINE = re.compile(r"(?:.*jepsen\.util(?: -|:) )?\s*(\d+)\s+:(invoke|ok|fail|info)\s+:(\S+)\s*(.*)")
MAP = re.compile(r"\s*(?:#[\w.]+\s*)?(?=\{)")
TYPES = frozenset(get_args(OpType))


def read_jepsen(path: Path) -> History:
    """The operations of clients, in their order; a value is what the EDN says, vectors as lists.

    Raises `OSError`, and `HistoryRefused` naming file and line.
    """
    return decode_jepsen(path.read_bytes(), str(path))


def decode_jepsen(content: bytes, name: str = "history") -> History:
    """What `read_jepsen` does with the content of the file called `name`."""
    try:
        lines = content.decode("utf-8-sig").split("\n")
    except UnicodeDecodeError as error:
        raise HistoryRefused(f"{name}: it is no text: {error}") from error
    ops: list[Op] = []
    rules = Rules()
    for number, line in enumerate(lines, start=1):
        try:
            told = _told(line.rstrip("\r"))
            if told is not None:
                process, type_, f, value, why = told
                op = Op(len(ops), number, process, type_, f, value, why)
                rules.admit(op)
                ops.append(op)
        except (EdnRefused, OutOfLine) as error:
            raise HistoryRefused(f"{name}:{number}: {error}") from error
    if not ops:
        raise HistoryRefused(f"{name}: there is no operation of a client in it")
    return History(tuple(ops))


Told = tuple[str, OpType, str, object, str | None]
"""Process, type, f, value, error."""


def _told(line: str) -> Told | None:
    if (found := LINE.match(line)) is not None:
        process, type_, f, rest = found.groups()
        values = list(_all(rest))
        value = values[0] if values else None
        if isinstance(value, Keyword):  # the reason, where there is no value
            value, values = None, [None, *values]
        why = str(values[1]) if len(values) > 1 else None
        return process, cast(OpType, type_), f, value, why
    if (found := MAP.match(line)) is not None:
        entry, rest = read_edn(line[found.end() :])
        if rest.strip(" ,\t"):
            raise EdnRefused(f"one map a line is read, and there is more behind it: {rest[:40]!r}")
        assert isinstance(entry, dict)
        return _of_map(entry)
    return None


def _of_map(entry: dict[object, object]) -> Told | None:
    process, type_, f = (entry.get(Keyword(name)) for name in ("process", "type", "f"))
    if isinstance(process, Keyword):
        return None  # the nemesis
    if type(process) is not int or not isinstance(type_, Keyword) or type_.name not in TYPES:
        raise EdnRefused("an operation has a :process, a number, and a :type, one of four")
    if not isinstance(f, Keyword):
        raise EdnRefused("an operation has an :f, a keyword")
    why = entry.get(Keyword("error"))
    value = entry.get(Keyword("value"))
    return str(process), cast(OpType, type_.name), f.name, value, None if why is None else str(why)


def _all(text: str) -> Iterator[object]:
    while text := text.strip():
        value, text = read_edn(text)
        yield value
