"""What the table says of TinyGo's releases."""

from __future__ import annotations

import pytest

from wasmctl.toolchain.tinygo_releases import (
    NOTTINYGC,
    advise,
    flags_for,
    go_toolchain,
    release_for,
)

SDK = "github.com/tetratelabs/proxy-wasm-go-sdk"


def flags(version: str, *, nottinygc: bool = False, main_body: bool = True) -> str:
    release = release_for(version)
    assert release is not None
    found = flags_for(release, nottinygc=nottinygc, main_body=main_body)
    return " ".join(f"{name}={value}" for name, value in found.items())


def test_the_flags_of_nottinygc_s_manual() -> None:
    expected = "-gc=custom -tags=custommalloc nottinygc_envoy -target=wasi -scheduler=none"
    assert flags("0.31.2", nottinygc=True) == expected


@pytest.mark.parametrize(
    ("version", "main_body", "expected"),
    [
        ("0.31.2", True, "-target=wasi -scheduler=none"),
        ("0.34.0", False, "-target=wasi -scheduler=none"),
        ("0.35.0", False, "-target=wasip1 -scheduler=none -buildmode=c-shared"),
        ("0.39.0", False, "-target=wasip1 -scheduler=none -buildmode=c-shared"),
        ("0.39.0", True, "-target=wasip1 -scheduler=none -buildmode=wasi-legacy"),
    ],
)
def test_newer_ones_need_a_build_mode(version: str, main_body: bool, expected: str) -> None:
    assert flags(version, main_body=main_body) == expected


@pytest.mark.parametrize(
    ("version", "newest"),
    [
        ("0.30.0", 21),
        ("0.31.2", 22),
        ("0.32.0", 22),
        ("0.34.0", 23),
        ("0.38.0", 24),
        ("0.39.0", 25),
        ("0.40.1", 25),
        ("0.41.0", 26),
    ],
)
def test_the_newest_go_that_each_takes(version: str, newest: int) -> None:
    release = release_for(version)
    assert release is not None
    assert release.go[1] == newest
    assert go_toolchain(newest).startswith(f"go1.{newest}.")


@pytest.mark.parametrize("version", ["0.28.1", "0.42.0", "1.0.0"])
def test_what_the_table_does_not_know(version: str) -> None:
    assert release_for(version) is None


@pytest.mark.parametrize(
    ("version", "requires", "told"),
    [
        ("0.31.2", {SDK: "v0.24.0"}, "@v0.23.0`; or take TinyGo 0.32 or newer"),
        ("0.39.0", {SDK: "v0.22.0"}, "@v0.24.0`; or take TinyGo 0.31.2"),
        ("0.39.0", {SDK: "v0.24.0", NOTTINYGC: "v0.7.1"}, "remove the import of"),
        (
            "0.39.0",
            {SDK: "v0.23.0", NOTTINYGC: "v0.7.1"},
            f"`{SDK}` v0.23.0 and `{NOTTINYGC}` do not",
        ),
    ],
)
def test_advice_where_things_do_not_go_together(
    version: str, requires: dict[str, str], told: str
) -> None:
    assert told in (advise(version, requires) or "")


@pytest.mark.parametrize(
    ("version", "requires"),
    [
        ("0.31.2", {SDK: "v0.23.0", NOTTINYGC: "v0.7.1"}),
        ("0.39.0", {SDK: "v0.24.0"}),
        ("0.39.0", {}),
    ],
)
def test_no_advice_where_they_do(version: str, requires: dict[str, str]) -> None:
    assert advise(version, requires) is None
