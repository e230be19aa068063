"""Who brought an import into a module: asked of what real compilers make of real culprits."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.integration.builds import write
from wasmctl.toolchain.sections import without_debug_sections
from wasmctl.wasm.blame import Blame, find_blame
from wasmctl.wasm.chain import Link, Step, shorten
from wasmctl.wasm.graph import Graph
from wasmctl.wasm.twin import open_program


@contextmanager
def blames(path: Path) -> Iterator[dict[str, Blame]]:
    """Yield what is found of each import, by its name, asked in their order."""
    with open_program(path) as program:
        graph = Graph(program)
        imports = program.info.imported_functions
        found: dict[str, Blame] = {}
        for index, one in enumerate(imports):
            if not one.name.startswith("proxy_"):
                found.setdefault(one.name, find_blame(graph, index))
        yield found


def ends(blame: Blame) -> tuple[str, str]:
    return blame.chain[0].function, blame.chain[-1].function


def packages(blame: Blame) -> list[str]:
    """Return the packages on the short way, each once in a row."""
    names = [step.package for step in shorten(blame.chain) if step.package]
    return [name for at, name in enumerate(names) if at == 0 or names[at - 1] != name]


def step(blame: Blame, function: str) -> Step:
    return next(one for one in blame.chain if one.function == function)


@pytest.mark.go
def test_gos_culprits(go_culprits_module: Path) -> None:
    with blames(go_culprits_module) as found:
        opened, linked = found["path_open"], found["path_link"]
        read_at, read_link = found["fd_pread"], found["path_readlink"]
        seen = {name for name, one in found.items() if one.inherent}
    # A file, read two dependencies away; the method is called through an interface.
    assert opened.package == "example.com/store/v2/disk"
    assert opened.version == "v2.3.4"
    assert opened.function == "example.com/store/v2/disk.(*Disk).Get"
    assert (opened.asks, opened.caller) == ("os.ReadFile", "example.com/settings")
    assert ends(opened) == ("proxy_on_request_headers", "wasi_snapshot_preview1.path_open")
    assert packages(opened) == ["main", "example.com/settings", "example.com/store/v2/disk", "os"]
    assert step(opened, opened.function).place == "example.com/store/v2@v2.3.4/disk/disk.go:13"
    assert step(opened, opened.function).link is Link.POINTER
    assert step(opened, "example.com/settings.Load").place.endswith("settings.go:11")
    assert opened.certain

    # What the author calls; os.Link is put into it by the compiler.
    assert (linked.package, linked.caller) == ("main", "")
    assert linked.function == "main.(*request).OnHttpRequestTrailers"
    assert linked.asks == "os.Link"
    assert ends(linked) == ("proxy_on_request_trailers", "wasi_snapshot_preview1.path_link")
    assert step(linked, linked.function).place == "example.com/culprits/main.go:37"

    # Nobody calls it: text/template looks for methods, so Go's linker keeps those of os.File.
    assert (read_at.function, read_at.asks) == ("main.page", "html/template.(*Template).Execute")
    assert ends(read_at) == ("proxy_on_response_headers", "wasi_snapshot_preview1.fd_pread")
    looking = next(at for at, one in enumerate(read_at.chain) if one.link is Link.REFLECTION)
    assert read_at.chain[looking - 1].function == "text/template.(*state).evalField"
    assert not read_at.certain

    assert read_link.function == "main.(*request).OnHttpResponseTrailers"
    assert (read_link.asks, read_link.certain) == ("net/http.Get", True)
    assert {"fd_write", "proc_exit", "sched_yield", "poll_oneoff", "fd_prestat_get"} <= seen
    assert not seen & {"path_open", "fd_read", "fd_pread", "path_link"}


@pytest.mark.go
def test_what_gos_every_module_takes_is_nobodys_fault(
    user_env: dict[str, str], tmp_path: Path
) -> None:
    """The list is measured here: a Go whose plug-ins take more, or less, is told."""
    marker = "//go:wasmexport proxy_abi_version_0_2_1\nfunc marker() {}\n"
    code = f'package main\n\nimport _ "fmt"\n\n{marker}\nfunc main() {{}}\n'
    write(tmp_path, {"go.mod": "module example.com/plain\n\ngo 1.24\n", "main.go": code})
    env = {**user_env, "GOOS": "wasip1", "GOARCH": "wasm"}
    argv = ["go", "build", "-buildmode=c-shared", "-o", "plain.wasm"]
    subprocess.run(argv, cwd=tmp_path, env=env, check=True)
    with blames(tmp_path / "plain.wasm") as found:
        assert {name for name, one in found.items() if not one.inherent} == set()
        assert all(one.package == "runtime" for one in found.values())


@pytest.mark.cargo
def test_rusts_culprits(rust_culprits_module: Path, tmp_path: Path) -> None:
    with blames(rust_culprits_module) as found:
        opened, linked, slept = (found[name] for name in ("path_open", "path_link", "poll_oneoff"))
    assert (opened.package, opened.caller) == ("store", "settings")
    assert opened.function == "<store::Disk as store::Store>::get"
    assert opened.asks.startswith("std::fs::read_to_string")
    assert packages(opened) == ["proxy_wasm", "culprits", "settings", "store", "std", "libc"]
    assert opened.chain[0].function == "proxy_on_request_headers"
    assert opened.chain[0].version == "0.2.5"
    # The compiler put this one into the callback: only DWARF knows of it.
    inlined = step(opened, "settings::load")
    assert (inlined.link, inlined.place) == (Link.INLINED, "settings/src/lib.rs:7")
    assert step(opened, opened.function).place == "store/src/lib.rs:20"

    assert linked.package == "culprits"
    assert linked.asks.startswith("std::fs::hard_link")
    assert step(linked, linked.function).place == "plugin/src/lib.rs:40"
    assert linked.chain[0].function == "proxy_on_request_trailers"
    assert slept.asks.startswith("std::thread::functions::sleep")
    assert slept.chain[0].function == "proxy_on_response_headers"

    # As it is shipped: the twin beside it tells the rest, and one of other code tells nothing.
    shipped = tmp_path / "plugin.wasm"
    content = rust_culprits_module.read_bytes()
    shipped.write_bytes(without_debug_sections(content))
    with blames(shipped) as found:
        assert found["path_open"].package == "store"
        assert not any(one.place for one in found["path_open"].chain)
    twin = tmp_path / "plugin.debug.wasm"
    twin.write_bytes(content)
    with blames(shipped) as found:
        assert found["path_open"] == opened
    with open_program(shipped) as program:
        code = program.info.section("code")
    assert code is not None
    middle = (code.start + code.end) // 2
    twin.write_bytes(content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :])
    with blames(shipped) as found:
        assert not any(one.place for one in found["path_open"].chain)


@pytest.mark.cargo
def test_a_crate_that_takes_the_host_for_a_browser(browser_module: Path, tmp_path: Path) -> None:
    with blames(browser_module) as found:
        random = next(one for name, one in found.items() if "getRandomValues" in name)
        grown, described = found["__wbindgen_externref_table_grow"], found["__wbindgen_describe"]
    assert (random.package, random.caller) == ("uuid", "tickets")
    assert packages(random) == ["proxy_wasm", "culprits_js", "tickets", "uuid"]
    # What only wasm-bindgen's own tool calls came with the same crate.
    assert (grown.package, described.package) == ("uuid", "uuid")
    assert grown.chain[0].function == described.chain[0].function == "proxy_on_request_headers"
    shipped = tmp_path / "plugin.wasm"
    shipped.write_bytes(without_debug_sections(browser_module.read_bytes()))
    with blames(shipped) as found:
        assert {one.package for one in found.values()} <= {"uuid", "tickets"}


@pytest.mark.tinygo
def test_tinygos_culprit(user_env: dict[str, str], tmp_path: Path) -> None:
    """It puts everything into the exported function: nothing but DWARF tells whose code it is."""
    code = """package main

