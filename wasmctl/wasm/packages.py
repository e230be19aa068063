"""Which crate or Go package a function is of, read from its symbol. Pure.

What is named is where the *source* of the function stands, for that is what its author can change:

- of `<my::Type as core::fmt::Debug>::fmt` it is `my`, which wrote the `impl`;
- of `alloc::vec::Vec<my::Type>::push` it is `alloc`: instantiated for `my`, but written by `alloc`;
- of the method that a trait itself has, `<my::Type as log::Log>::flush` by `log`'s default, `log`.

A symbol of Rust's v0 mangling says it. In the legacy mangling an `impl` of a trait is told from its
two names: Rust lets a crate write one only where the type or the trait is its own.

Go writes `net/http.(*Client).Do` as `net_http.__Client_.Do` into a module, from which the path of a
package comes back only where its parts have no `_`, `-` or `.`, as the standard library's have not.
The whole path is in Go's own table of functions (go_table.py), and in TinyGo's symbols.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

from wasmctl.wasm.rust_v0 import read_crate

__all__ = [
    "LIBC",
    "RUST_SDK",
    "go_package_of",
    "is_glue",
    "is_plumbing",
    "is_sdk",
    "is_standard",
    "package_of",
    "package_of_path",
    "short_path",
    "version_of_path",
]

# What stands for wasi-libc and the compiler's own functions in C.
LIBC: Final = "libc"

# The crates of Rust's standard library, and what it is built of: library/Cargo.lock of rust-lang.
_RUST_STANDARD: Final = frozenset(
    (
        "__rustc",
        "addr2line",
        "alloc",
        "cfg_if",
        "compiler_builtins",
        "core",
        "dlmalloc",
        "gimli",
        "hashbrown",
        "libc",
        "miniz_oxide",
        "object",
        "panic_abort",
        "panic_unwind",
        "rustc_demangle",
        "rustc_std_workspace_core",
        "std",
        "std_detect",
        "unwind",
        "wasi",
        "wasip1",
        "wasip2",
    )
)
# The first elements of the standard library's import paths: https://pkg.go.dev/std; `vendor` is
# what it carries of golang.org/x.
_GO_STANDARD: Final = re.compile(
    r"archive|bufio|builtin|bytes|cmp|compress|container|context|crypto|database|debug|embed"
    r"|encoding|errors|expvar|flag|fmt|go|hash|html|image|index|internal|io|iter|log|maps|math"
    r"|mime|net|os|path|plugin|reflect|regexp|runtime|slices|sort|strconv|strings|structs|sync"
    r"|syscall|testing|text|time|unicode|unique|unsafe|vendor|weak"
)
# What plug-ins speak to hosts through; what they speak to JavaScript through.
RUST_SDK: Final = "proxy_wasm"
_GO_SDK: Final = re.compile(r"github\.com[/_](?:proxy[-_]wasm|tetratelabs)[/_]proxy[-_]wasm[-_]go")
_GLUE: Final = frozenset(
    ("js_sys", "wasm_bindgen", "wasm_bindgen_futures", "wasm_bindgen_shared", "web_sys", "web_time")
)

_LEGACY: Final = re.compile(r"_?_ZN.*E(?:\.[\w.]+)?\Z", re.DOTALL)
_HASH: Final = re.compile(r"::h[0-9a-f]{15,16}\Z")
_IDENTIFIER: Final = re.compile(r"[A-Za-z_]\w*")
# References, pointers, slices, tuples and what qualifies them: the language's own, in front of a
# type.
_OF_THE_LANGUAGE: Final = re.compile(r"(?:&(?:mut )?|\*(?:mut|const) |dyn |\[|\()+")
# What stands before the path: of a method in TinyGo's symbols, of what Go's compiler generates.
_BEFORE_GO_PATH: Final = re.compile(r"\(\*?|type[:_]\.\w+\.\*?")
_BEHIND_GO_PATH: Final = re.compile(r"[\[({$:\s*]")
_GO_PATH: Final = re.compile(r"[\w.~%-]+(?:/[\w.~%-]+)*")
# A path whose parts are told apart by `_` no more begins with a host still.
_GO_HOST: Final = re.compile(r"(?:[a-z0-9]+\.)+(?:com|org|net|io|dev|in|sh|cc|run|co|tech|app)_\w+")
_GLUE_FUNCTION: Final = re.compile(r"__(?:wbindgen|externref|wbg)_\w+")
_LIBC_FUNCTION: Final = re.compile(
    r"__(?:wasi|wasilibc|imported_wasi|stdio|lock|unlock|sys)_?\w*|_?_?(?:mem|str|wcs|stp)[a-z_]+"
    r"|__strchrnul|dl\w+|malloc|free|calloc|realloc|posix_memalign|aligned_alloc|sbrk|abort|_Exit"
    r"|exit|errno|__errno_location|internal_\w+|prepend_alloc|dispose_chunk|getenv|getcwd|open\w*"
    r"|close|read|pread|write|pwrite|lseek|fstat\w*|stat|lstat|link\w*|unlink\w*|rename\w*|mkdir\w*"
    r"|readdir|opendir|closedir|fdopendir|poll|select|send|recv|accept\w*|shutdown|nanosleep"
    r"|clock_\w+|sched_yield|isatty|fcntl|ioctl|v?f?printf_?\w*|fwrite\w*|__\w+[dst]f\d|__\w+ti\d"
    r"|__wasm_call_\w+|undefined_weak:\w+|qsort\w*|arc4random\w*|getentropy|__towrite\w*|fmt_fp"
    r"|__lctrans\w*|__fwritex"
)
# Where compilers keep the sources of what is not the author's.
_STORES: Final = (
    # cargo: registry/src/index.crates.io-1949cf8c6b5b557f/chrono-0.4.42/src/lib.rs, git checkouts
    re.compile(r"(?:^|/)registry/src/[^/]+/(?P<name>[^/]+?)-\d+\.\d[^/]*/"),
    re.compile(r"(?:^|/)git/checkouts/(?P<name>[^/]+?)-[0-9a-f]{8,}/"),
    # rustc: /rustc/<commit>/library/std/src/fs.rs
    re.compile(r"(?:^|/)(?:rustc/[0-9a-f]{40}|rust)/library/(?P<name>\w+)/"),
    re.compile(r"(?:^|/)rust/deps/(?P<name>[^/]+?)-\d+\.\d[^/]*/"),
    # A crate beside the author's own has the name of its folder, as a rule.
    re.compile(r"(?:^|/)(?P<name>[^/]+)/src/(?:.+/)?[^/]+\.rs\Z"),
)
_STORE_FOLDER: Final = re.compile(
    r"\A.*?/(?:registry/src/[^/]+|git/checkouts|pkg/mod|rustc/[0-9a-f]{40}|lib/rustlib/src/rust)/"
)
_VERSION: Final = re.compile(
    r"(?:^|/)registry/src/[^/]+/[^/]+?-(?P<cargo>\d+\.\d[^/]*)/|@(?P<go>v\d[^/]*)/"
)
# Go's store, and what `-trimpath` leaves of it: github.com/acme/store/v2@v2.0.0/disk/disk.go
_GO_STORE: Final = re.compile(r"(?:.*/pkg/mod/|^)(?P<module>[^@]+)@v[^/]+/(?:(?P<rest>.*)/)?[^/]+$")
# /usr/local/go/src/net/http/client.go, and what `-trimpath` leaves of it: net/http/client.go
_GO_STANDARD_FILE: Final = re.compile(
    r"(?:.*/src/)?(?P<package>(?:vendor/[\w./-]+|[a-z]\w*(?:/\w+)*))/\w+\.(?:go|s)\Z"
)
# TinyGo names what is exported by the folder of its sources.
_GO_STORE_FOLDER: Final = re.compile(r"\A(?=/).*/pkg/mod/")
_GO_CAPITAL: Final = re.compile(r"!([a-z])")


@lru_cache(maxsize=1 << 16)
def package_of(raw: str, demangled: str) -> str:
    """Return the crate or the Go package of a function; empty where its symbol does not say.

    Args:
        raw: the symbol as the module has it.
        demangled: the same for people (demangle.py), or Go's own name of the function.
    """
    if (crate := read_crate(raw)) is not None:
        return crate
    if _LEGACY.match(raw) or _HASH.search(raw):
        return _crate(demangled)
    if _GLUE_FUNCTION.fullmatch(raw):
        return "wasm_bindgen"
    if _LIBC_FUNCTION.fullmatch(raw):
        return LIBC
    return go_package_of(demangled)


def package_of_path(path: str) -> str:
    """Return the crate or Go package that a source file is of; empty where its path does not tell.

    A crate's name has `_` where its folder's has `-`.
    """
    for store in _STORES:
        if found := store.search(path):
            return found["name"].replace("-", "_")
    if (found := _GO_STANDARD_FILE.match(path)) and is_standard(found["package"]):
        return found["package"]
    if found := _GO_STORE.match(path):
        module = _GO_CAPITAL.sub(lambda letter: letter[1].upper(), found["module"])
        return f"{module}/{found['rest']}" if found["rest"] else module
    return ""


def short_path(path: str) -> str:
    """Leave of a source file's path what is the same on every machine."""
    return _STORE_FOLDER.sub("", path)


