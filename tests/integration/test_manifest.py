"""`wasmctl manifest`: from a push, a REF or a file to the object, and what is refused."""

from __future__ import annotations

import json
import shutil
import subprocess
import urllib.error
import urllib.request
from pathlib import Path

import pytest
import yaml

from tests.conftest import CommandLine
from tests.integration.images import make_image
from tests.integration.proxies import envoy_beside
from tests.integration.registries import RunningRegistry, free_port
from wasmctl.oci.image import Image
from wasmctl.oci.options import RegistryOptions
from wasmctl.oci.push import push_image
from wasmctl.oci.reference import parse_reference

DIGEST = "sha256:" + "0123456789abcdef" * 4
IMAGE = f"ghcr.io/acme/header-auth:0.1.0@{DIGEST}"
MODULE = b"\0asm\1\0\0\0"


def make_project(folder: Path, settings: str = "", *, name: str = "header-auth") -> Path:
    """Make a project of which only the compiled module is real."""
    (folder / "src").mkdir(parents=True)
    (folder / "dist").mkdir()
    manifest = f'[package]\nname = "{name}"\nversion = "0.1.0"\nedition = "2021"\n'
    (folder / "Cargo.toml").write_text(f'{manifest}[lib]\ncrate-type = ["cdylib"]\n')
    (folder / "src/lib.rs").write_text("")
    (folder / "wasmctl.toml").write_text(settings)
    # A custom section of its own: each project has another module.
    section = bytes([len(name) + 1, len(name), *name.encode()])
    (folder / "dist/plugin.wasm").write_bytes(MODULE + b"\0" + section)
    return folder


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return make_project(tmp_path / "header-auth")


@pytest.mark.registry
def test_the_latest_push_is_deployed_by_its_digest(
    wasmctl: CommandLine, plain_registry: RunningRegistry, project: Path, tmp_path: Path
) -> None:
    name = plain_registry.new_name()
    assert wasmctl("push", "--no-build", f"{name}:0.0.9", cwd=project).code == 0
    pushed = wasmctl("push", "--no-build", f"{name}:1.0.0", cwd=project).out.strip()
    first = wasmctl("manifest", "--selector", "app=shop", cwd=project)
    assert first.code == 0, first.err
    assert yaml.safe_load(first.out) == {
        "apiVersion": "extensions.istio.io/v1alpha1",
        "kind": "WasmPlugin",
        "metadata": {"name": "header-auth", "namespace": "istio-system"},
        "spec": {"selector": {"matchLabels": {"app": "shop"}}, "url": f"oci://{pushed}"},
    }
    assert (
        f"`{plain_registry.host}` is, in the cluster, whoever fetches the image itself" in first.err
    )
    again = wasmctl("manifest", project.name, "--selector", "app=shop", cwd=tmp_path)
    assert again.out == first.out


@pytest.mark.registry
def test_a_module_that_has_changed_since_is_not_deployed(
    wasmctl: CommandLine, plain_registry: RunningRegistry, project: Path
) -> None:
    assert wasmctl("push", "--no-build", plain_registry.new_name(), cwd=project).code == 0
    module = project / "dist/plugin.wasm"
    module.write_bytes(module.read_bytes() + b"\0\2\1x")
    said = wasmctl("manifest", "--json", cwd=project)
    error = json.loads(said.out)["errors"][0]
    assert (said.code, error["code"]) == (1, "module-changed")
    assert "is another than the one that was pushed last" in error["message"]
    assert error["hint"].startswith("push it: `wasmctl push`")
    # What was named is what is meant.
    assert wasmctl("manifest", "--image", IMAGE, cwd=project).code == 0
    module.unlink()  # a checkout with a record alone has nothing that could have changed
    assert wasmctl("manifest", cwd=project).code == 0


def test_without_a_push_there_is_no_digest(wasmctl: CommandLine, project: Path) -> None:
    said = wasmctl("manifest", cwd=project)
    assert (said.code, said.out) == (2, "")
    assert "error: no image of `header-auth` was pushed yet: there is no digest" in said.err
    assert "hint: push it: `wasmctl push`; or name an image" in said.err


