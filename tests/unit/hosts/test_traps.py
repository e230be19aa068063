"""Traps, read from records as Envoy 1.40 wrote them."""

from __future__ import annotations

from wasmctl.hosts.traps import find_trap, last_words

HEAD = "Function: proxy_on_configure failed: Uncaught RuntimeError: unreachable"
BACKTRACE = f"""{HEAD}
Proxy-Wasm plugin in-VM backtrace:
  0:  0x14d66 - _RNvCsfLfy6EI15iL_7___rustc10rust_panic
  1:  0xfc9 - _RNvNtCsgXGp5Oqx2Ny_4core9panicking9panic_fmt
  2:  0x18ab - chrono::offset::utc::Utc::now::h855a3d7c02f3fea9
  3:  0x7329 - panics::token::first::he688f7247725a05f
  4:  0x74a8 - _$LT$panics..Root$u20$as$u20$proxy_wasm..traits..RootContext$GT$::on_configure::had4c
  5:  0x10e94 - proxy_wasm::dispatcher::Dispatcher::on_configure::hf273b1e1c19fcac5
  6:  0xd265 - proxy_on_configure"""
GO_BACKTRACE = f"""{HEAD}
Proxy-Wasm plugin in-VM backtrace:
  0:  0x134d76 - runtime.abort
  1:  0x12bb36 - runtime.gopanic
  2:  0x18c6bf - main.__plugin_.OnPluginStart
  3:  0x162887 - github.com_proxy_wasm_proxy_wasm_go_sdk_proxywasm_internal.proxyOnConfigure"""
# Go's runtime writes a panic in pieces.
GO_PIECES = [
    *("panic: ", "runtime error: index out of range [5] with length 0", "", "", "goroutine ", "1"),
    *(" [", "running", "]:", "main.(*plugin).OnPluginStart", "(", "0x20c0d8", ")", "\t"),
    *("/home/me/auth/main.go", ":", "27", " +", "0x30", "", "internal.proxyOnConfigure", "\t"),
    *("/home/me/go/pkg/mod/github.com/proxy-wasm/sdk@v0.0.0/callback.go", ":", "41"),
]


def said(*texts: str) -> list[str]:
    return [f"wasm log header-auth root vm: {text}" for text in texts]


def test_the_innermost_frame_of_the_authors_crate_is_told() -> None:
    """It is not the innermost of a dependency: an SDK calls the author's code first."""
    trap = find_trap([BACKTRACE])
    assert trap is not None
    assert (trap.function, trap.reason) == ("proxy_on_configure", "RuntimeError: unreachable")
    assert trap.frames[:3] == (
        "__rustc::rust_panic",
        "core::panicking::panic_fmt",
        "chrono::offset::utc::Utc::now",
    )
    assert trap.own == 3
    assert trap.where == "`panics::token::first`"


def test_a_trap_without_backtrace_has_no_frames() -> None:
    trap = find_trap(["before", HEAD])
    assert trap is not None
    assert (trap.frames, trap.own, trap.place, trap.words, trap.where) == ((), None, "", "", "")


def test_the_first_trap_counts() -> None:
    trap = find_trap([HEAD, HEAD.replace("proxy_on_configure", "proxy_on_tick")])
    assert trap is not None
    assert trap.function == "proxy_on_configure"


def test_without_a_trap_there_is_none() -> None:
    assert find_trap([]) is None
    assert find_trap(said("Function: x")) is None


def test_what_a_plugin_logs_itself_is_no_trap() -> None:
    assert find_trap(said(HEAD)) is None


def test_a_rust_panic_is_read_as_the_sdk_logs_it() -> None:
    words = "panicked at src/lib.rs:15:117:\nassertion failed\n  left: 1\n right: 7"
    trap = find_trap([*said("starting", words), HEAD])
    assert trap is not None
    assert (trap.place, trap.words) == ("src/lib.rs:15:117", "assertion failed left: 1 right: 7")


def test_a_rust_panic_is_read_as_the_standard_library_writes_it() -> None:
    words = "\nthread '<unnamed>' (1) panicked at src/my lib.rs:3:103:\nn is wrong"
    note = "note: run with `RUST_BACKTRACE=1` environment variable to display a backtrace"
    trap = find_trap([*said(words, note), HEAD])
    assert trap is not None
    assert (trap.place, trap.words) == ("src/my lib.rs:3:103", "n is wrong")


def test_places_in_stores_are_shortened() -> None:
    store = "/home/me/.cargo/registry/src/index-1949cf8c6b5b557f"
    place = f"{store}/proxy-wasm-0.2.5/src/dispatcher.rs:201:25"
    trap = find_trap([*said(f"panicked at {place}:\nx"), HEAD])
    assert trap is not None
    assert trap.place == "proxy-wasm-0.2.5/src/dispatcher.rs:201:25"


def test_memory_that_runs_out_is_told_in_pieces() -> None:
    note = "note: run with `RUST_BACKTRACE=1` environment variable to display a backtrace"
    pieces = said("memory allocation of ", "67108864", " bytes failed", note)
    trap = find_trap([*pieces, HEAD])
    assert trap is not None
    assert trap.words == "memory allocation of 67108864 bytes failed"


def test_a_go_panic_is_put_together() -> None:
    trap = find_trap([*said(*GO_PIECES), GO_BACKTRACE])
    assert trap is not None
    assert trap.words == "runtime error: index out of range [5] with length 0"
    assert trap.where == "`main.(*plugin).OnPluginStart`, `/home/me/auth/main.go:27`"


def test_last_words_are_the_plugins_and_on_one_line() -> None:
    assert last_words(["Envoy's", *said("one", "two\n  three", ""), "Envoy's"]) == "two three"
    assert last_words(["wasm log: bare"]) == "bare"
    assert last_words(["Envoy's"]) == ""
