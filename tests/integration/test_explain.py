"""`wasmctl explain`: from what real Envoys wrote, or a person has, to what to do."""

from __future__ import annotations

import gzip
import json
import os
import re
import shutil
import signal
import subprocess
from pathlib import Path
from typing import Any

import pexpect
import pytest

from tests.conftest import ROOT, WASMCTL, CommandLine
from tests.integration.foreign_logs import ISTIO_FORMAT, ISTIO_JSON_FORMAT, log_of_envoy
from tests.integration.registries import RunningRegistry
from tests.unit.hosts.real_logs import log_lines
from wasmctl.oci.image import Format, Image, package_image
from wasmctl.oci.layout import write_layout
from wasmctl.oci.options import RegistryOptions
from wasmctl.oci.push import push_image
from wasmctl.oci.reference import parse_reference
from wasmctl.toolchain.sections import without_debug_sections

RUST, GO = "default.auth", "default.limit"


@pytest.fixture(scope="session")
def rust_project(pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with dist/, as `build` leaves it of panics-rust: the module, and its twin."""
    target = pytestconfig.cache.mkdir("panics-with-lines")
    profile = "CARGO_PROFILE_RELEASE"
    subprocess.run(
        ["cargo", "build", "--quiet", "--release", "--locked", "--target", "wasm32-wasip1"],
        cwd=ROOT / "tests/modules/panics-rust",
        env={
            **os.environ,
            "CARGO_TARGET_DIR": str(target),
            f"{profile}_STRIP": "none",
            f"{profile}_DEBUG": "line-tables-only",
        },
        check=True,
    )
    dist = tmp_path_factory.mktemp("rust") / "dist"
    dist.mkdir()
    built = target / "wasm32-wasip1/release/panics.wasm"
    shutil.copy(built, dist / "plugin.debug.wasm")
    (dist / "plugin.wasm").write_bytes(without_debug_sections(built.read_bytes()))
    return dist.parent


@pytest.fixture(scope="session")
def go_module(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`panics-go`."""
    module = tmp_path_factory.mktemp("go") / "plugin.wasm"
    subprocess.run(
        ["go", "build", "-trimpath", "-buildmode=c-shared", "-o", str(module), "."],
        cwd=ROOT / "tests/modules/panics-go",
        env={**os.environ, "GOOS": "wasip1", "GOARCH": "wasm"},
        check=True,
    )
    return module


@pytest.fixture(scope="session")
def real_log(
    rust_project: Path, go_module: Path, tmp_path_factory: pytest.TempPathFactory
) -> bytes:
    """What an Envoy writes, as istio-proxy has it do so, in which both plug-ins trap."""
    modules = {RUST: rust_project / "dist/plugin.wasm", GO: go_module}
    return log_of_envoy(tmp_path_factory.mktemp("envoy"), modules, "--log-format", ISTIO_FORMAT)


def explained(said: Any) -> list[dict[str, Any]]:
    assert said.code == 0, said.err
    document = json.loads(said.out)
    assert (document["command"], document["status"]) == ("explain", "success")
    return list(document["data"]["incidents"])


def packaged(module: Path, scratch: Path) -> Image:
    return package_image(module, format=Format.OCI, annotations={}, created=0, scratch=scratch)


@pytest.mark.envoy
@pytest.mark.cargo
@pytest.mark.go
class TestARealTrap:
    """In a real Envoy, of real modules."""

    def test_it_is_told_with_its_functions_and_lines_out_of_the_module_and_its_twin(
        self, real_log: bytes, rust_project: Path, wasmctl: CommandLine
    ) -> None:
        said = wasmctl("explain", "--json", cwd=rust_project, stdin=real_log.decode())
        rust, go = explained(said)
        assert (rust["id"], rust["plugin"], rust["fault"]) == ("trap-panic", RUST, "plugin")
        assert rust["count"] == go["count"] == 1
        # Which of the two a line of the access log is about, it does not say.
        assert rust["requests"] + go["requests"] == 4
        assert "index out of bounds: the len is 1 but the index is 2" in rust["message"]
        (own,) = [frame for frame in rust["frames"] if frame["own"]]
        assert (own["function"], own["package"]) == ("panics::token::size", "panics")
        assert own["place"] == "src/lib.rs:83"
        # The author's own function that calls it, in which the SDK's was inlined.
        caller = rust["frames"][rust["frames"].index(own) + 1]
        assert caller["place"] == "src/lib.rs:75"
        assert (go["id"], go["plugin"]) == ("trap-panic", GO)
        assert "not the module" not in said.err

    def test_of_go_the_lines_are_in_the_module_itself(
        self, real_log: bytes, go_module: Path, wasmctl: CommandLine, tmp_path: Path
    ) -> None:
        (tmp_path / "proxy.log").write_bytes(real_log)
        said = wasmctl("explain", "proxy.log", "--module", go_module, "--json", cwd=tmp_path)
        _, go = explained(said)
        told = [(frame["function"], frame["place"]) for frame in go["frames"]]
        assert ("main.(*http).count", "example.com/panics/main.go:50") in told
        assert ("main.(*http).OnHttpRequestHeaders", "example.com/panics/main.go:45") in told

    def test_a_module_that_is_another_is_told_so(
        self,
        real_log: bytes,
        rust_project: Path,
        go_module: Path,
        wasmctl: CommandLine,
        tmp_path: Path,
    ) -> None:
        (tmp_path / "proxy.log").write_bytes(real_log)
        said = wasmctl("explain", "proxy.log", "--module", go_module, cwd=tmp_path)
        assert f"`{go_module}` is not the module that trapped: at 0x" in said.out
        both = ("--module", go_module, "--module", rust_project)
        said = wasmctl("explain", "proxy.log", *both, cwd=tmp_path)
        assert "is not the module" not in said.out
        assert "panics::token::size  src/lib.rs:83\n" in said.out

    def test_the_module_may_be_an_image(
        self, real_log: bytes, go_module: Path, wasmctl: CommandLine, tmp_path: Path
    ) -> None:
        write_layout(packaged(go_module, tmp_path), tmp_path / "layout", name="1.0")
        said = wasmctl("explain", "--module", "layout", cwd=tmp_path, stdin=real_log.decode())
        assert "main.(*http).count  example.com/panics/main.go:50\n" in said.out

    @pytest.mark.registry
    def test_the_module_may_lie_in_a_registry(
        self,
        real_log: bytes,
        go_module: Path,
        plain_registry: RunningRegistry,
        wasmctl: CommandLine,
        tmp_path: Path,
    ) -> None:
        name = plain_registry.new_name()
        push_image(
            packaged(go_module, tmp_path),
            parse_reference(name, require_registry=True),
            tags=["1.0"],
            move_tag=False,
            options=RegistryOptions(env={}),
            advance=lambda _count: None,
        )
        log = real_log.decode()
        said = wasmctl("explain", "--module", f"{name}:1.0", cwd=tmp_path, stdin=log)
        assert "main.(*http).count  example.com/panics/main.go:50\n" in said.out
        said = wasmctl("explain", "--module", f"{name}:2.0", cwd=tmp_path, stdin=log)
        assert said.code == 6

    def test_json_logs_tell_the_same(
        self, rust_project: Path, wasmctl: CommandLine, tmp_path: Path
    ) -> None:
        modules = {RUST: rust_project / "dist/plugin.wasm"}
        log = log_of_envoy(tmp_path, modules, "--log-format", ISTIO_JSON_FORMAT)
        said = wasmctl("explain", "--json", cwd=rust_project, stdin=log.decode())
        (rust,) = explained(said)
        assert [one["place"] for one in rust["frames"] if one["own"]] == ["src/lib.rs:83"]


def test_people_read_what_happened_why_whose_it_is_and_what_to_do(
    wasmctl: CommandLine, tmp_path: Path
) -> None:
    log = b"".join(log_lines("refused-1.40")).decode()
    said = wasmctl("explain", cwd=tmp_path, stdin=log)
    assert (said.code, said.err) == (0, "")
    lines = said.out.splitlines()
    assert lines[:3] == [
        "configuration-refused  default.auth-rust",
        "  the plug-in refused its configuration: `header` must be a string",
        "  whose it is: the configuration's: what the proxy or the plug-in was told",
    ]
    assert any(" | [2026-11-30 22:33:13.939]" in line for line in lines)
    assert lines[-1].startswith("  hint: mend the configuration")
    assert "\x1b[" in wasmctl("explain", "--color", cwd=tmp_path, stdin=log).out


@pytest.mark.parametrize(
    ("log", "words"),
    [
        (
            "[2026-11-30 12:00:00.000][1][info][main] ready\n",
            "nothing in the log is about plug-ins",
        ),
        (
            "[2026-11-30 12:00:00.000][1][error][wasm] wasm log auth: no token\n",
            "nothing went wrong with plug-ins that the proxy tells of: `auth` logged 1 records, 1",
        ),
    ],
)
def test_a_log_in_which_nothing_went_wrong(
    log: str, words: str, wasmctl: CommandLine, tmp_path: Path
) -> None:
    said = wasmctl("explain", cwd=tmp_path, stdin=log)
    assert said.code == 0
    assert words in said.out


def test_a_log_may_be_compressed_or_from_powershell(wasmctl: CommandLine, tmp_path: Path) -> None:
    log = b"".join(log_lines("refused-1.40"))
    (tmp_path / "proxy.log.gz").write_bytes(gzip.compress(log))
    (tmp_path / "windows.log").write_bytes(log.decode().encode("utf-16"))
    for name in ("proxy.log.gz", "windows.log"):
        said = wasmctl("explain", name, "--json", cwd=tmp_path)
        assert [one["id"] for one in explained(said)] == ["configuration-refused"]
    (tmp_path / "proxy.log.gz").write_bytes(gzip.compress(log)[:-20])
    said = wasmctl("explain", "proxy.log.gz", cwd=tmp_path)
    assert said.code == 5
    assert "the compressed log is damaged" in said.err


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        ((), 2, "the log is empty"),
        (("-",), 2, "the log is empty"),
        (("nothing.log",), 2, "there is no file"),
        ((".",), 2, "is a folder"),
        (("plugin.wasm",), 5, "this is a WebAssembly module, no log"),
        (("proxy.log", "--module", "folder"), 2, "has no `dist/plugin.wasm`"),
        (("proxy.log", "--module", "proxy.log"), 5, "proxy.log"),
    ],
)
def test_what_is_no_log_or_no_module(
    arguments: tuple[str, ...], code: int, words: str, wasmctl: CommandLine, tmp_path: Path
) -> None:
    (tmp_path / "plugin.wasm").write_bytes(b"\0asm\1\0\0\0")
    (tmp_path / "proxy.log").write_bytes(b"".join(log_lines("envoy-1.40")))
    (tmp_path / "folder").mkdir()
    said = wasmctl("explain", *arguments, cwd=tmp_path)
    assert (said.code, words in said.err) == (code, True), said.err
    assert "hint: " in said.err