def version_of_path(path: str) -> str:
    """Return the version that a store's path of a source file has; empty where it has none."""
    found = _VERSION.search(path)
    return found["cargo"] or found["go"] if found else ""


def is_standard(package: str) -> bool:
    """Return whether a package comes with the compiler."""
    first = package.partition("/")[0]
    return package == LIBC or package in _RUST_STANDARD or _GO_STANDARD.fullmatch(first) is not None


def is_plumbing(package: str) -> bool:
    """Return whether a package is not what an author chose for what it does.

    The standard library, the SDK and the glue to JavaScript: others bring them in, or what they
    have in them.
    """
    return is_standard(package) or is_glue(package) or is_sdk(package)


def is_glue(package: str) -> bool:
    """Return whether a crate only joins Rust to JavaScript."""
    return package in _GLUE


def is_sdk(package: str) -> bool:
    """Return whether a package is one of the SDKs of plug-ins."""
    return package == RUST_SDK or _GO_SDK.match(package) is not None


def _crate(path: str) -> str:
    """Return the crate of a demangled path: of `<a::T as b::Trait>::f` it is `a`, or else `b`."""
    if not path.startswith("<"):
        return _head(path)
    kind, trait = _split_impl(path)
    own = _head(kind) if "::" in kind and not _OF_THE_LANGUAGE.match(kind) else ""
    other = _head(trait)
    return own if own and (not is_standard(own) or is_standard(other)) else other