def test_a_record_that_cannot_be_read_is_told(wasmctl: CommandLine, project: Path) -> None:
    image = {"reference": "ghcr.io/acme/x:1", "digest": "sha256:abc", "module_sha256": "x"}
    (project / "dist/plugin.wasm").unlink()
    record = {"schema": "wasmctl-record/1", "images": [image]}
    (project / "dist/plugin.json").write_text(json.dumps(record))
    said = wasmctl("manifest", cwd=project)
    assert said.code == 2
    assert "tells of a push that cannot be read\nhint: push again: `wasmctl push`" in said.err


@pytest.mark.parametrize("scheme", ["", "oci://"])
def test_a_digest_needs_no_network_and_no_project(
    wasmctl: CommandLine, tmp_path: Path, scheme: str
) -> None:
    said = wasmctl("manifest", "--image", f"{scheme}{IMAGE}", "--namespace", "shop", cwd=tmp_path)
    assert (said.code, said.err) == (0, "")
    document = yaml.safe_load(said.out)
    assert document["metadata"] == {"name": "header-auth", "namespace": "shop"}
    assert document["spec"] == {"url": f"oci://{IMAGE}"}


def test_settings_alone_are_taken_where_no_project_is(wasmctl: CommandLine, tmp_path: Path) -> None:
    text = '[plugin]\nname = "auth"\nconfig-file = "c.json"\n[deploy]\nphase = "AUTHN"\n'
    (tmp_path / "wasmctl.toml").write_text(text)
    (tmp_path / "c.json").write_text('{"a": 1}')
    said = wasmctl("manifest", "--image", IMAGE, "-q", cwd=tmp_path)
    document = yaml.safe_load(said.out)
    assert document["metadata"]["name"] == "auth"
    assert document["spec"] == {
        "phase": "AUTHN",
        "url": f"oci://{IMAGE}",
        "pluginConfig": {"a": 1},
    }


def pushed_image(folder: Path, name: str) -> Image:
    """Push an image of a new module."""
    image, sent = make_image(folder), list[int]()
    reference = parse_reference(name, require_registry=True)
    push_image(
        image,
        reference,
        tags=[str(reference.tag)],
        move_tag=False,
        options=RegistryOptions(env={}),
        advance=sent.append,
    )
    return image


@pytest.mark.registry
def test_a_tag_is_resolved(
    wasmctl: CommandLine, plain_registry: RunningRegistry, tmp_path: Path
) -> None:
    name = plain_registry.new_name()
    image = pushed_image(tmp_path, f"{name}:1.0")
    said = wasmctl("manifest", "--image", f"{name}:1.0", "--name", "x", cwd=tmp_path)
    assert said.code == 0, said.err
    assert yaml.safe_load(said.out)["spec"]["url"] == f"oci://{name}:1.0@{image.digest}"


@pytest.mark.registry
@pytest.mark.crane
def test_of_an_index_the_image_is_pinned_that_meshes_load(
    wasmctl: CommandLine, plain_registry: RunningRegistry, tmp_path: Path
) -> None:
    name = plain_registry.new_name()
    image = pushed_image(tmp_path, f"{name}:one")
    argv = ["crane", "index", "append", "-m", f"{name}:one", "-t", f"{name}:many"]
    subprocess.run(argv, check=True, capture_output=True)
    said = wasmctl("manifest", "--image", f"{name}:many", "--name", "x", cwd=tmp_path)
    assert said.code == 0, said.err
    assert yaml.safe_load(said.out)["spec"]["url"] == f"oci://{name}:many@{image.digest}"
    assert f"`{name}:many` is an index" in said.err


def test_a_tag_that_cannot_be_asked_for(wasmctl: CommandLine, tmp_path: Path) -> None:
    image = f"127.0.0.1:{free_port()}/acme/x:1.0"
    said = wasmctl("manifest", "--image", image, cwd=tmp_path)
    assert (said.code, said.out) == (6, "")
    assert f"the digest of `{image}` could not be asked for: nothing listens at" in said.err
    assert f"hint: name it: `--image {image}@sha256:…` needs no network" in said.err


TWO = "[deploy]\nselector = {app = 'x'}\ntarget-refs = [{kind = 'Gateway', name = 'g'}]\n"