def test_a_module_that_was_damaged_since_takes_nothing_from_the_log(
    wasmctl: CommandLine, tmp_path: Path
) -> None:
    (tmp_path / "dist").mkdir()
    (tmp_path / "dist/plugin.wasm").write_bytes(b"\0asm\1\0\0\0\xff")
    log = b"".join(log_lines("envoy-1.40")).decode()
    said = wasmctl("explain", cwd=tmp_path, stdin=log)
    assert said.code == 0, said.err
    assert "panics::token::size" in said.out


def test_nobody_types_a_log(user_env: dict[str, str], tmp_path: Path) -> None:
    child = pexpect.spawn(
        str(WASMCTL), ["explain"], env=user_env, cwd=str(tmp_path), encoding="utf-8", timeout=20
    )
    child.expect("no log was given")
    child.expect("kubectl logs POD -c istio-proxy")
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 2


def test_a_log_that_is_followed_is_explained_as_far_as_it_came(
    user_env: dict[str, str], tmp_path: Path
) -> None:
    """`kubectl logs --follow … | wasmctl explain`, and Ctrl-C."""
    read, write = os.pipe()
    program = subprocess.Popen(
        [str(WASMCTL), "explain", "--json"],
        stdin=read,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=user_env,
        cwd=tmp_path,
        text=True,
    )
    os.close(read)
    # More than the pipe holds has been read to a part when this returns.
    os.write(write, b"".join(log_lines("refused-1.40")))
    os.write(write, b"[2026-11-30 12:00:00.000][1][info][main] ready\n" * 4000)
    program.send_signal(signal.SIGINT)
    out, err = program.communicate(timeout=30)
    os.close(write)
    assert program.returncode == 130
    document = json.loads(out)
    assert [one["id"] for one in document["data"]["incidents"]] == ["configuration-refused"]
    assert "interrupted: what had been read by then is explained" in err


def test_a_long_log_takes_little_memory(user_env: dict[str, str], tmp_path: Path) -> None:
    piece = b"".join(log_lines("envoy-1.40"))
    dull = b'[2026-11-30T12:00:00.000Z] "GET / HTTP/1.1" 200 - 0 2 0 - "-" "curl" "x" "y" "-"\n'
    program = subprocess.Popen(
        [str(WASMCTL), "explain", "--json"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=user_env,
        cwd=tmp_path,
    )
    assert program.stdin is not None
    for _ in range(25):
        program.stdin.write(piece + dull * 10_000)
    program.stdin.write(b"x" * 20_000_000)
    program.stdin.flush()
    # All but what the pipe holds has been read by now.
    status = Path(f"/proc/{program.pid}/status").read_text()
    out, _ = program.communicate(timeout=60)
    assert [one["count"] for one in json.loads(out)["data"]["incidents"]] == [25, 25, 50]
    (most,) = re.findall(r"VmHWM:\s+(\d+) kB", status)
    assert int(most) < 60_000  # of which Python and our code take 20,000; the log has 42 MB