def _split_impl(path: str) -> tuple[str, str]:
    """Split `<type as trait>::…`, or `<type>::…`, whose second part is empty."""
    depth, middle = 0, 0
    for position, character in enumerate(path):
        if character == "<":
            depth += 1
        # The `>` of an arrow, `fn() -> T`, closes nothing.
        elif character == ">" and path[position - 1] not in "-=":
            depth -= 1
            if depth == 0:
                if middle:
                    return path[1:middle], path[middle + 4 : position]
                return path[1:position], ""
        elif depth == 1 and not middle and path.startswith(" as ", position):
            middle = position
    return path[1:], ""


def _head(path: str) -> str:
    """Return the first element of a path: `a` of `a::b::T`."""
    found = _IDENTIFIER.match(path)
    return found[0] if found else ""


def go_package_of(name: str) -> str:
    """Return the import path in Go's or TinyGo's own name of a function; empty: it has none."""
    name = _GO_STORE_FOLDER.sub("", name)
    if before := _BEFORE_GO_PATH.match(name):
        name = name[before.end() :]
    if behind := _BEHIND_GO_PATH.search(name):
        name = name[: behind.start()]
    if found := _GO_HOST.match(name):
        return found[0]
    last = name.rfind("/") + 1
    dot = name.find(".", last)
    if name.startswith("gopkg.in/") and "%2e" not in name:
        dot = name.find(".", dot + 1)
    path = name[:dot] if dot > 0 else ""
    if not _GO_PATH.fullmatch(path):
        return ""
    if "/" not in path and _GO_STANDARD.fullmatch(path.partition("_")[0]):
        path = path.replace("_", "/")
    # A dot in the last element would end it, so the compiler writes it so.
    return path.replace("%2e", ".")
