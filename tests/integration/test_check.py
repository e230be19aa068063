"""`wasmctl check` as it is typed: modules, projects and images, and what is said of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import CommandLine, Said
from tests.integration.builds import write
from tests.integration.layouts import layout, put
from tests.integration.registries import PASSWORD, USER, RunningRegistry
from tests.modules.assembler import (
    ALLOCATOR,
    MARKER,
    Call,
    Function,
    Import,
    assemble,
    call,
    number,
    plugin,
)

FILES = Import("wasi_snapshot_preview1", "fd_pread", "i32 i32 i32 i64 i32 -> i32")


def data(said: Said) -> dict[str, Any]:
    found = json.loads(said.out)["data"]
    assert isinstance(found, dict)
    return found


def outcomes(found: dict[str, Any], index: int = 0) -> dict[str, str]:
    return {one["target"]: one["outcome"] for one in found["checked"][index]["verdicts"]}


def written(folder: Path, module: bytes) -> Path:
    path = folder / "plugin.wasm"
    path.write_bytes(module)
    return path


def test_a_module_that_everybody_loads(wasmctl: CommandLine, tmp_path: Path) -> None:
    written(tmp_path, plugin(names=True))
    said = wasmctl("check", "plugin.wasm", cwd=tmp_path)
    assert (said.code, said.err) == (0, "")
    assert said.out.splitlines()[0].startswith("plugin.wasm (0 kB, ABI 0.2.1")
    assert "accepted by envoy 1.33 to 1.40; istio 1.24" in said.out
    assert "refused" not in said.out


def test_what_one_release_lacks_is_an_error_for_it_alone(
    wasmctl: CommandLine, tmp_path: Path
) -> None:
    written(tmp_path, plugin(imports=[FILES]))
    said = wasmctl(
        *("check", "plugin.wasm", "--target", "envoy-1.38", "--target", "envoy-1.39", "--json"),
        cwd=tmp_path,
    )
    found = data(said)
    assert said.code == 1
    assert outcomes(found) == {"envoy-1.38": "refuses", "envoy-1.39": "accepts"}
    error = next(one for one in found["findings"] if one["severity"] == "error")
    assert (error["id"], error["targets"]) == ("import-wasi-files", ["envoy-1.38"])
    assert error["where"] == "wasi_snapshot_preview1.fd_pread"
    assert error["words"] == (
        "Failed to load Wasm module due to a missing import: wasi_snapshot_preview1.fd_pread"
    )
    assert error["hint"]
    assert wasmctl("check", "plugin.wasm", "--target", "envoy-1.40", cwd=tmp_path).code == 0


def test_without_targets_only_what_nobody_loads_is_a_no(
    wasmctl: CommandLine, tmp_path: Path
) -> None:
    written(tmp_path, plugin(imports=[FILES]))
    some = wasmctl("check", "plugin.wasm", cwd=tmp_path)
    assert some.code == 0
    assert "refused by envoy 1.33 to 1.38" in some.out
    written(tmp_path, assemble(functions=[ALLOCATOR]))
    nobody = wasmctl("check", "plugin.wasm", cwd=tmp_path)
    assert nobody.code == 1
    assert "no-abi-marker" in nobody.out
    assert "accepted by" not in nobody.out


def test_warnings_are_no_refusal(wasmctl: CommandLine, tmp_path: Path) -> None:
    written(tmp_path, plugin(names=False))
    said = wasmctl("check", "plugin.wasm", "--target", "istio", "--json", cwd=tmp_path)
    assert said.code == 0
    assert {one["severity"] for one in data(said)["findings"]} == {"warning"}


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("plugin.wasm", "--target", "istoi-1.28"), 2, "did you mean `istio-1.28`"),
        (("absent.wasm",), 2, "`absent.wasm` does not exist"),
        (("./absent",), 2, "does not exist"),
        (("notes.txt",), 5, "notes.txt"),
        (("cut.wasm",), 5, "byte"),
        (("127.0.0.1:1/a/b:1",), 6, "127.0.0.1:1"),
        (("plugin.wasm", "--password-stdin"), 2, "-u USER"),
        (("plugin.wasm", "--sarif", "absent/report"), 2, "absent"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else None,
)
def test_bad_input(
    arguments: tuple[str, ...], code: int, words: str, wasmctl: CommandLine, tmp_path: Path
) -> None:
    written(tmp_path, plugin())
    (tmp_path / "notes.txt").write_text("no module")
    (tmp_path / "cut.wasm").write_bytes(plugin()[:-3])
    said = wasmctl("check", *arguments, cwd=tmp_path)
    assert said.code == code, said
    assert words in said.err
    assert "Traceback" not in said.err


def test_sarif_and_annotations_point_at_the_project(wasmctl: CommandLine, tmp_path: Path) -> None:
    written(tmp_path, plugin(imports=[FILES]))
    github = {"GITHUB_ACTIONS": "true", "GITHUB_WORKSPACE": str(tmp_path)}
    said = wasmctl(
        *("check", "plugin.wasm", "--target", "envoy-1.36", "--sarif", "report.sarif"),
        cwd=tmp_path,
        env=github,
    )
    run = json.loads((tmp_path / "report.sarif").read_text())["runs"][0]
    rules = [rule["id"] for rule in run["tool"]["driver"]["rules"]]
    found = {rules[result["ruleIndex"]]: result for result in run["results"]}
    assert found["import-wasi-files"]["level"] == "error"
    place = found["import-wasi-files"]["locations"][0]["physicalLocation"]
    assert place["artifactLocation"]["uri"] == "plugin.wasm"
    assert "::error file=plugin.wasm,line=1,title=import-wasi-files::" in said.out


RULES = """// Package rules reads what is allowed.
package rules