@pytest.mark.parametrize(
    ("settings", "flags", "said"),
    [
        (TWO, [], "`[deploy] selector` and `[deploy] target-refs` at once"),
        (
            "deploy.selector = {app = 'x'}",
            ["--target-ref", "Gateway/g"],
            "`[deploy] selector` and `--target-ref` at once",
        ),
        ("deploy.phase = 'AUTH'", [], "wasmctl.toml`, line 1: `deploy.phase` must be one of"),
        ("", ["--phase", "AUTH"], "`--phase`: `deploy.phase` must be one of `AUTHN`"),
        ("deploy.priority = '10'", [], "line 1: `deploy.priority` must be a whole number"),
        ("", ["--priority", "high"], "invalid value for `--priority`: `high` is not a whole"),
        ("", ["--priority", "2147483648"], "`--priority`: `deploy.priority` must be a number of"),
        ("deploy.name = 'Header_Auth'", [], "`deploy.name` must be a name that Kubernetes takes"),
        ("", ["--namespace", "My.Space"], "`--namespace`: `deploy.namespace` must be a namespace"),
        ("", ["--selector", "app"], "`--selector app` is no `KEY=VALUE`"),
        ("", ["--selector", "a=b", "--selector", "a=c"], "`--selector` gives `a` two values"),
        ("", ["--target-ref", "front"], "`--target-ref front` is no `KIND/NAME`"),
        ("", ["--target-ref", "gateway/front"], "`gateway` is no kind that a plug-in attaches to"),
        ("", ["--match", "SERVER:http"], "`--match SERVER:http` is no `MODE:PORT,PORT`"),
        ("", ["--match", "SERVER:"], "`--match SERVER:` is no `MODE:PORT,PORT`"),
        ("", ["--match", "INBOUND:80"], "`--match`, number 1: `mode` must be `CLIENT`"),
        ("deploy.kind = 'pod'", [], "`[deploy] kind`: `pod` is no kind of manifest"),
        ("plugin.config = 'allow'", [], "`[plugin] config` is text that is no JSON"),
        ("deploy.config = '[1]'", [], "`[deploy] config` is JSON, and no object"),
        ("", ["--config", '{"a": NaN}'], "`--config` is text that is no JSON"),
        ("", ["--config", '{"a": [18014398509481985]}'], "`--config`, `a`, number 1: 1801"),
        ("", ["--config-file", "none.json"], "none.json` cannot be read: no such file"),
        ("", ["--config", "{}", "--config-file", "x"], "both `--config` and `--config-file`"),
        ("", ["--output", "a", "--update", "b"], "both `--output` and `--update`"),
        ("", ["--image", "ghcr.io/acme/x"], "`--image ghcr.io/acme/x` names no image"),
        ("", ["--image", "x:1"], "`x:1` is no image reference: it names no registry"),
        ("", ["--image", "https://ghcr.io/acme/x:1"], "`https://` is no part of one"),
        ("", ["--kind", "envoy", "--kind", "wasmplugin"], "`envoy` is a file for Envoy"),
        ("", ["--port", "80"], "`--port` means nothing to `wasmplugin`"),
        ("", ["--module", "x"], "`--module` means nothing to `wasmplugin`"),
        ("", ["--kind", "envoy", "--phase", "AUTHN"], "`--phase` means nothing to `envoy`"),
        (
            "",
            ["--kind", "pull-secret", "--name", "x", "--config", "{}"],
            "`--config` means nothing to `pull-secret`",
        ),
    ],
)
def test_what_no_mesh_would_take_is_refused_where_it_was_given(
    wasmctl: CommandLine, tmp_path: Path, settings: str, flags: list[str], said: str
) -> None:
    project = make_project(tmp_path / "header-auth", settings)
    image = [] if "--image" in flags else ["--image", IMAGE]
    done = wasmctl("manifest", *image, *flags, cwd=project)
    assert (done.code, done.out) == (2, "")
    assert said in done.err
    assert "\nhint: " in done.err


