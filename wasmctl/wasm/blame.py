"""Whose fault an import is: the way to it from what a host calls, and the package that took it in.

A search from the import backwards. It passes through the standard library, the runtime, the SDK and
the glue to JavaScript, for they are only asked: the first functions behind them that are of any
other package are the culprits, and of these the one with the surest and shortest way counts. From
there the way is followed on to an exported callback. Ways of direct calls win over those through
pointers, and these over guesses; each step says which it is. Pure.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Final

from wasmctl.wasm.chain import Link, Step
from wasmctl.wasm.graph import Graph
from wasmctl.wasm.packages import LIBC, is_plumbing, is_sdk
from wasmctl.wasm.program import Program

__all__ = ["Blame", "find_blame"]

# What one step costs: a surer way wins, however long it is.
_COSTS: Final[Mapping[Link, int]] = {
    Link.CALL: 1,
    Link.DISPATCH: 100,
    Link.POINTER: 1_000,
    Link.IMPORTED: 100_000,
    Link.REFLECTION: 100_000,
    Link.INDIRECT: 10_000_000,
}
# What every module of Go's standard toolchain takes, whatever it does: seen in one of Go 1.26 that
# has the SDK and nothing else.
_GO_ALWAYS: Final = frozenset(
    (
        "args_get",
        "args_sizes_get",
        "clock_time_get",
        "environ_get",
        "environ_sizes_get",
        "fd_close",
        "fd_fdstat_get",
        "fd_fdstat_set_flags",
        "fd_prestat_dir_name",
        "fd_prestat_get",
        "fd_write",
        "poll_oneoff",
        "proc_exit",
        "random_get",
        "sched_yield",
    )
)


# Further culprits count where their ways cost at most so many times as much as the first one's.
_REACH: Final = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Blame:
    """How one import came into a module.

    Args:
        package: the crate or Go package that took it in; empty: none that is known.
        version: of that, where the place in its sources tells.
        function: the function of it that leads there.
        asks: what that calls of the standard library or the runtime: `os.ReadFile`.
        caller: the package that calls it; empty where it is called by the SDK or the host.
        inherent: whether the language's runtime takes it in every module, whatever the author does.
        chain: the way, from the exported function to the import; all of it.
        others: further packages that lead to it by themselves.
    """

    package: str
    version: str = ""
    function: str = ""
    asks: str = ""
    caller: str = ""
    inherent: bool = False
    chain: tuple[Step, ...] = ()
    others: tuple[str, ...] = ()

    @property
    def certain(self) -> bool:
        """Whether the way consists of calls, pointers and callbacks alone, and guesses nothing."""
        sure = {Link.CALL, Link.INLINED, Link.POINTER, Link.DISPATCH}
        return all(step.link in sure for step in self.chain)


@dataclass(frozen=True, slots=True)
class _Way:
    """A function that the search has reached: what it costs from there on, and where to."""

    cost: int
    next: int | None
    link: Link


def find_blame(graph: Graph, function: int) -> Blame:
    """Find how an import came into a module.

    Args:
        graph: of the module: one serves all of its imports.
        function: the import's index among the functions.

    Raises:
        Unreadable: the module's code is damaged.
    """
    program = graph.program
    imported = program.info.imported_functions[function]
    if program.go_table is not None and imported.name in _GO_ALWAYS:
        return Blame(
            package="runtime", inherent=True, chain=_steps(program, [(function, Link.CALL)])
        )
    through = _search_plumbing(graph, function)
    entry = _cheapest(through, graph.entries)
    culprits = _culprits(program, through)
    if culprits and (entry is None or through[culprits[0]].cost < through[entry].cost):
        outer, first = _search_exports(graph, culprits[0])
        way = _follow(outer, culprits[0] if first is None else first)
        way += _follow(through, culprits[0])[1:]
    elif entry is not None:
        way = _follow(through, entry)
    else:
        way = _follow(through, max(through, key=lambda one: through[one].cost))
    packages = [program.package(one) for one in culprits if one != function]
    return _judge(_steps(program, way), packages, reached=entry is not None)


def _judge(chain: Sequence[Step], packages: Sequence[str], *, reached: bool) -> Blame:
    """Tell the culprit: the last on the way that is no plumbing.

    Args:
        chain: the way.
        packages: those that lead to the import by themselves, the nearest first.
        reached: whether plumbing alone leads to it from an exported function.
    """
    own = [at for at, step in enumerate(chain) if not _is_plumbing(step.package)]
    # Who calls it tells more than who declares it.
    own = [at for at in own if at < len(chain) - 1] or own
    if not own:
        # What is exported and of no known package is the author's, unless it is the SDK that asks.
        asks = chain[1].package if len(chain) > 1 else ""
        exported = reached and not chain[0].package and asks not in {"", LIBC} and not is_sdk(asks)
        # A callback that calls the host itself, without any SDK.
        exported |= len(chain) == 2 and chain[0].function.startswith("proxy_on_")
        return Blame(
            package=next((step.package for step in chain if step.package), ""),
            function=chain[0].function if exported else "",
            inherent=reached and not exported,
            chain=tuple(chain),
        )
    at = own[-1]
    package = chain[at].package
    callers = [chain[one].package for one in own if chain[one].package != package]
    return Blame(
        package=package,
        version=chain[at].version,
        function=chain[at].function,
        asks=chain[at + 1].function if at + 1 < len(chain) else "",
        caller=callers[-1] if callers else "",
        chain=tuple(chain),
        others=tuple(dict.fromkeys(one for one in packages if one != package)),
    )


def _is_plumbing(package: str) -> bool:
    return not package or is_plumbing(package)


def _search_plumbing(graph: Graph, origin: int) -> dict[int, _Way]:
    """Search back to the first functions that are no plumbing, as far as they can count."""
    ways: dict[int, _Way] = {}
    farthest = None
    for function, way in _backwards(graph, origin, ways):
        if farthest is not None and way.cost > farthest:
            break
        ways[function] = way
        if not _is_plumbing(graph.program.package(function)):
            farthest = farthest or _REACH * way.cost + _REACH
    return ways


def _search_exports(graph: Graph, origin: int) -> tuple[dict[int, _Way], int | None]:
    """Search back to the first exported function; None: none leads to `origin`."""
    ways: dict[int, _Way] = {}
    for function, way in _backwards(graph, origin, ways, everywhere=True):
        ways[function] = way
        if function in graph.entries:
            return ways, function
    return ways, None


def _backwards(
    graph: Graph, origin: int, reached: Mapping[int, _Way], *, everywhere: bool = False
) -> Iterator[tuple[int, _Way]]:
    """Yield the functions that lead to one, the cheapest way first (Dijkstra's search).

    Args:
        graph: of the module.
        origin: the function.
        reached: what the caller took of those that came before.
        everywhere: whether to go on behind functions that are no plumbing.
    """
    queue = [(0, origin, -1, Link.CALL)]
    while queue:
        cost, function, after, link = heapq.heappop(queue)
        if function in reached:
            continue
        yield function, _Way(cost, None if after < 0 else after, link)
        if not everywhere and not _is_plumbing(graph.program.package(function)):
            continue
        for before, how in graph.before(function):
            if before not in reached:
                heapq.heappush(queue, (cost + _COSTS[how], before, function, how))


def _cheapest(ways: Mapping[int, _Way], functions: Iterable[int]) -> int | None:
    reached = [one for one in functions if one in ways]
    return min(reached, key=lambda one: (ways[one].cost, one), default=None)


def _culprits(program: Program, ways: Mapping[int, _Way]) -> list[int]:
    """Return the functions where the search ended, the nearest first."""
    found = [one for one in ways if not _is_plumbing(program.package(one))]
    return sorted(found, key=lambda one: (ways[one].cost, one))


def _follow(ways: Mapping[int, _Way], function: int) -> list[tuple[int, Link]]:
    """Return the way from a function on: each with how it is reached from the one before."""
    steps, link = [], Link.CALL
    following: int | None = function
    while following is not None:
        steps.append((following, link))
        link = ways[following].link
        following = ways[following].next
    return steps


def _steps(program: Program, way: Sequence[tuple[int, Link]]) -> tuple[Step, ...]:
    """Return the steps of a way, with what the compiler put into each function."""
    steps: list[Step] = []
    for (function, link), (called, _) in pairwise(way):
        first, *inlined = program.frames(function, called)
        steps += [replace(first, link=link), *inlined]
    if steps and way[0][0] in program.exports:
        # As the host calls it, whatever its symbol is.
        steps[0] = replace(steps[0], function=program.exports[way[0][0]])
    last, link = way[-1]
    steps.append(Step(function=program.name(last), package=program.package(last), link=link))
    return tuple(steps)
