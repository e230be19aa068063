"""How the way to an import is shortened."""

from __future__ import annotations

from wasmctl.wasm.chain import Link, Step, shorten


def steps(*names: str) -> list[Step]:
    """Return steps of `package:function`, each called by the one before."""
    return [
        Step(function=function, package=package)
        for package, _, function in (name.partition(":") for name in names)
    ]


def functions(chain: list[Step]) -> list[str]:
    return [step.function for step in shorten(chain)]


def test_of_a_package_the_functions_stay_that_it_is_entered_and_left_by() -> None:
    chain = steps(":proxy_on_tick", "mine:a", "mine:b", "mine:c", "store:d", "std:e")
    assert functions(chain) == ["proxy_on_tick", "a", "c", "d", "e"]


def test_of_plumbing_what_was_asked_for_stays() -> None:
    chain = steps(
        "mine:a", "os:ReadFile", "os:open", "syscall:Open", "syscall:openat", ":path_open"
    )
    assert functions(chain) == ["a", "ReadFile", "path_open"]


def test_what_is_no_call_stays_with_both_its_ends() -> None:
    chain = steps("main:a", "html/template:b", "text/template:c", "os:d", "syscall:e", ":fd_pread")
    chain[3] = Step(function="d", package="os", link=Link.REFLECTION)
    assert functions(chain) == ["a", "b", "c", "d", "fd_pread"]


def test_a_short_way_stays_itself() -> None:
    assert functions(steps(":fd_close")) == ["fd_close"]
    assert functions([]) == []
