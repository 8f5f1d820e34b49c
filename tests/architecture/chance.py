"""Finds what would make a history depend on the process that plays it: clocks, chance, identities,
and walks through sets, whose order is by hash."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import NamedTuple

CLOCKS = {"time", "monotonic", "perf_counter", "process_time", "thread_time"}
OF_THE_MACHINE = {
    "time": {*CLOCKS, *(f"{name}_ns" for name in CLOCKS), "localtime", "gmtime", "ctime"},
    "uuid": {"uuid1", "uuid4"},
    "os": {"urandom", "getpid", "getrandom"},
    "secrets": None,
    "random": None,
}
"""Per module what may not be used; None is everything."""
SEEDED = {("random", "Random")}
"""Of that, what may be used where it is given a seed."""
NOW = {"now", "utcnow", "today"}
DATES = {"datetime", "date"}
BY_ADDRESS = {"id", "hash"}
SETS = {"set", "frozenset"}
SET_METHODS = {"union", "intersection", "difference", "symmetric_difference", "copy"}
IN_ORDER = {"list", "tuple", "enumerate", "iter", "zip", "map", "filter", "dict", "deque"}
"""Functions whose result is in the order of their arguments."""
ANY_ORDER = {"sorted", "set", "frozenset", "any", "all", "sum", "min", "max", "len"}
"""Functions that say the same whatever the order."""


class Found(NamedTuple):
    """A place, and what stands there."""

    line: int
    what: str


def chance_in(source: str) -> list[Found]:
    """All that is found in the text of a module, in the order of its lines."""
    tree = ast.parse(source)
    return sorted({*_taken_from_the_machine(tree), *_walks_through_sets(tree)})


def _taken_from_the_machine(tree: ast.Module) -> Iterator[Found]:
    modules = {
        name.asname or name.name: name.name
        for node in ast.walk(tree)
        if isinstance(node, ast.Import)
        for name in node.names
    }
    given_a_seed = {
        node.func for node in ast.walk(tree) if isinstance(node, ast.Call) and node.args
    }
    for node in ast.walk(tree):
        match node:
            case ast.ImportFrom(module=str(module), names=names):
                for name in names:
                    if _is_refused(module, name.name) and (module, name.name) not in SEEDED:
                        yield Found(node.lineno, f"{module}.{name.name}")
            case ast.Attribute(value=ast.Name(id=name), attr=attr) if name in modules:
                module = modules[name]
                seeded = (module, attr) in SEEDED and node in given_a_seed
                if _is_refused(module, attr) and not seeded:
                    yield Found(node.lineno, f"{module}.{attr}")
            case ast.Call(func=ast.Name(id="Random"), args=[]):
                yield Found(node.lineno, "Random without a seed")
            case ast.Call(func=ast.Name(id=name)) if name in BY_ADDRESS:
                yield Found(node.lineno, f"{name}()")
        if isinstance(node, ast.Attribute) and node.attr in NOW and _named(node.value) in DATES:
            yield Found(node.lineno, f"datetime.{node.attr}")


def _is_refused(module: str, name: str) -> bool:
    if module not in OF_THE_MACHINE:
        return False
    names = OF_THE_MACHINE[module]
    return names is None or name in names


def _walks_through_sets(tree: ast.Module) -> Iterator[Found]:
    known = _names_of_sets(tree)
    harmless = {
        argument
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and _named(node.func) in ANY_ORDER
        for argument in node.args
    }
    for node in ast.walk(tree):
        for walked in _walked(node) if node not in harmless else ():
            if _is_set(walked, known):
                yield Found(walked.lineno, f"walks through {ast.unparse(walked)}")


def _walked(node: ast.AST) -> Iterator[ast.expr]:
    match node:
        case ast.For(iter=walked) | ast.AsyncFor(iter=walked):
            yield walked
        case ast.ListComp() | ast.GeneratorExp() | ast.DictComp():
            yield from (generator.iter for generator in node.generators)
        case ast.Call(func=function, args=arguments) if _named(function) in IN_ORDER | {"join"}:
            yield from arguments
        case ast.Call(func=ast.Attribute(value=owner, attr="pop"), args=[]):
            yield owner
        case ast.Starred(value=walked, ctx=ast.Load()):
            yield walked
        case ast.YieldFrom(value=walked):
            yield walked
        case ast.Assign(targets=[ast.Tuple() | ast.List()], value=walked):
            yield walked


def _is_set(node: ast.expr, known: set[str]) -> bool:
    match node:
        case ast.Set() | ast.SetComp():
            return True
        case ast.Name() | ast.Attribute():
            return ast.unparse(node) in known
        case ast.Call(func=ast.Name(id=name)):
            return name in SETS
        case ast.Call(func=ast.Attribute(value=owner, attr=attr)) if attr in SET_METHODS:
            return _is_set(owner, known)
        case ast.Call(func=ast.Attribute(attr="keys")):
            return False
        case ast.BinOp(left=left, op=ast.BitOr() | ast.BitAnd() | ast.Sub() | ast.BitXor()):
            return _is_set(left, known) or _is_keys(left) or _is_set(node.right, known)
        case ast.IfExp(body=body, orelse=orelse):
            return _is_set(body, known) or _is_set(orelse, known)
        case ast.NamedExpr(value=value):
            return _is_set(value, known)
        case _:
            return False


def _is_keys(node: ast.expr) -> bool:
    """Keys of a dictionary are in its order; what is left of them without some is a set."""
    match node:
        case ast.Call(func=ast.Attribute(attr="keys")):
            return True
        case _:
            return False


def _names_of_sets(tree: ast.Module) -> set[str]:
    """Names and attributes that the module itself says are sets."""
    known: set[str] = set()
    for node in ast.walk(tree):
        match node:
            case ast.AnnAssign(target=target, annotation=annotation):
                named = ast.unparse(target)
            case ast.arg(arg=named, annotation=ast.expr() as annotation):
                pass
            case ast.Assign(targets=[target], value=value) if _is_set(value, known):
                known.add(ast.unparse(target))
                continue
            case _:
                continue
        if ast.unparse(annotation).partition("[")[0] in {*SETS, "Set", "AbstractSet"}:
            known |= {named, f"self.{named}"}
    return known


def _named(node: ast.expr) -> str:
    match node:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
        case _:
            return ""
