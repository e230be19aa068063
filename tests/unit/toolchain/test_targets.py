"""Which target and Rust toolchain are chosen, of those that are installed."""

from __future__ import annotations

from pathlib import Path

import pytest

from wasmctl.errors import ToolMissing, UsageError
from wasmctl.toolchain.rust import Rust, choose_target


def rust(folder: Path, *targets: str, chosen: bool = False, **others: str) -> Rust:
    """A toolchain with these targets; others by name, each with a comma separated list."""
    return Rust(
        sysroot=toolchain(folder / "default", *targets),
        name="stable-x",
        chosen=chosen,
        others={
            name.replace("_", "-"): toolchain(folder / name, *listed.split(","))
            for name, listed in others.items()
        },
    )


def new() -> str:
    return "1.95.0"


def old() -> str:
    return "1.77.2"


def both() -> str:
    return "1.80.0"


def toolchain(folder: Path, *targets: str) -> Path:
    for target in ("x86_64-unknown-linux-gnu", *targets):
        (folder / "lib/rustlib" / target / "lib").mkdir(parents=True)
    return folder


def test_wasip1_is_the_default(tmp_path: Path) -> None:
    found = choose_target(None, rust(tmp_path, "wasm32-wasip1", "wasm32-wasi"), old)
    assert (found.target, found.toolchain, found.note) == ("wasm32-wasip1", None, None)


def test_an_old_rust_defaults_to_what_it_has(tmp_path: Path) -> None:
    assert choose_target(None, rust(tmp_path, "wasm32-wasi"), old).target == "wasm32-wasi"


def test_wasi_is_meant_where_it_is_known(tmp_path: Path) -> None:
    able = rust(tmp_path, "wasm32-wasip1", "wasm32-wasi")
    found = choose_target("wasm32-wasi", able, both)
    assert (found.target, found.note) == ("wasm32-wasi", None)


def test_wasi_is_wasip1_where_that_replaced_it_and_that_is_said(tmp_path: Path) -> None:
    found = choose_target("wasm32-wasi", rust(tmp_path, "wasm32-wasip1"), new)
    assert found.target == "wasm32-wasip1"
    assert "`wasm32-wasi` is called `wasm32-wasip1`" in (found.note or "")


def test_wasi_that_is_known_and_not_installed_is_asked_for(tmp_path: Path) -> None:
    with pytest.raises(ToolMissing) as caught:
        choose_target("wasm32-wasi", rust(tmp_path, "wasm32-wasip1"), both)
    assert caught.value.hint == "`rustup target add wasm32-wasi --toolchain stable-x`"


def test_another_toolchain_that_has_the_target_stands_in_for_the_default(tmp_path: Path) -> None:
    names = ("nightly-x", "1.9.0-x", "1.95.0-x")
    others = {name: toolchain(tmp_path / name, "wasm32-wasip1") for name in names}
    default = Rust(sysroot=toolchain(tmp_path / "d"), name="beta-x", chosen=False, others=others)
    found = choose_target(None, default, new)
    assert found.toolchain == "1.95.0-x"
    assert "`beta-x` has no `wasm32-wasip1`; using `1.95.0-x`" in (found.note or "")


def test_a_chosen_toolchain_is_never_replaced(tmp_path: Path) -> None:
    chosen = rust(tmp_path, chosen=True, nightly_x="wasm32-wasip1")
    with pytest.raises(ToolMissing) as caught:
        choose_target(None, chosen, new)
    assert caught.value.hint == "`rustup target add wasm32-wasip1 --toolchain stable-x`"


def test_what_a_toolchain_file_promises_is_left_to_rustup(tmp_path: Path) -> None:
    promising = Rust(
        sysroot=tmp_path, name="stable-x", others={}, promised=frozenset({"wasm32-wasip1"})
    )
    assert choose_target(None, promising, new).target == "wasm32-wasip1"


def test_a_target_that_is_no_wasm_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no target that a proxy could load"):
        choose_target("x86_64-unknown-linux-gnu", rust(tmp_path), new)


@pytest.mark.parametrize(
    "target", ["wasm32-foo", "wasm64-unknown-unknown", "wasm32-wasip1-threads"]
)
def test_a_target_that_no_proxy_loads_is_refused(tmp_path: Path, target: str) -> None:
    with pytest.raises(UsageError, match="no target that a proxy could load"):
        choose_target(target, rust(tmp_path), new)


def test_a_target_of_one_s_own_that_is_installed_is_taken(tmp_path: Path) -> None:
    assert choose_target("wasm32-mine", rust(tmp_path, "wasm32-mine"), new).target == "wasm32-mine"


@pytest.mark.parametrize("installed", [True, False])
def test_a_target_that_makes_components_is_refused(tmp_path: Path, *, installed: bool) -> None:
    here = rust(tmp_path, *(["wasm32-wasip2"] if installed else []))
    with pytest.raises(UsageError, match="makes a WebAssembly component") as caught:
        choose_target("wasm32-wasip2", here, new)
    assert caught.value.hint == "use `wasm32-wasip1`"


def test_wasip1_is_wasi_in_an_old_rust_and_that_is_said(tmp_path: Path) -> None:
    found = choose_target("wasm32-wasip1", rust(tmp_path, "wasm32-wasi"), old)
    assert found.target == "wasm32-wasi"
    assert found.note == "`wasm32-wasip1` is called `wasm32-wasi` in this Rust; compiling for that"


@pytest.mark.parametrize("wanted", [None, "wasm32-wasip1"])
def test_an_old_rust_is_offered_the_target_by_the_name_it_knows(
    tmp_path: Path, wanted: str | None
) -> None:
    with pytest.raises(ToolMissing) as caught:
        choose_target(wanted, rust(tmp_path), old)
    assert caught.value.hint == "`rustup target add wasm32-wasi --toolchain stable-x`"


def test_another_toolchain_stands_in_for_an_old_default(tmp_path: Path) -> None:
    found = choose_target(None, rust(tmp_path, stable_x="wasm32-wasip1"), old)
    assert (found.target, found.toolchain) == ("wasm32-wasip1", "stable-x")


@pytest.mark.parametrize(
    ("version", "expected"),
    [
        ("1.77.2", "wasm32-wasi"),
        ("1.83.0", "wasm32-wasi"),
        ("1.84.0", "wasm32-wasip1"),
        ("2.0.0", "wasm32-wasip1"),
        (None, "wasm32-wasip1"),
    ],
)
def test_rustc_knew_wasi_up_to_1_83(tmp_path: Path, version: str | None, expected: str) -> None:
    with pytest.raises(ToolMissing, match=f"`{expected}`"):
        choose_target("wasm32-wasi", rust(tmp_path), lambda: version)
