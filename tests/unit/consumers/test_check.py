"""Every rule on an image: who refuses it, what is said of it, and what helps."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from tests.integration.layouts import AMD64, LAYOUTS, OCI, Layout, index, layout
from tests.unit.consumers.views import NAME, view_of
from tests.unit.oci.sources import MODULE, packed
from wasmctl.consumers.check import check_image
from wasmctl.consumers.consumer import CONSUMERS, Consumer, find_consumer
from wasmctl.consumers.view import Access, ImageView
from wasmctl.hosts.explanations import ROWS
from wasmctl.hosts.finding import Finding, Severity
from wasmctl.hosts.verdict import Outcome
from wasmctl.oci.image import MediaType

MESHES = ("istio", "envoy-gateway", "higress")


def consumer(name: str) -> Consumer:
    found = find_consumer(name)
    assert found is not None
    return found


def outcomes(view: ImageView) -> dict[str, str]:
    return {verdict.target: verdict.outcome.value for verdict in check_image(view).verdicts}


def finding(view: ImageView, id_: str) -> Finding:
    (found,) = [found for found in check_image(view).findings if found.id == id_]
    return found


@pytest.mark.parametrize(
    ("what", "id_", "told"),
    [
        ("docker, module in the first of two", "image-without-plugin-wasm",
         "`plugin.wasm` is in layer 1 of 2"),
        ("docker, layer of OCI", "image-types-mixed", "vnd.oci.image.layer.v1.tar+gzip"),
        ("docker, plain tar", "image-layer-plain", "rootfs.diff.tar"),
        ("docker, no layers", "image-without-layers", ""),
        ("docker, README last", "image-layer-type", "markdown"),
        ("docker, another name", "image-without-plugin-wasm", "it has `main.wasm`"),
        ("docker, not gzip", "image-layer-not-gzip", "gzip: invalid header"),
        ("docker, artifact", "image-layer-type", "content.layer.v1+wasm"),
        ("oci, layer of docker", "image-types-mixed", "rootfs.diff.tar.gzip"),
        ("oci, no layers", "image-without-layers", ""),
        ("README last", "image-module-not-last", "`plugin.wasm` is in layer 1 of 2"),
        ("specification and README last", "image-module-not-last", "in layer 1 of 3"),
        ("plain tar", "image-layer-plain", "`oras push`"),
        ("a file by oras", "image-layer-plain", "`oras push`"),
        ("zstd", "image-layer-zstd", "zstd"),
        ("zstd called gzip", "image-layer-not-gzip", ""),
        ("another name", "image-without-plugin-wasm", "it has `main.wasm`"),
        ("upper case", "image-without-plugin-wasm", "it has `Plugin.wasm`"),
        ("whiteout", "image-without-plugin-wasm", "`plugin.wasm` is in layer 1 of 2"),
        ("folder", "image-not-wasm", "is a folder"),
        ("folder that tells of a size", "image-module-cut", ""),
        ("symbolic link", "image-not-wasm", "is a symbolic link"),
        ("hard link", "image-not-wasm", "is a hard link"),
        ("pipe", "image-not-wasm", "is a special file"),
        ("empty file", "image-not-wasm", "is empty"),
        ("no wasm", "image-not-wasm", "no WebAssembly"),
        ("seven bytes", "image-not-wasm", ""),
        ("empty layer", "image-layer-not-gzip", "EOF"),
        ("size too small", "image-bytes-differ", "sha256 checksum"),
        ("module without an archive", "image-layer-not-gzip", ""),
        ("module packed without an archive", "image-layer-broken", "archive/tar"),
        ("cut gzip, before the module", "image-layer-broken", "unexpected EOF"),
        ("cut archive", "image-module-cut", "unexpected EOF"),
        ("damaged header", "image-layer-broken", "invalid tar header"),
        ("artifact and README", "image-module-not-last", "layer 2 of 3 is a raw module"),
        ("getenvoy", "image-artifact-layers", "1 layer(s)"),
        ("artifact, no wasm", "image-not-wasm", ""),
        ("wasm-to-oci", "image-of-cncf", "kwctl"),
        ("cncf", "image-of-cncf", "wkg"),
        ("index, arm64 alone", "image-not-for-platform", "it has `linux/arm64`"),
        ("index, arm64 and an attestation", "image-not-for-platform", "it has `linux/arm64`"),
        ("index, arm64 and s390x", "image-not-for-platform", "`linux/arm64`, `linux/s390x`"),
        ("index, wasi/wasm", "image-not-for-platform", "`wasi/wasm`"),
        ("empty index", "image-not-for-platform", "no image at all"),
        ("index, pinned", "image-digest-not-its-own", ""),
    ],
)  # fmt: skip
def test_what_meshes_refuse_is_explained(what: str, id_: str, told: str) -> None:
    view = view_of(LAYOUTS[what])
    assert {name: outcomes(view)[name] for name in MESHES} == dict.fromkeys(MESHES, "refuses")
    found = finding(view, id_)
    assert (found.severity, tuple(found.targets)) == (Severity.ERROR, MESHES)
    assert told in found.message
    assert found.hint
    assert found.words
    assert found.source
    # And the table says the same of the same words in a log.
    assert id_ in {row.id for row in ROWS}


def test_whatever_a_mesh_refuses_has_a_row_of_its_own() -> None:
    for what, given in LAYOUTS.items():
        for found in check_image(view_of(given)).findings:
            assert found.id != "image-not-fetched", what


@pytest.mark.parametrize(
    "what",
    ["docker", "oci", "hgctl", "wasme", "module and README", "index", "index with an attestation",
     "index of docker", "index in an index", "deep", "two members", "pax", "oci, pinned",
     "index, its image pinned"],
)  # fmt: skip
def test_what_meshes_take_has_no_error_of_theirs(what: str) -> None:
    view = view_of(LAYOUTS[what])
    assert {name: outcomes(view)[name] for name in MESHES} == dict.fromkeys(MESHES, "accepts")
    report = check_image(view, [consumer(name) for name in MESHES])
    assert not [found for found in report.findings if found.severity is Severity.ERROR]


def test_words_are_joined_in_each_one_s_own_way() -> None:
    report = check_image(view_of(LAYOUTS["README last"]))
    said = {verdict.target: verdict.words for verdict in report.verdicts}
    compat = (
        "could not parse as compat variant: invalid media type"
        " application/vnd.module.wasm.doc.v1+markdown (expect"
        " application/vnd.oci.image.layer.v1.tar+gzip)"
    )
    artifact = (
        "could not parse as oci variant: could not find the layer of type"
        " application/vnd.module.wasm.content.layer.v1+wasm"
    )
    start = "could not fetch Wasm binary: the given image is in invalid format as an OCI image:"
    assert said["istio"] == f"{start} 2 errors occurred:\n\t* {compat}\n\t* {artifact}\n\n"
    assert said["higress"] == said["istio"]
    assert said["envoy-gateway"] == f"{start} {compat}\n{artifact}"


def test_the_hint_has_the_command_that_mends_it() -> None:
    found = finding(view_of(LAYOUTS["plain tar"]), "image-layer-plain")
    assert f"`wasmctl push --from {NAME} HOST/REPOSITORY:TAG --format oci`" in found.hint
    view = replace(view_of(LAYOUTS["plain tar"]), access=Access(plain_http=False))
    command = f"`wasmctl push --from {NAME} {NAME}-oci --format oci`"
    assert command in finding(view, "image-layer-plain").hint


def test_an_index_is_warned_of_and_its_image_named() -> None:
    given = LAYOUTS["index with an attestation"]
    found = finding(view_of(given), "image-is-an-index")
    assert found.severity is Severity.WARNING
    assert given.children[0].digest in found.hint


def test_schema_1_is_refused_in_the_library_s_words() -> None:
    kind = "application/vnd.docker.distribution.manifest.v1+prettyjws"
    document = {"schemaVersion": 1, "name": "x", "fsLayers": []}
    view = view_of(Layout(json.dumps(document).encode(), kind))
    found = finding(view, "image-of-schema-1")
    assert found.words == (
        "could not fetch Wasm OCI image: could not fetch image: unsupported MediaType:"
        f' "{kind}", see https://github.com/google/go-containerregistry/issues/377'
    )


def test_what_unpacks_to_too_much_is_refused_by_each_in_its_own_words() -> None:
    view = view_of(LAYOUTS["oci"])
    (layer,) = view.layers
    assert layer.content is not None
    content = replace(layer.content, found=None, over=True, broken="unexpected EOF")
    report = check_image(replace(view, layers=(replace(layer, content=content),)))
    said = {verdict.target: verdict.words for verdict in report.verdicts}
    assert "could not extract wasm binary: unexpected EOF" in said["istio"]
    assert "wasm layer size exceeds maximum size 268435456" in said["envoy-gateway"]
    assert {"image-layer-broken", "image-too-large"} <= {found.id for found in report.findings}


def test_a_layer_too_large_to_look_into_is_not_judged() -> None:
    view = view_of(LAYOUTS["oci"])
    view = replace(view, layers=(replace(view.layers[0], content=None),))
    assert outcomes(view)["istio"] == "unsure"
    assert finding(view, "image-not-judged").severity is Severity.WARNING


@pytest.mark.parametrize(
    ("target", "outcome"),
    [("istio", "refuses"), ("istio-1.30", "refuses"), ("istio-1.29", "accepts")],
)
def test_a_token_server_inside_is_refused_from_istio_1_30_on(target: str, outcome: str) -> None:
    challenge = 'Bearer realm="https://10.0.0.1/token",service="x"'
    access = Access(plain_http=False, challenge=challenge)
    view = replace(view_of(LAYOUTS["oci"]), access=access)
    (verdict,) = check_image(view, [consumer(target)]).verdicts
    assert verdict.outcome.value == outcome
    if outcome == "refuses":
        assert verdict.words == (
            'could not fetch Wasm OCI image: could not fetch manifest: Get "https://ghcr.io/v2/":'
            " rejected unsafe bearer realm: realm targets private/loopback/link-local IP"
        )
        assert finding(view, "image-realm-refused").targets == ("istio",)
    assert outcomes(view)["envoy-gateway"] == "accepts"


def test_of_basic_nobody_has_seen_it() -> None:
    access = Access(plain_http=False, challenge='Basic realm="Registry"')
    view = replace(view_of(LAYOUTS["oci"]), access=access)
    assert (outcomes(view)["istio"], outcomes(view)["higress"]) == ("unsure", "accepts")


def test_a_certificate_that_only_we_believe_is_warned_of() -> None:
    view = replace(view_of(LAYOUTS["oci"]), access=Access(plain_http=False, own_trust=True))
    found = [it for it in check_image(view).findings if it.id == "image-registry-of-own-ca"]
    hints = {target: it.hint for it in found for target in it.targets}
    assert "WASM_INSECURE_REGISTRIES" in hints["istio"]
    assert "caCertificateRef" in hints["envoy-gateway"]


@pytest.mark.parametrize(
    ("what", "outcome", "id_"),
    [
        ("oci", "accepts", ""),
        ("docker", "accepts", ""),
        ("folder before the module", "accepts", ""),
        ("module and its configuration", "unsure", "gcp-several-files"),
        ("docker, module in the first of two", "unsure", "gcp-several-files"),
        ("another name", "refuses", "gcp-without-plugin-wasm"),
        ("wasme", "refuses", "gcp-no-container"),
        ("cncf", "refuses", "gcp-no-container"),
        ("zstd", "unsure", ""),
        ("cut gzip", "unsure", ""),
    ],
)
def test_gcp_goes_by_its_documentation(what: str, outcome: str, id_: str) -> None:
    view = view_of(LAYOUTS[what])
    assert outcomes(view)["gcp"] == outcome
    found = [it for it in check_image(view).findings if "gcp" in it.targets]
    assert [it.id for it in found] == ([id_] if id_ else [])
    for it in found:
        assert (it.severity is Severity.ERROR) == (outcome == "refuses")


def test_gcp_s_quota_is_warned_of() -> None:
    large = layout((OCI, packed(("plugin.wasm", MODULE + bytes(3_000_000)))))
    assert "2.9 MiB" in finding(view_of(large), "gcp-module-large").message


@pytest.mark.parametrize(
    ("what", "outcome", "words"),
    [
        ("cncf", "accepts", ""),
        ("cncf and README", "refuses",
         "Incompatible layer media type: application/vnd.module.wasm.doc.v1+markdown"),
        ("wasm-to-oci", "unsure",
         "Incompatible layer media type: application/vnd.wasm.content.layer.v1+wasm"),
        ("oci", "refuses",
         "Incompatible layer media type: application/vnd.oci.image.layer.v1.tar+gzip"),
        ("oci, no layers", "refuses", "No layers to pull"),
        ("index", "unsure", ""),
    ],
)  # fmt: skip
def test_the_cncf_s_readers_want_their_own_layout(what: str, outcome: str, words: str) -> None:
    (verdict,) = check_image(view_of(LAYOUTS[what]), [consumer("cncf")]).verdicts
    assert (verdict.outcome.value, verdict.words) == (outcome, words)


def test_the_cncf_s_configuration_is_looked_at() -> None:
    given = layout((MediaType.CNCF_MODULE, MODULE))
    two = layout((MediaType.CNCF_MODULE, MODULE), (MediaType.CNCF_MODULE, MODULE + b"x"))
    for it, words in ((given, "must have a config of type"), (two, "must have exactly one layer")):
        (verdict,) = check_image(view_of(it), [consumer("cncf")]).verdicts
        assert words in verdict.words


def test_of_several_consumers_the_same_is_said_once() -> None:
    targets = [consumer(name) for name in ("istio-1.27", "istio-1.28", "asm-1.22", "higress-2.1")]
    report = check_image(view_of(LAYOUTS["zstd"]), targets)
    (found,) = report.findings
    assert found.targets == ("istio-1.27", "istio-1.28", "asm-1.22", "higress-2.1")
    assert len(report.verdicts) == 4


@pytest.mark.parametrize("what", ["cut gzip, behind the module", "size too large"])
def test_a_layer_damaged_behind_the_module_is_warned_of(what: str) -> None:
    found = finding(view_of(LAYOUTS[what]), "image-damaged-behind-module")
    assert found.severity is Severity.WARNING


def test_an_index_of_indices_without_end_is_no_image() -> None:
    given = LAYOUTS["oci"]
    for _ in range(9):
        given = index((given, AMD64))
    with pytest.raises(Exception, match="indices lead to yet another"):
        view_of(given)


@pytest.mark.parametrize(
    ("target", "reader"),
    [("istio", "istio"), ("istio-1.27", "istio"), ("asm-1.22", "istio"), ("gcp", "gcp"),
     ("envoy-gateway-1.5", "envoy-gateway"), ("envoy-gateway", "envoy-gateway"),
     ("higress-2.1", "higress"), ("cncf", "cncf"), ("envoy-1.36", None), ("envoy", None),
     ("", None), ("Istio", None)],
)  # fmt: skip
def test_targets_are_consumers_but_for_envoy(target: str, reader: str | None) -> None:
    found = find_consumer(target)
    assert (found and found.reader.value) == reader


def test_every_consumer_is_in_the_table() -> None:
    assert [it.name for it in CONSUMERS] == ["istio", "envoy-gateway", "higress", "gcp", "cncf"]
    assert {Outcome.ACCEPTS, Outcome.REFUSES, Outcome.UNSURE} == {*Outcome}