def test_a_plug_in_whose_name_kubernetes_refuses(wasmctl: CommandLine, tmp_path: Path) -> None:
    project = make_project(tmp_path / "x", '[plugin]\nname = "auth-"\n')
    said = wasmctl("manifest", "--image", IMAGE, cwd=project)
    assert said.code == 2
    assert "the plug-in's name, `auth-`, is none for an object of Kubernetes" in said.err
    assert wasmctl("manifest", "--image", IMAGE, "--name", "auth", cwd=project).code == 0


def test_flags_go_before_the_file_and_its_config_before_the_plug_in_s(
    wasmctl: CommandLine, tmp_path: Path
) -> None:
    settings = (
        '[plugin]\nconfig = {a = "plugin"}\n[deploy]\nphase = "AUTHN"\npriority = 5\n'
        'selector = {app = "x"}\nenv = {A = "1"}\nconfig = {a = "deploy"}\n'
    )
    project = make_project(tmp_path / "header-auth", settings)

    def spec(*flags: str) -> dict[str, object]:
        said = wasmctl("manifest", "--image", IMAGE, *flags, cwd=project)
        assert said.code == 0, said.err
        document: dict[str, dict[str, object]] = yaml.safe_load(said.out)
        return document["spec"]

    own = spec()
    assert own["pluginConfig"] == {"a": "deploy"}
    assert (own["phase"], own["priority"]) == ("AUTHN", 5)
    assert own["vmConfig"] == {"env": [{"name": "A", "value": "1"}]}
    given = spec("--phase", "STATS", "--selector", "app=y", "--config", '{"a": "flag"}')
    assert given["selector"] == {"matchLabels": {"app": "y"}}
    assert (given["phase"], given["pluginConfig"]) == ("STATS", {"a": "flag"})


@pytest.mark.parametrize(
    ("kind", "settings", "flags", "place"),
    [
        ("wasmplugin", "deploy.config = {header = 7}", [], "`[deploy] config`"),
        ("trafficextension", "plugin.config = {header = 7}", [], "`[plugin] config`"),
        ("envoy", "", ["--config", '{"header": 7}'], "`--config`"),
    ],
)
def test_a_configuration_that_breaks_the_schema(
    wasmctl: CommandLine,
    tmp_path: Path,
    kind: str,
    settings: str,
    flags: list[str],
    place: str,
) -> None:
    project = make_project(tmp_path / "header-auth", settings)
    schema = {"properties": {"header": {"type": "string"}}, "additionalProperties": False}
    (project / "config.schema.json").write_text(json.dumps(schema))
    words = ["manifest", "--kind", kind, *([] if kind == "envoy" else ["--image", IMAGE])]
    said = wasmctl(*words, *flags, cwd=project)
    assert (said.code, said.out) == (2, "")
    fit = "does not fit `config.schema.json`: `header` must be text, not `7`"
    assert f"{place} {fit}" in said.err
    good = wasmctl(*words, "--config", '{"header": "allow"}', "-q", cwd=project)
    assert (good.code, "allow" in good.out) == (0, True), good.err


def test_several_plug_ins_and_kinds_come_in_a_stable_order(
    wasmctl: CommandLine, tmp_path: Path
) -> None:
    image = {"reference": IMAGE.partition("@")[0], "digest": DIGEST, "format": "oci"}
    for name in ("b", "a"):
        folder = make_project(tmp_path / name, "deploy.pull-secret = 'pull'", name=name)
        (folder / "dist/plugin.wasm").unlink()
        record = {"schema": "wasmctl-record/1", "images": [image]}
        (folder / "dist/plugin.json").write_text(json.dumps(record))
    kinds = ["--kind", "trafficextension", "--kind", "wasmplugin", "--kind", "pull-secret"]
    user = ["-u", "bob", "--password-stdin"]
    said = wasmctl("manifest", "b", "a", *kinds, *user, cwd=tmp_path, stdin="secret")
    assert said.code == 0, said.err
    documents = list(yaml.safe_load_all(said.out))
    assert [(item["kind"], item["metadata"]["name"]) for item in documents] == [
        ("Secret", "pull"),
        ("WasmPlugin", "b"),
        ("WasmPlugin", "a"),
        ("TrafficExtension", "b"),
        ("TrafficExtension", "a"),
    ]
    one = wasmctl("manifest", "b", "a", "--name", "x", "--image", IMAGE, cwd=tmp_path)
    assert (one.code, "one `--image` for 2 plug-ins" in one.err) == (2, True)
    two = wasmctl("manifest", "b", "a", "--kind", "envoy", "--module", "x", cwd=tmp_path)
    assert (two.code, "is one file for one plug-in, and not for 2" in two.err) == (2, True)
    for name in ("b", "a"):
        (tmp_path / name / "wasmctl.toml").write_text("deploy.name = 'same'")
    two = wasmctl("manifest", "b", "a", cwd=tmp_path)
    assert two.code == 2
    assert "two different objects would be called `same`" in two.err


