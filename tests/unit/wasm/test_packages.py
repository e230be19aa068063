"""Which crate or Go package a function is of."""

from __future__ import annotations

import pytest

from wasmctl.wasm.demangle import demangle
from wasmctl.wasm.packages import (
    go_package_of,
    is_plumbing,
    is_standard,
    package_of,
    package_of_path,
    short_path,
    version_of_path,
)

# All of real modules: of Rust 1.95 with proxy-wasm 0.2.5, and of TinyGo 0.39.0.
SYMBOLS = {
    "_RNvNtNtCsebHcaeoSrxy_3std9panicking11panic_count17is_zero_slow_path": "std",
    # The block `impl Display for String` stands in alloc; trait and formatter are core's.
    "_RNvXsq_NtCs5cOc02OMXlo_5alloc6stringNtB5_6StringNtNtCsgXGp5Oqx2Ny_4core3fmt7Display3fmt": (
        "alloc"
    ),
    # A method that the trait itself has, for a type of another crate.
    "_RNvYINtNvNtCsebHcaeoSrxy_3std9panicking11begin_panic7PayloadReENtNtCsgXGp5Oqx2Ny_4core5"
    "panic12PanicPayload6as_strB9_": "core",
    "_RNvCsfLfy6EI15iL_7___rustc14___rust_realloc": "__rustc",
    "_ZN10proxy_wasm6traits7Context12set_property17h711977d2b52bbd8bE": "proxy_wasm",
    "_ZN44_$LT$store..Disk$u20$as$u20$store..Store$GT$3get17h33bb605c6f2a530aE": "store",
    "_ZN64_$LT$chrono..Auth$u20$as$u20$proxy_wasm..traits..HttpContext$GT$23on_http_request_headers"
    "17had27c6d8f83b2841E": "chrono",
    "_ZN42_$LT$$RF$T$u20$as$u20$core..fmt..Debug$GT$3fmt17hc1acb906cb9a473dE": "core",
    "_ZN4core3ptr32drop_in_place$LT$store..Disk$GT$17h70bdf4b62932f47eE": "core",
    "_ZN9hashbrown3raw21RawTable$LT$T$C$A$GT$14reserve_rehash17h8bc0afcbf06d77aaE": "hashbrown",
    # A function of JavaScript, declared in a crate.
    "_ZN4uuid3rng3imp9webcrypto17get_random_values38__wbg_getRandomValues_01076ebaa66264dc17ha6f0c"
    "244abc1ef42E": "uuid",
    # As LLD demangles it.
    "_$LT$alloc..vec..Vec$LT$T$GT$$u20$as$u20$my_crate..Load$GT$::load::h0123456789abcdef": (
        "my_crate"
    ),
    "core::str::_$LT$impl$u20$str$GT$::trim::h0123456789abcdef": "core",
    "__wasilibc_nocwd_openat_nomode": "libc",
    "dlmalloc": "libc",
    "memcpy": "libc",
    "__externref_table_alloc": "wasm_bindgen",
    "proxy_on_request_headers": "",
    "_initialize": "",
    "(*github.com/acme/store/v2/disk.Disk).Get": "github.com/acme/store/v2/disk",
    "main.main$1": "main",
    "interface:{Error:func:{}{basic:string}}.Error$invoke": "",
    # Without Go's own table.
    "internal_runtime_maps.__Map_.putSlotSmall": "internal/runtime/maps",
    "github.com_acme_store_v2_disk.__Disk_.Get": "github.com_acme_store_v2_disk",
}


@pytest.mark.parametrize(("symbol", "package"), SYMBOLS.items())
def test_a_symbol_tells_the_package(symbol: str, package: str) -> None:
    assert package_of(symbol, demangle(symbol)) == package


@pytest.mark.parametrize(
    ("name", "package"),
    [
        ("net/http.(*Client).do.func1", "net/http"),
        ("main.init.0", "main"),
        ("type:.eq.net/http.Header", "net/http"),
        ("type:.eq.[2]runtime.Frame", ""),
        ("slices.SortFunc[go.shape.[]github.com/acme/x.T,go.shape.int]", "slices"),
        ("internal/sync.(*HashTrieMap[go.shape.string,go.shape.int]).Load", "internal/sync"),
        ("gopkg.in/yaml%2ev3.Unmarshal", "gopkg.in/yaml.v3"),
        ("(*gopkg.in/yaml.v3.decoder).unmarshal", "gopkg.in/yaml.v3"),
        ("vendor/golang.org/x/net/idna.ToASCII", "vendor/golang.org/x/net/idna"),
        ("glob..func1", "glob"),
        ("/root/go/pkg/mod/github.com/acme/sdk/abi.onTick", "github.com/acme/sdk/abi"),
        ("cmpbody", ""),
    ],
)
def test_gos_own_name_has_the_import_path(name: str, package: str) -> None:
    assert go_package_of(name) == package


@pytest.mark.parametrize(
    ("path", "package", "version", "short"),
    [
        (
            "/root/.cargo/registry/src/index.crates.io-1949cf8c6b5b557f/wasm-bindgen-0.2.130/src/lib.rs",
            "wasm_bindgen",
            "0.2.130",
            "wasm-bindgen-0.2.130/src/lib.rs",
        ),
        (
            "~/.cargo/registry/src/index.crates.io-1949cf8c6b5b557f/a-1.0.0-rc.1/src/b.rs",
            "a",
            "1.0.0-rc.1",
            "a-1.0.0-rc.1/src/b.rs",
        ),
        (
            "/rustc/59807616e1fa2540724bfbac14d7976d7e4a3860/library/std/src/fs.rs",
            "std",
            "",
            "library/std/src/fs.rs",
        ),
        (
            "/home/me/dep/my-settings/src/lib.rs",
            "my_settings",
            "",
            "/home/me/dep/my-settings/src/lib.rs",
        ),
        ("src/lib.rs", "", "", "src/lib.rs"),
        (
            "github.com/acme/store/v2@v2.0.0/disk/disk.go",
            "github.com/acme/store/v2/disk",
            "v2.0.0",
            "github.com/acme/store/v2@v2.0.0/disk/disk.go",
        ),
        (
            "/root/go/pkg/mod/github.com/!burnt!sushi/toml@v1.4.0/decode.go",
            "github.com/BurntSushi/toml",
            "v1.4.0",
            "github.com/!burnt!sushi/toml@v1.4.0/decode.go",
        ),
        ("main.go", "", "", "main.go"),
    ],
)
def test_a_source_file_tells_the_package(path: str, package: str, version: str, short: str) -> None:
    assert package_of_path(path) == package
    assert version_of_path(path) == version
    assert short_path(path) == short


@pytest.mark.parametrize(
    "package", ["std", "dlmalloc", "libc", "net/http", "vendor/golang.org/x/net"]
)
def test_what_comes_with_the_compiler_is_standard(package: str) -> None:
    assert is_standard(package)
    assert is_plumbing(package)


@pytest.mark.parametrize(
    "package", ["proxy_wasm", "js_sys", "github.com/tetratelabs/proxy-wasm-go-sdk/proxywasm"]
)
def test_sdk_and_glue_are_plumbing(package: str) -> None:
    assert not is_standard(package)
    assert is_plumbing(package)


@pytest.mark.parametrize(
    "package", ["main", "chrono", "github.com/acme/net", "golang.org/x/net/html"]
)
def test_what_an_author_chooses_is_no_plumbing(package: str) -> None:
    assert not is_plumbing(package)