import "example.com/small/disk"

//go:wasmexport proxy_abi_version_0_2_1
func marker() {}

//go:wasmexport proxy_on_tick
func tick(id int32) { println(disk.Read("a")) }

func main() {}
"""
    read = """package disk

import "os"

func Read(name string) string {
\tdata, _ := os.ReadFile(name)
\treturn string(data)
}
"""
    go_mod = "module example.com/small\n\ngo 1.24\n"
    write(tmp_path, {"go.mod": go_mod, "main.go": code, "disk/disk.go": read})
    env = {
        **user_env,
        "GOTOOLCHAIN": "go1.25.5",
        "XDG_CACHE_HOME": str(Path.home() / ".cache"),
    }
    tinygo = "/opt/tinygo-0.39.0/bin/tinygo"
    flags = ["-target=wasip1", "-scheduler=none", "-buildmode=c-shared"]
    argv = [tinygo, "build", "-o", "x.wasm", *flags, "."]
    subprocess.run(argv, cwd=tmp_path, env=env, check=True)
    path = tmp_path / "x.wasm"
    with blames(path) as found:
        opened = found["path_open"]
    assert (opened.package, opened.caller) == ("example.com/small/disk", "main")
    assert opened.asks == "os.ReadFile"
    assert opened.chain[0].function == "proxy_on_tick"
    assert step(opened, opened.function).place.endswith("disk/disk.go:6")

    # Damaged lines tell nothing, whatever the library that reads them makes of it.
    with open_program(path) as program:
        units = program.info.section(".debug_info")
        assert units is not None
        address_size = units.start + 10
    damaged = bytearray(path.read_bytes())
    damaged[address_size] = 127
    path.write_bytes(damaged)
    with blames(path) as found:
        assert ends(found["path_open"])[0] == "proxy_on_tick"
        assert not any(one.place for one in found["path_open"].chain)