def test_json_and_a_file(wasmctl: CommandLine, tmp_path: Path) -> None:
    said = wasmctl(
        "manifest", "--image", IMAGE, "--namespace", "shop", "--output", "out.yaml", "--json",
        cwd=tmp_path,
    )  # fmt: skip
    data = json.loads(said.out)["data"]
    written = yaml.safe_load((tmp_path / "out.yaml").read_text())
    assert data == {
        "manifests": [
            {
                "kind": "wasmplugin",
                "name": "header-auth",
                "namespace": "shop",
                "image": IMAGE,
                "object": written,
            }
        ],
        "output": str(tmp_path / "out.yaml"),
    }
    plain = wasmctl("manifest", "--image", IMAGE, "--namespace", "shop", cwd=tmp_path)
    assert plain.out == (tmp_path / "out.yaml").read_text()
    again = wasmctl("manifest", "--image", IMAGE, "--output", "no/such/out.yaml", cwd=tmp_path)
    assert (again.code, "no/such/out.yaml" in again.err) == (2, True)


GITOPS = """\
# Ours.
apiVersion: extensions.istio.io/v1alpha1
kind: WasmPlugin
metadata: {{name: header-auth, namespace: shop}}
spec:
    url: {url}   # moves by itself
    phase: AUTHN
"""
OLD = "oci://ghcr.io/acme/header-auth:0.0.9"


def test_a_file_under_gitops_is_changed_at_its_image_alone(
    wasmctl: CommandLine, tmp_path: Path
) -> None:
    real = tmp_path / "real.yaml"
    real.write_text(GITOPS.format(url=OLD))
    real.chmod(0o640)
    (tmp_path / "link.yaml").symlink_to("real.yaml")
    said = wasmctl("manifest", "--image", IMAGE, "--update", "link.yaml", cwd=tmp_path)
    assert (said.code, said.out) == (0, f"oci://{IMAGE}\n")
    assert said.err == f"updated WasmPlugin header-auth, which had `{OLD}`\n"
    assert real.read_text() == GITOPS.format(url=f"oci://{IMAGE}")
    assert real.stat().st_mode & 0o777 == 0o640
    assert (tmp_path / "link.yaml").is_symlink()
    before = real.stat()
    again = wasmctl("manifest", "--image", IMAGE, "--update", "real.yaml", "--json", cwd=tmp_path)
    assert json.loads(again.out)["data"] == {
        "updated": False,
        "path": str(real),
        "object": "WasmPlugin header-auth",
        "before": f"oci://{IMAGE}",
        "url": f"oci://{IMAGE}",
    }
    assert "nothing to change: WasmPlugin header-auth has this image already" in again.err
    assert real.stat().st_mtime_ns == before.st_mtime_ns


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--config", "{}"], "`--update` changes the image alone, and not what `--config` says"),
        (["--phase", "AUTHZ"], "`--update` changes the image alone, and not what `--phase` says"),
        (["--kind", "envoy"], "`--update` changes the image of an object, and `envoy` has none"),
        (["--name", "other"], "has `WasmPlugin header-auth`: the object is not there"),
        (["--namespace", "x"], "has `WasmPlugin header-auth`: the object is not there"),
    ],
)
def test_an_update_that_cannot_be(
    wasmctl: CommandLine, tmp_path: Path, flags: list[str], said: str
) -> None:
    path = tmp_path / "gitops.yaml"
    path.write_text(GITOPS.format(url=OLD))
    done = wasmctl("manifest", "--image", IMAGE, "--update", "gitops.yaml", *flags, cwd=tmp_path)
    assert (done.code, said in done.err) == (2, True), done.err
    assert path.read_text() == GITOPS.format(url=OLD)


