"""Names in backtraces."""

from __future__ import annotations

import random
import time

import pytest

from wasmctl.wasm.demangle import demangle

V0 = {
    "_RNvCsfLfy6EI15iL_7___rustc10rust_panic": "__rustc::rust_panic",
    "_RNvNtCsgXGp5Oqx2Ny_4core9panicking9panic_fmt": "core::panicking::panic_fmt",
    "_RNCNvNtCsebHcaeoSrxy_3std9panicking13panic_handler0B5_": (
        "std::panicking::panic_handler::{closure#0}"
    ),
    "_RINvNtNtCsebHcaeoSrxy_3std3sys9backtrace26___rust_end_short_backtrace"
    "NCNvNtB6_9panicking13panic_handler0zEB6_": (
        "std::sys::backtrace::__rust_end_short_backtrace"
        "::<std::panicking::panic_handler::{closure#0}, !>"
    ),
    "_RINvCs4Q2Qx8jI5j6_1a1gFKClEhEB2_": 'a::g::<extern "C" fn(i32) -> u8>',
    "_RINvCs4Q2Qx8jI5j6_1a1gFG_UQL0_StEuEB2_": "a::g::<unsafe fn(&mut [u16])>",
    "_RINvCs4Q2Qx8jI5j6_1a1gTuReAxj2_EEB2_": "a::g::<((), &str, [i64; 2])>",
    "_RINvCs4Q2Qx8jI5j6_1a1gThEEB2_": "a::g::<(u8,)>",
    "_RINvCs4Q2Qx8jI5j6_1a1gINtNtCslNYArtu3iFV_5alloc5boxed3BoxDNtNtNtNtCsgEmfK2I1SDS_4core4iter"
    "6traits8iterator8Iteratorp4ItemReEL_EEB2_": (
        "a::g::<alloc::boxed::Box<dyn core::iter::traits::iterator::Iterator<Item = &str>>>"
    ),
    "_RNvMCs4Q2Qx8jI5j6_1aINtB2_1WKce9_Kb1_Kxn5_E2goB2_": "<a::W<'é', true, -5>>::go",
    "_RNvMs_Cs4Q2Qx8jI5j6_1aINtB4_u9Gre_6ka8iKj3_Eu8lnge_loaB4_": "<a::Größe<3>>::länge",
    "_RNvC1a1f.llvm.123": "a::f",
}
OTHERS = {
    "_ZN4core9panicking9panic_fmt17h0123456789abcdefE": "core::panicking::panic_fmt",
    "_ZN60_$LT$panics..Root$u20$as$u20$proxy_wasm..traits..Context$GT$9on_config"
    "17h0123456789abcdefE": "<panics::Root as proxy_wasm::traits::Context>::on_config",
    "_$LT$panics..Root$u20$as$u20$proxy_wasm..traits..RootContext$GT$::on_configure"
    "::had4c6d020f37580e": "<panics::Root as proxy_wasm::traits::RootContext>::on_configure",
    "std::thread::local::LocalKey$LT$T$GT$::with::h00bd3f2fc767148f": (
        "std::thread::local::LocalKey<T>::with"
    ),
    "panics::token::first::he688f7247725a05f": "panics::token::first",
    "main.__plugin_.OnPluginStart": "main.(*plugin).OnPluginStart",
    "main.__http_.OnHttpRequestHeaders.func1": "main.(*http).OnHttpRequestHeaders.func1",
    "(*main.http).count": "(*main.http).count",
    "proxy_on_request_headers": "proxy_on_request_headers",
    "_ZN3foo3barEv": "_ZN3foo3barEv",
    "_start": "_start",
    "_R": "_R",
    "": "",
}


@pytest.mark.parametrize("name", V0)
def test_names_in_rusts_v0_mangling_are_read(name: str) -> None:
    assert demangle(name) == V0[name]


@pytest.mark.parametrize("name", OTHERS)
def test_names_of_other_forms_are_read_or_left(name: str) -> None:
    assert demangle(name) == OTHERS[name]


def test_a_cut_off_name_is_left_as_it_is() -> None:
    whole = "_RINvCs4Q2Qx8jI5j6_1a1gTuReAxj2_EE"
    assert demangle(whole) != whole
    for length in range(2, len(whole)):
        assert demangle(whole[:length]) in (whole[:length], "a::g")


def test_no_name_takes_long_or_fails() -> None:
    """Names come out of foreign modules."""
    source = random.Random(1)
    started = time.monotonic()
    for _ in range(20_000):
        name = list(source.choice([*V0, *OTHERS]) or "x")
        for _ in range(source.randint(1, 4)):
            name[source.randrange(len(name))] = source.choice("ABCDEFGIKLMNRSTXY_019suvE$.ü")
        demangle("".join(name))
    doubling = "TB8_B8_E"
    for bomb in (f"_RINvC1a1fT{doubling * 40}EE", "_R" + "NvX" * 5000, "_RNvC1a" + "9" * 5000):
        assert demangle(bomb)
    assert time.monotonic() - started < 20
