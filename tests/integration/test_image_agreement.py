"""Our verdict on an image, against what really reads it, for every layout that people push."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tarfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest

from tests.integration.docker_engine import Engine
from tests.integration.fetchers import Answer, Fetcher
from tests.integration.layouts import LAYOUTS, put
from tests.integration.registries import RunningRegistry
from tests.unit.oci.sources import MODULE
from wasmctl.consumers.check import check_image
from wasmctl.consumers.consumer import find_consumer
from wasmctl.consumers.gather import gather_image
from wasmctl.errors import WasmctlError
from wasmctl.hosts.verdict import Outcome, Verdict
from wasmctl.oci.options import RegistryOptions
from wasmctl.oci.source import find_image
from wasmctl.oci.unpack import unpack_module

# What a mesh takes and `pull` does not, which verifies a layer to its end.
WE_REFUSE = {
    "cut gzip, behind the module": "broken-layer",
    "size too large": "digest-mismatch",
}

pytestmark = [pytest.mark.registry, pytest.mark.go]


@dataclass(frozen=True)
class Compared:
    """What both say of one image; `module` is the hash of what we took out of it."""

    ours: Verdict
    theirs: Answer
    module: str


def judge(ref: str, folder: Path) -> tuple[Verdict, str]:
    """Return our verdict for Istio, and the hash of the module that `check` would look at."""
    options = RegistryOptions(env={})
    istio = find_consumer("istio")
    assert istio is not None
    named = find_image(ref, folder=folder, options=options)
    gathered = gather_image(named, options=options, scratch=folder)
    module = ""
    if gathered.image is not None:
        try:
            module = unpack_module(gathered.image, folder / "plugin.wasm").sha256
        except WasmctlError as error:
            module = error.code
    (verdict,) = check_image(gathered.view, [istio]).verdicts
    return verdict, module


def plain(words: str) -> str:
    # Where deflate fails, Go counts in its own way.
    return re.sub(r"(corrupt input before offset) (?:\d+|…)", r"\1", words)


@pytest.fixture(scope="module")
def compared(
    plain_registry: RunningRegistry,
    fetcher: Fetcher,
    tmp_path_factory: pytest.TempPathFactory,
) -> Mapping[str, Compared]:
    """Every layout, read back through a real registry by both."""
    refs = {what: put(plain_registry.new_name(), "1.0", given) for what, given in LAYOUTS.items()}
    answers = fetcher.fetch([*refs.values()])
    folder = tmp_path_factory.mktemp("images")
    return {
        what: Compared(ours=verdict, theirs=answers[ref], module=module)
        for what, ref in refs.items()
        for verdict, module in [judge(ref, folder)]
    }


@pytest.mark.parametrize("what", LAYOUTS)
def test_verdict_and_words_are_those_of_the_fetcher(
    what: str, compared: Mapping[str, Compared]
) -> None:
    both = compared[what]
    assert plain(both.ours.words) == plain(both.theirs.error)
    assert both.ours.outcome is (Outcome.REFUSES if both.theirs.error else Outcome.ACCEPTS)


@pytest.mark.parametrize("what", LAYOUTS)
def test_the_module_that_is_checked_is_the_one_that_is_loaded(
    what: str, compared: Mapping[str, Compared]
) -> None:
    both = compared[what]
    if not both.theirs.error:
        assert both.module == WE_REFUSE.get(what, both.theirs.sha256)


def _oci(name: str, folder: Path) -> None:
    """Write a module, called `name`, and a tar of it, as a user has them beside each other."""
    (folder / name).write_bytes(MODULE)
    with tarfile.open(folder / "layer.tar", "w") as archive:
        archive.add(folder / name, name)


def _run(*argv: str | Path, cwd: Path) -> None:
    done = subprocess.run(
        [str(part) for part in argv], cwd=cwd, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def _crane(ref: str, folder: Path, options: Sequence[str] = ()) -> None:
    _oci("plugin.wasm", folder)
    _run("crane", "append", *options, "-f", "layer.tar", "-t", ref, cwd=folder)


def _crane_index(ref: str, folder: Path) -> None:
    """Push what `crane append` makes, as the only entry of an index that tells no platform."""
    _crane(f"{ref}-one", folder)
    _run("crane", "index", "append", "-m", f"{ref}-one", "-t", ref, cwd=folder)


def _skopeo(ref: str, folder: Path) -> None:
    """Turn what `crane append` made into an OCI image."""
    _crane(f"{ref}-one", folder)
    tls = ("--src-tls-verify=false", "--dest-tls-verify=false")
    places = (f"docker://{ref}-one", f"docker://{ref}")
    _run("skopeo", "copy", *tls, "--format", "oci", *places, cwd=folder)


def _oras(ref: str, folder: Path, file: str) -> None:
    """Push files as oras-py does."""
    program = (
        "import json, sys, oras.client; from pathlib import Path;"
        "client = oras.client.OrasClient(hostname=sys.argv[1].partition('/')[0], insecure=True);"
        "client.push(target=sys.argv[1], files=json.loads(sys.argv[2]))"
    )
    _oci("plugin.wasm", folder)
    with tarfile.open(folder / "plugin.tar.gz", "w:gz") as archive:
        archive.add(folder / "plugin.wasm", "plugin.wasm")
    (folder / "README.md").write_text("# read me")
    files = json.dumps(file.split())
    _run(sys.executable, "-c", program, ref, files, cwd=folder)


_TAR_GZIP = "application/vnd.oci.image.layer.v1.tar+gzip"
# How people make images, and whether meshes take what comes of it.
TOOLS: Mapping[str, tuple[Callable[[str, Path], None], bool]] = {
    "crane append": (_crane, True),
    "crane append --oci-empty-base": (partial(_crane, options=["--oci-empty-base"]), True),
    "crane index append": (_crane_index, True),
    "skopeo copy --format oci": (_skopeo, True),
    "oras push plugin.wasm": (partial(_oras, file="plugin.wasm"), False),
    "oras push plugin.tar.gz": (partial(_oras, file=f"plugin.tar.gz:{_TAR_GZIP}"), True),
    "oras push, README last": (partial(_oras, file=f"plugin.tar.gz:{_TAR_GZIP} README.md"), False),
    "oras push, README first": (partial(_oras, file=f"README.md plugin.tar.gz:{_TAR_GZIP}"), True),
}


@pytest.mark.crane
@pytest.mark.skopeo
def test_of_what_tools_push_the_verdicts_agree_too(
    plain_registry: RunningRegistry, fetcher: Fetcher, tmp_path: Path
) -> None:
    refs = {}
    for number, (what, (push, _)) in enumerate(TOOLS.items()):
        folder = tmp_path / str(number)
        folder.mkdir()
        refs[what] = f"{plain_registry.new_name()}:1.0"
        push(refs[what], folder)
    answers = fetcher.fetch([*refs.values()])
    for what, ref in refs.items():
        verdict, _ = judge(ref, tmp_path)
        assert plain(verdict.words) == plain(answers[ref].error), what
        assert (verdict.outcome is Outcome.ACCEPTS) == TOOLS[what][1], what


@pytest.mark.docker
def test_what_docker_builds_and_pushes_is_taken(
    docker_engine: Engine,
    plain_registry: RunningRegistry,
    fetcher: Fetcher,
    tmp_path: Path,
) -> None:
    _oci("plugin.wasm", tmp_path)
    _oci("main.wasm", tmp_path)
    lines = {
        "one": "FROM scratch\nCOPY plugin.wasm /\n",
        "another-name": "FROM scratch\nCOPY main.wasm /\n",
        "more-behind": "FROM scratch\nCOPY plugin.wasm /\nCOPY main.wasm /\n",
    }
    name = plain_registry.new_name()
    for tag, text in lines.items():
        (tmp_path / "Dockerfile").write_text(text)
        docker_engine.docker("build", "--quiet", "--tag", f"{name}:{tag}", str(tmp_path))
        docker_engine.docker("push", f"{name}:{tag}")
    answers = fetcher.fetch([f"{name}:{tag}" for tag in lines])
    verdicts = {tag: judge(f"{name}:{tag}", tmp_path)[0] for tag in lines}
    said = {tag: verdict.words for tag, verdict in verdicts.items()}
    assert said == {tag: answers[f"{name}:{tag}"].error for tag in lines}
    assert [tag for tag, words in said.items() if not words] == ["one"]
    # The engine keeps layers as they are until it pushes: what it saves is judged as pushed.
    for tag, verdict in verdicts.items():
        saved = tmp_path / f"{tag}.tar"
        docker_engine.docker("save", "--output", str(saved), f"{name}:{tag}")
        assert judge(str(saved), tmp_path)[0].outcome is verdict.outcome


def test_there_are_layouts_of_both_kinds(compared: Mapping[str, Compared]) -> None:
    accepted = [both for both in compared.values() if not both.theirs.error]
    assert len(accepted) >= 20
    assert len(compared) - len(accepted) >= 20