import "os"

func Load(path string) string {
	text, _ := os.ReadFile(path)
	return string(text)
}
"""


@pytest.mark.go
def test_a_project_is_built_and_told_whose_fault_it_is(
    wasmctl: CommandLine, tmp_path: Path
) -> None:
    folder = tmp_path / "gate"
    created = wasmctl(
        "init", folder, "--template", "header-auth", "--language", "go", "--no-input", cwd=tmp_path
    )
    assert created.code == 0, created.err
    main = (folder / "main.go").read_text()
    module = next(
        line.split()[1] for line in (folder / "go.mod").read_text().splitlines() if "module" in line
    )
    main = main.replace("import (\n", f'import (\n\t"{module}/rules"\n', 1)
    main = main.replace("func init() {\n", 'func init() {\n\t_ = rules.Load("/rules")\n', 1)
    write(folder, {"main.go": main, "rules/rules.go": RULES})
    settings = (folder / "wasmctl.toml").read_text()
    (folder / "wasmctl.toml").write_text(
        settings.replace("[plugin]\n", '[plugin]\ntargets = ["istio-1.28"]\n', 1)
    )

    built = wasmctl("build", cwd=folder)
    assert built.code == 0
    assert "warning: refused by istio 1.28: the plug-in imports" in built.err

    said = wasmctl("check", cwd=folder)
    assert said.code == 1
    assert f"brought in by `{module}/rules.Load` of `{module}/rules`" in said.out
    assert "which calls `os.ReadFile`" in said.out
    assert "rules/rules.go:7" in said.out
    assert "warning: refused" not in said.err  # told once

    whole = wasmctl("check", "-v", "--no-build", cwd=folder)
    assert len(whole.out.splitlines()) > len(said.out.splitlines())


@pytest.mark.registry
def test_push_refuses_what_a_target_refuses_unless_it_is_forced(
    wasmctl: CommandLine, tmp_path: Path, plain_registry: RunningRegistry
) -> None:
    write(tmp_path, {"go.mod": "module x\n\ngo 1.24\n", "main.go": "package main\n"})
    (tmp_path / "dist").mkdir()
    written(tmp_path / "dist", plugin(imports=[FILES]))
    name = plain_registry.new_name()
    push = ("push", "--no-build", f"{name}:1", "--target", "envoy-1.36")
    refused = wasmctl(*push, cwd=tmp_path)
    assert refused.code == 1
    assert "import-wasi-files" in refused.err
    assert "is refused by envoy 1.36; nothing was pushed" in refused.err
    assert "`--force` pushes it all the same" in refused.err
    assert wasmctl("pull", f"{name}:1", cwd=tmp_path).code == 6
    forced = wasmctl(*push, "--force", cwd=tmp_path)
    assert forced.code == 0, forced.err
    assert "is pushed all the same" in forced.err
    assert wasmctl("pull", f"{name}:1", cwd=tmp_path).code == 0
    taken = wasmctl("push", "--no-build", f"{name}:2", "--target", "envoy-1.40", cwd=tmp_path)
    assert taken.code == 0
    assert "import-wasi-files" not in taken.err


@pytest.mark.registry
def test_an_image_and_the_module_in_it(
    wasmctl: CommandLine, tmp_path: Path, plain_registry: RunningRegistry
) -> None:
    write(tmp_path, {"go.mod": "module x\n\ngo 1.24\n", "main.go": "package main\n"})
    (tmp_path / "dist").mkdir()
    written(tmp_path / "dist", plugin(imports=[FILES]))
    ref = f"{plain_registry.new_name()}:1"
    assert wasmctl("push", "--no-build", ref, cwd=tmp_path).code == 0
    said = wasmctl("check", ref, "--target", "istio-1.28", "--target", "istio-1.31", cwd=tmp_path)
    assert said.code == 1
    image, module = said.out.split("\n\n")
    assert image.splitlines()[-1] == "accepted by istio 1.28, 1.31"
    assert module.splitlines()[0].startswith(f"the module in {ref}")
    assert module.splitlines()[-2:] == ["accepted by istio 1.31", "refused by istio 1.28"]

    artifact = f"{plain_registry.new_name()}:1"
    assert wasmctl("push", "--no-build", artifact, "--format", "artifact", cwd=tmp_path).code == 0
    found = data(wasmctl("check", artifact, "--json", cwd=tmp_path))
    assert outcomes(found)["istio"] == "accepts"
    assert outcomes(found)["gcp"] != "accepts"


@pytest.mark.registry
def test_an_image_that_istio_refuses_is_told_in_its_words(
    wasmctl: CommandLine, tmp_path: Path, plain_registry: RunningRegistry
) -> None:
    wasm = plugin(functions=[], names=True)
    assert MARKER.name.encode() in wasm
    kind = "application/vnd.wasm.content.layer.v1+wasm"
    ref = put(plain_registry.new_name(), "1", layout((kind, wasm)))
    said = wasmctl("check", ref, "--target", "istio", cwd=tmp_path)
    assert said.code == 1
    assert "number of layers must be 2 but got 1" in said.out
    assert "wasmctl push --from" in said.out


@pytest.mark.registry
def test_a_pull_secret_is_tried_alone(
    wasmctl: CommandLine, tmp_path: Path, password_registry: RunningRegistry
) -> None:
    write(tmp_path, {"go.mod": "module x\n\ngo 1.24\n", "main.go": "package main\n"})
    (tmp_path / "dist").mkdir()
    written(tmp_path / "dist", plugin())
    ref = f"{password_registry.new_name()}:1"
    sign_in = ("-u", USER, "--password-stdin")
    pushed = wasmctl("push", "--no-build", ref, *sign_in, cwd=tmp_path, stdin=PASSWORD)
    assert pushed.code == 0, pushed.err
    manifest = ("manifest", "--kind", "pull-secret", "--name", "keys", "--image", ref)
    written_secret = wasmctl(
        *manifest, *sign_in, "--output", "secret.yaml", cwd=tmp_path, stdin=PASSWORD
    )
    assert written_secret.code == 0, written_secret.err

    check = ("check", ref, "--target", "istio")
    assert wasmctl(*check, cwd=tmp_path).code == 6
    told = wasmctl(*check, "--pull-secret", "secret.yaml", cwd=tmp_path)
    assert told.code == 0, told.err

    auths = {"other.example": {"auth": "YTpi"}}
    (tmp_path / "other.json").write_text(json.dumps({"auths": auths}))
    other = wasmctl(*check, "--pull-secret", "other.json", cwd=tmp_path)
    assert other.code == 1
    assert f"no credentials for `{password_registry.host}`; it has `other.example`" in other.err

    wrong = {password_registry.host: {"auth": "YTpi"}}
    (tmp_path / "wrong.json").write_text(json.dumps({"auths": wrong}))
    login = wasmctl("login", password_registry.host, *sign_in, cwd=tmp_path, stdin=PASSWORD)
    assert login.code == 0, login.err
    assert wasmctl(*check, cwd=tmp_path).code == 0  # by what is stored
    refused = wasmctl(*check, "--pull-secret", "wrong.json", cwd=tmp_path)
    assert refused.code == 6
    assert f"from `{tmp_path / 'wrong.json'}`" in refused.err
    assert "make the Secret anew" in refused.err

    for name, content in (("none.yaml", "a: 1\n"), ("broken.yaml", "a: [\n"), ("list.json", "[]")):
        (tmp_path / name).write_text(content)
        none = wasmctl(*check, "--pull-secret", name, cwd=tmp_path)
        assert (none.code, "holds no pull secret" in none.err) == (2, True), none
    assert wasmctl(*check, "--pull-secret", "absent", cwd=tmp_path).code == 2


def test_a_callback_that_calls_the_host_itself_is_named(
    wasmctl: CommandLine, tmp_path: Path
) -> None:
    ask = Import("env", "proxy_get_configuration", "i32 i32 -> i32")
    body: list[bytes | Call] = [number(0), number(0), call("proxy_get_configuration")]
    callback = Function("proxy_on_configure", "i32 i32 -> i32", body)
    written(tmp_path, plugin(imports=[ask], functions=[callback], names=True))
    said = wasmctl("check", "plugin.wasm", "--target", "envoy-1.40", cwd=tmp_path)
    assert said.code == 1
    assert "brought in by `proxy_on_configure`" in said.out