def test_a_file_that_is_not_there_or_no_text(wasmctl: CommandLine, tmp_path: Path) -> None:
    said = wasmctl("manifest", "--image", IMAGE, "--update", "gitops.yaml", cwd=tmp_path)
    assert (said.code, "`gitops.yaml` cannot be read: no such file" in said.err) == (2, True)
    (tmp_path / "gitops.yaml").write_bytes(b"\xff")
    said = wasmctl("manifest", "--image", IMAGE, "--update", "gitops.yaml", cwd=tmp_path)
    assert (said.code, "`gitops.yaml` cannot be read: it is not UTF-8" in said.err) == (2, True)


@pytest.mark.envoy
@pytest.mark.cargo
@pytest.mark.parametrize("fail", [[], ["--fail-strategy", "FAIL_RELOAD"]], ids=["", "reload"])
def test_envoy_serves_what_is_written_for_it(
    wasmctl: CommandLine,
    project: Path,
    header_auth_module: Path,
    tmp_path: Path,
    fail: list[str],
) -> None:
    shutil.copy(header_auth_module, project / "dist/plugin.wasm")
    port = free_port()
    said = wasmctl(
        "manifest", "--kind", "envoy", "--port", str(port), "--output", "envoy.yaml",
        "--env", "A=1e3", "--host-env", "PATH", *fail, cwd=project,
    )  # fmt: skip
    assert (said.code, said.out) == (0, "envoy.yaml\n"), said.err
    text = (project / "envoy.yaml").read_text()
    assert f"filename: {project}/dist/plugin.wasm" in text
    # Other Envoys may run here.
    (project / "envoy.yaml").write_text(text.replace("port_value: 9901", "port_value: 0"))
    with (tmp_path / "log").open("wb") as log:
        argv = [*envoy_beside().command, "-c", "envoy.yaml", "--disable-hot-restart"]
        process = subprocess.Popen(argv, cwd=project, stdout=log, stderr=log)
    try:
        assert ask(process, port, {"allow": "true"}) == 200
        assert ask(process, port, {}) == 403
    finally:
        process.terminate()
        process.wait(10)


def ask(process: subprocess.Popen[bytes], port: int, headers: dict[str, str]) -> int:
    """Return the status of one request, to a server that may be about to start."""
    request = urllib.request.Request(f"http://127.0.0.1:{port}/", headers=headers)
    while True:
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as error:
            return error.code
        except urllib.error.URLError:
            assert process.poll() is None, "Envoy did not start"


@pytest.mark.envoy
@pytest.mark.cargo
@pytest.mark.parametrize("kind", ["HTTP", "NETWORK"])
def test_envoy_takes_an_upstream_and_either_type(
    wasmctl: CommandLine, header_auth_module: Path, tmp_path: Path, kind: str
) -> None:
    said = wasmctl(
        "manifest", "--kind", "envoy", "--image", IMAGE, "--type", kind,
        "--upstream", "https://example.com", "--module", str(header_auth_module),
        "--config", '{"header": "1e3"}', "--plugin-name", "1e3", cwd=tmp_path,
    )  # fmt: skip
    assert said.code == 0, said.err
    (tmp_path / "envoy.yaml").write_text(said.out)
    argv = [*envoy_beside().command, "--mode", "validate", "-c", "envoy.yaml"]
    done = subprocess.run(argv, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_envoy_needs_a_module(wasmctl: CommandLine, project: Path) -> None:
    (project / "dist/plugin.wasm").unlink()
    said = wasmctl("manifest", "--kind", "envoy", cwd=project)
    assert said.code == 2
    assert "there is no module of `header-auth` for Envoy to load" in said.err
    given = wasmctl("manifest", "--kind", "envoy", "--module", "/etc/plugin.wasm", cwd=project)
    assert "filename: /etc/plugin.wasm" in given.out
    text = wasmctl("manifest", "--kind", "envoy", "--module", "x", "--config", "a b", cwd=project)
    assert "value: a b\n" in text.out  # Envoy hands over any text
    assert list((project / "dist").iterdir()) == []
