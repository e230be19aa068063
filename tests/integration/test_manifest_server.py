"""What `manifest` writes, a real API server takes and keeps; what we refuse, it refuses too.

The server has the published CRDs and no istiod: what only istiod's webhook refuses, it takes, and
the table says so.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.conftest import CommandLine
from tests.integration.apiservers import ApiServer
from tests.unit.edges.test_yaml_text import TRICKY
from wasmctl.deploy.config import read_object
from wasmctl.deploy.kinds import OBJECT_KINDS
from wasmctl.deploy.plan import plan_deployment
from wasmctl.errors import UsageError
from wasmctl.oci.reference import parse_reference
from wasmctl.project.layers import flag_layer, merge, setting_place
from wasmctl.yaml_text import dump_yaml

pytestmark = pytest.mark.apiserver

DIGEST = "sha256:" + "0123456789abcdef" * 4
IMAGE = f"registry.example.com:5000/acme/header-auth:0.1.0@{DIGEST}"
KINDS = [*OBJECT_KINDS]
# What stands beside the plug-in in a TrafficExtension, and not below `wasm`.
OUTER = {"selector", "targetRefs", "phase", "priority", "match"}


def written(kind: str, settings: Mapping[str, object], config: object = None) -> dict[str, Any]:
    """Return the object that these settings of `[deploy]` become, through its text."""
    layer = flag_layer({f"deploy.{key}": value for key, value in settings.items()})
    deploy = merge([layer]).settings.deploy
    deployment = plan_deployment(
        deploy,
        name=deploy.name or "header-auth",
        namespace=deploy.namespace or "istio-system",
        image=parse_reference(IMAGE, require_registry=True),
        config=None if config is None else read_object(json.dumps(config), "`--config`"),
        place=partial(lambda key: setting_place(f"deploy.{key}", flags=layer.values)),
    )
    document: dict[str, Any] = yaml.safe_load(dump_yaml(OBJECT_KINDS[kind].make(deployment)))
    return document


def raw(kind: str, namespace: str, spec: Mapping[str, Any]) -> dict[str, Any]:
    """Return an object that nobody of us checked."""
    plugin = {"url": f"oci://{IMAGE}", **spec}
    if kind == "trafficextension":
        outer = {key: plugin.pop(key) for key in [*plugin] if key in OUTER}
        plugin = {**outer, "wasm": plugin}
    return {
        "apiVersion": "extensions.istio.io/v1alpha1",
        "kind": OBJECT_KINDS[kind].kind,
        "metadata": {"name": "header-auth", "namespace": namespace},
        "spec": plugin,
    }


GOOD: Mapping[str, Mapping[str, Any]] = {
    "nothing said": {},
    "a selector": {"selector": {"istio": "ingressgateway", "app.kubernetes.io/name": "1.0_x"}},
    "an empty label": {"selector": {"canary": ""}},
    "a long label": {"selector": {"a" * 63: "b" * 63}},
    "a label like a number": {"selector": {"version": "1e3", "y": "yes"}},
    "targets of every kind": {
        "target_refs": [
            {"kind": "Gateway", "name": "front"},
            {"kind": "GatewayClass", "name": "istio-waypoint"},
            {"kind": "Service", "name": "shop", "group": "core"},
            {"kind": "ServiceEntry", "name": "api.example.com", "namespace": ""},
        ]
    },
    "sixteen targets": {"target_refs": [{"kind": "Service", "name": f"s{n}"} for n in range(16)]},
    **{f"phase {phase}": {"phase": phase} for phase in ("AUTHN", "AUTHZ", "STATS")},
    "the least priority": {"priority": -(2**31)},
    "the greatest priority": {"priority": 2**31 - 1},
    "match": {
        "match": [{"mode": "SERVER", "ports": [1, 65535]}, {"mode": "CLIENT"}, {"ports": [443]}]
    },
    "match both": {"match": [{"mode": "CLIENT_AND_SERVER"}]},
    **{
        strategy: {"fail_strategy": strategy}
        for strategy in ("FAIL_CLOSE", "FAIL_OPEN", "FAIL_RELOAD")
    },
    **{f"type {kind}": {"type": kind} for kind in ("HTTP", "NETWORK")},
    **{f"pull {policy}": {"pull_policy": policy} for policy in ("IfNotPresent", "Always")},
    "a secret": {"pull_secret": "registry.example.com"},
    "a plug-in's name": {"plugin_name": "a name " * 36},
    "variables": {"env": {"A": "1e3", "B": "", "C": "ü\n" * 1024}, "host_env": ["POD_NAME"]},
    "256 variables": {"env": {f"V{n}": "x" for n in range(255)}, "host_env": ["HOST"]},
    "a sha256": {"sha256": True},
    "a long name": {"name": ".".join(["a" * 63, "b" * 63, "c" * 63, "d" * 61])},
}
TRICKY_CONFIG = {
    "text": TRICKY,
    "keys": {text: index for index, text in enumerate(TRICKY)},
    "numbers": [0, -1, 2**53, 1.5, 1e300, 0.1],
    "others": [True, False, None, [], {}, [[]], {"": ""}],
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("case", GOOD)
def test_the_server_takes_it_and_keeps_it(api_server: ApiServer, kind: str, case: str) -> None:
    document = written(kind, {"namespace": api_server.new_namespace(), **GOOD[case]})
    status, answer = api_server.apply(document)
    assert (status, answer.get("message")) == (201, None)
    assert api_server.read(document) == document


# Of the API server itself: it reads what is applied server-side as YAML 1.1, JSON or not, where
# these end a line or are forbidden.
UNAPPLIED = re.compile("[\x7f\x85\u2028]")


@pytest.mark.parametrize("kind", KINDS)
def test_a_configuration_of_any_text_and_number_arrives(api_server: ApiServer, kind: str) -> None:
    namespace = api_server.new_namespace()
    texts = [text for text in TRICKY if not UNAPPLIED.search(text)]
    config = {**TRICKY_CONFIG, "text": texts, "keys": dict.fromkeys(texts, 1)}
    document = written(kind, {"namespace": namespace}, config)
    assert api_server.apply(document)[0] == 201
    kept = api_server.read(document)["spec"]
    assert kept.get("wasm", kept)["pluginConfig"] == config


def test_kubectl_reads_our_yaml_as_it_is_meant(
    api_server: ApiServer, wasmctl: CommandLine, tmp_path: Path
) -> None:
    """kubectl's reader of YAML has a dialect of its own."""
    namespace = api_server.new_namespace()
    (tmp_path / "config.json").write_text(json.dumps(TRICKY_CONFIG))
    said = wasmctl(
        "manifest", "--image", IMAGE, "--kind", "trafficextension", "--kind", "wasmplugin",
        "--namespace", namespace, "--config-file", "config.json", "--env", "A=0o17",
        "--selector", "version=12e03", "--selector", "y=y", cwd=tmp_path,
    )  # fmt: skip
    assert (said.code, said.err) == (0, "")
    created = api_server.kubectl("create", "-f", "-", stdin=said.out)
    assert created.returncode == 0, created.stderr
    assert created.stdout.splitlines() == [
        "wasmplugin.extensions.istio.io/header-auth created",
        "trafficextension.extensions.istio.io/header-auth created",
    ]
    for document in yaml.safe_load_all(said.out):
        kept = api_server.read(document)
        assert kept == document
        plugin = kept["spec"].get("wasm", kept["spec"])
        assert plugin["pluginConfig"] == TRICKY_CONFIG
        assert plugin["vmConfig"] == {"env": [{"name": "A", "value": "0o17"}]}
        assert kept["spec"]["selector"] == {"matchLabels": {"version": "12e03", "y": "y"}}


@dataclass(frozen=True, kw_only=True)
class Broken:
    """Settings that we refuse, and the same past us.

    `ours` is said by us, `spec` is sent to the server; `theirs` is part of what it says, None where
    it takes the object, and then `since` says why we do not.
    """

    settings: Mapping[str, Any] = field(default_factory=dict)
    ours: str
    spec: Mapping[str, Any]
    theirs: str | None
    since: str = ""


WEBHOOK = "istiod's webhook refuses it"
NO_POD = "no pod can have such a label"
TARGET = {"group": "gateway.networking.k8s.io", "kind": "Gateway", "name": "front"}
BROKEN: Mapping[str, Broken] = {
    "selector and targets": Broken(
        settings={
            "selector": {"a": "b"},
            "target_refs": [{"kind": "Gateway", "name": "front"}],
        },
        ours="`--selector` and `--target-ref` at once",
        spec={"selector": {"matchLabels": {"a": "b"}}, "targetRefs": [TARGET]},
        theirs="only one of targetRefs or selector can be set",
    ),
    "a target without a name": Broken(
        settings={"target_refs": [{"kind": "Gateway"}]},
        ours="`--target-ref`, number 1: no `name`",
        spec={"targetRefs": [{"kind": "Gateway"}]},
        theirs="spec.targetRefs[0].name: Required value",
    ),
    "a target without a kind": Broken(
        settings={"target_refs": [{"name": "front"}]},
        ours="`--target-ref`, number 1: no `kind`",
        spec={"targetRefs": [{"name": "front"}]},
        theirs="spec.targetRefs[0].kind: Required value",
    ),
    "a target's empty name": Broken(
        settings={"target_refs": [{"kind": "Gateway", "name": ""}]},
        ours="`--target-ref`, number 1: no `name`",
        spec={"targetRefs": [{**TARGET, "name": ""}]},
        theirs="spec.targetRefs[0].name in body should be at least 1 chars long",
    ),
    "a target elsewhere": Broken(
        settings={"target_refs": [{"kind": "Gateway", "name": "front", "namespace": "other"}]},
        ours="`--target-ref`, number 1: `namespace` has to be the object's own",
        spec={"targetRefs": [{**TARGET, "namespace": "other"}]},
        theirs="cross namespace referencing is not currently supported",
    ),
    "a target of another kind": Broken(
        settings={"target_refs": [{"kind": "Deployment", "name": "front"}]},
        ours="`--target-ref`, number 1: `Deployment` is no kind that a plug-in attaches to",
        spec={"targetRefs": [{"group": "apps", "kind": "Deployment", "name": "front"}]},
        theirs=None,
        since=WEBHOOK,
    ),
    "a target of another group": Broken(
        settings={"target_refs": [{"kind": "Gateway", "name": "x", "group": "example.com"}]},
        ours="`Gateway` is of the group `gateway.networking.k8s.io`, not `example.com`",
        spec={"targetRefs": [{"group": "example.com", "kind": "Gateway", "name": "x"}]},
        theirs=None,
        since=WEBHOOK,
    ),
    "a target's name that is none": Broken(
        settings={"target_refs": [{"kind": "Gateway", "name": "Front_Door"}]},
        ours="`--target-ref`, number 1: `Front_Door` is not a name that Kubernetes takes",
        spec={"targetRefs": [{**TARGET, "name": "Front_Door"}]},
        theirs=None,
        since="no object can have that name",
    ),
    "an unknown key of a target": Broken(
        settings={"target_refs": [{"kind": "Gateway", "nam": "front"}]},
        ours="`--target-ref`, number 1: unknown key `nam`",
        spec={"targetRefs": [{**TARGET, "nam": "front"}]},
        theirs="field not declared in schema",
    ),
    "seventeen targets": Broken(
        settings={"target_refs": [{"kind": "Service", "name": f"s{n}"} for n in range(17)]},
        ours="`--target-ref`: 17 objects, and 16 are the most",
        spec={"targetRefs": [{"kind": "Service", "name": f"s{n}"} for n in range(17)]},
        theirs="must have at most 16 items",
    ),
    "a wildcard for a label": Broken(
        settings={"selector": {"istio": "ingress*"}},
        ours="`--selector`: `deploy.selector.istio` must be a label's value",
        spec={"selector": {"matchLabels": {"istio": "ingress*"}}},
        theirs="wildcard not allowed in label value match",
    ),
    "a wildcard in a label's name": Broken(
        settings={"selector": {"istio*": "x"}},
        ours="`--selector`: `deploy.selector.istio*` must be a label's name",
        spec={"selector": {"matchLabels": {"istio*": "x"}}},
        theirs="wildcard not allowed in label key match",
    ),
    "a label without a name": Broken(
        settings={"selector": {"": "x"}},
        ours="must be a label's name",
        spec={"selector": {"matchLabels": {"": "x"}}},
        theirs="key must not be empty",
    ),
    "a label that is too long": Broken(
        settings={"selector": {"a": "b" * 64}},
        ours="`deploy.selector.a` must be a label's value",
        spec={"selector": {"matchLabels": {"a": "b" * 64}}},
        theirs="may not be more than 63 bytes",
    ),
    "4097 labels": Broken(
        settings={"selector": {f"l{n}": "x" for n in range(4097)}},
        ours="`--selector`: 4097 labels, and 4096 are the most",
        spec={"selector": {"matchLabels": {f"l{n}": "x" for n in range(4097)}}},
        theirs="must have at most 4096 items",
    ),
    "a label that is none": Broken(
        settings={"selector": {"app": "my shop"}},
        ours="`deploy.selector.app` must be a label's value",
        spec={"selector": {"matchLabels": {"app": "my shop"}}},
        theirs=None,
        since=NO_POD,
    ),
    "a label's name that is none": Broken(
        settings={"selector": {"a/b/c": "x"}},
        ours="must be a label's name",
        spec={"selector": {"matchLabels": {"a/b/c": "x"}}},
        theirs=None,
        since=NO_POD,
    ),
    "an unknown phase": Broken(
        settings={"phase": "AUTH"},
        ours="`--phase`: `deploy.phase` must be one of `AUTHN`, `AUTHZ` or `STATS`",
        spec={"phase": "AUTH"},
        theirs='spec.phase: Unsupported value: "AUTH"',
    ),
    "a phase that is no text": Broken(
        settings={"phase": 1},
        ours="`deploy.phase` must be one of",
        spec={"phase": 1},
        theirs="phase",
    ),
    "a priority that is text": Broken(
        settings={"priority": "10"},
        ours="`--priority`: `deploy.priority` must be a whole number",
        spec={"priority": "10"},
        theirs="priority",
    ),
    "a priority that is broken": Broken(
        settings={"priority": 1.5},
        ours="`deploy.priority` must be a whole number",
        spec={"priority": 1.5},
        theirs="priority",
    ),
    "a priority of more than 32 bits": Broken(
        settings={"priority": 2**31},
        ours="`deploy.priority` must be a number of 32 bits",
        spec={"priority": 2**31},
        theirs=None,
        since="istiod reads an int32, and cannot read the object",
    ),
    "an unknown mode": Broken(
        settings={"match": [{"mode": "INBOUND"}]},
        ours="`--match`, number 1: `mode` must be",
        spec={"match": [{"mode": "INBOUND"}]},
        theirs='spec.match[0].mode: Unsupported value: "INBOUND"',
    ),
    "port 0": Broken(
        settings={"match": [{"ports": [80, 0]}]},
        ours="`--match`, number 1: `0` is no port",
        spec={"match": [{"ports": [{"number": 80}, {"number": 0}]}]},
        theirs="spec.match[0].ports[1].number in body should be greater than or equal to 1",
    ),
    "port 65536": Broken(
        settings={"match": [{"ports": [65536]}]},
        ours="`65536` is no port",
        spec={"match": [{"ports": [{"number": 65536}]}]},
        theirs="should be less than or equal to 65535",
    ),
    "a port that is text": Broken(
        settings={"match": [{"ports": ["http"]}]},
        ours="`http` is no port",
        spec={"match": [{"ports": [{"number": "http"}]}]},
        theirs="number",
    ),
    "a port twice": Broken(
        settings={"match": [{"ports": [80, 80]}]},
        ours="the port 80 stands there twice",
        spec={"match": [{"ports": [{"number": 80}, {"number": 80}]}]},
        theirs="duplicate",
    ),
    "an unknown key of match": Broken(
        settings={"match": [{"port": 80}]},
        ours="`--match`, number 1: unknown key `port`",
        spec={"match": [{"port": 80}]},
        theirs="field not declared in schema",
    ),
    "match of nothing": Broken(
        settings={"match": [{}]},
        ours="`--match`, number 1: neither `mode` nor `ports`",
        spec={"match": [{}]},
        theirs=None,
        since="it means all traffic, as no match does",
    ),
    "an unknown fail strategy": Broken(
        settings={"fail_strategy": "FAIL_CLOSED"},
        ours="`deploy.fail_strategy` must be one of".replace("_", "-", 1),
        spec={"failStrategy": "FAIL_CLOSED"},
        theirs='failStrategy: Unsupported value: "FAIL_CLOSED"',
    ),
    "an unknown pull policy": Broken(
        settings={"pull_policy": "Never"},
        ours="`deploy.pull-policy` must be one of",
        spec={"imagePullPolicy": "Never"},
        theirs='imagePullPolicy: Unsupported value: "Never"',
    ),
    "an unknown type": Broken(
        settings={"type": "TCP"},
        ours="`deploy.type` must be one of",
        spec={"type": "TCP"},
        theirs='type: Unsupported value: "TCP"',
    ),
    "an empty plug-in's name": Broken(
        settings={"plugin_name": ""},
        ours="`deploy.plugin-name` must be 1 to 256",
        spec={"pluginName": ""},
        theirs="pluginName in body should be at least 1 chars long",
    ),
    "a plug-in's name that is too long": Broken(
        settings={"plugin_name": "x" * 257},
        ours="`deploy.plugin-name` must be 1 to 256",
        spec={"pluginName": "x" * 257},
        theirs="may not be more than 256 bytes",
    ),
    "a plug-in's name of many bytes": Broken(
        settings={"plugin_name": "ü" * 129},
        ours="`deploy.plugin-name` must be 1 to 256",
        spec={"pluginName": "ü" * 129},
        theirs=None,
        since=f"{WEBHOOK}: it counts bytes",
    ),
    "an empty Secret's name": Broken(
        settings={"pull_secret": ""},
        ours="`deploy.pull-secret` must be a name that Kubernetes takes",
        spec={"imagePullSecret": ""},
        theirs="imagePullSecret in body should be at least 1 chars long",
    ),
    "a Secret's name that is too long": Broken(
        settings={"pull_secret": "a." * 127 + "a"},
        ours="`deploy.pull-secret` must be a name that Kubernetes takes",
        spec={"imagePullSecret": "a." * 127 + "a"},
        theirs="may not be more than 253 bytes",
    ),
    "a Secret's name that is none": Broken(
        settings={"pull_secret": "My_Secret"},
        ours="`deploy.pull-secret` must be a name that Kubernetes takes",
        spec={"imagePullSecret": "My_Secret"},
        theirs=None,
        since="no Secret can have that name",
    ),
    "a variable without a name": Broken(
        settings={"env": {"": "x"}},
        ours="must be a variable's name",
        spec={"vmConfig": {"env": [{"name": "", "value": "x"}]}},
        theirs="name in body should be at least 1 chars long",
    ),
    "a variable's name that is too long": Broken(
        settings={"env": {"A" * 257: "x"}},
        ours="must be a variable's name",
        spec={"vmConfig": {"env": [{"name": "A" * 257, "value": "x"}]}},
        theirs="may not be more than 256 bytes",
    ),
    "a variable that is too long": Broken(
        settings={"env": {"A": "x" * 2049}},
        ours="`deploy.env.A` must be a variable's value",
        spec={"vmConfig": {"env": [{"name": "A", "value": "x" * 2049}]}},
        theirs="may not be more than 2048 bytes",
    ),
    "a variable twice": Broken(
        settings={"env": {"A": "x"}, "host_env": ["A"]},
        ours="`--host-env`: `A` has a value of its own in `--env`",
        spec={"vmConfig": {"env": [{"name": "A", "value": "x"}, {"name": "A"}]}},
        theirs="duplicate",
    ),
    "a variable of the host twice": Broken(
        settings={"host_env": ["A", "A"]},
        ours="`--host-env`: `A` stands there twice",
        spec={"vmConfig": {"env": [{"name": "A", "valueFrom": "HOST"}] * 2}},
        theirs="duplicate",
    ),
    "257 variables": Broken(
        settings={"env": {f"V{n}": "x" for n in range(257)}},
        ours="`--env`: 257 variables, and 256 are the most",
        spec={"vmConfig": {"env": [{"name": f"V{n}"} for n in range(257)]}},
        theirs="must have at most 256 items",
    ),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("case", BROKEN)
def test_what_we_refuse_the_server_refuses(api_server: ApiServer, kind: str, case: str) -> None:
    broken = BROKEN[case]
    with pytest.raises(UsageError) as caught:
        written(kind, broken.settings)
    assert broken.ours in caught.value.message
    assert caught.value.hint
    status, answer = api_server.apply(raw(kind, api_server.new_namespace(), broken.spec))
    said = answer.get("message", "")
    if broken.theirs is None:
        assert (status, bool(broken.since)) == (201, True), said
    else:
        assert status in {400, 422, 500}, said
        assert broken.theirs.lower() in said.lower()


@pytest.mark.parametrize("config", ['"text"', "[1]", "null", "7", "true"])
def test_a_configuration_that_is_no_object(api_server: ApiServer, config: str) -> None:
    with pytest.raises(UsageError, match="`--config` is JSON, and no object"):
        read_object(config, "`--config`")
    spec = {"pluginConfig": json.loads(config)}
    status, answer = api_server.apply(raw("wasmplugin", api_server.new_namespace(), spec))
    assert status >= 400
    assert "pluginConfig" in answer["message"]


def test_the_server_keeps_a_number_that_istio_s_doubles_do_not(api_server: ApiServer) -> None:
    """What reaches the plug-in is a google.protobuf.Struct of istiod's, so we refuse it."""
    spec = {"pluginConfig": {"limit": 2**53 + 1}}
    document = raw("wasmplugin", api_server.new_namespace(), spec)
    assert api_server.apply(document)[0] == 201
    assert api_server.read(document)["spec"]["pluginConfig"] == {"limit": 2**53 + 1}
    assert float(2**53 + 1) == 2**53
    with pytest.raises(UsageError, match="`--config`, `limit`: 9007199254740993 becomes another"):
        read_object('{"limit": 9007199254740993}', "`--config`")


@pytest.mark.parametrize(
    "name", ["Header-Auth", "header_auth", "-a", "a-", "a..b", "a" * 64 + ".b", ""]
)
def test_names_that_kubernetes_refuses(api_server: ApiServer, name: str) -> None:
    document = raw("wasmplugin", api_server.new_namespace(), {})
    document["metadata"]["name"] = name
    with pytest.raises(UsageError, match=r"`--name`: `deploy.name` must be a name that Kubernetes"):
        written("wasmplugin", {"name": name})
    path = api_server.path_of(document).removesuffix(f"/{name}")
    status, answer = api_server.ask("POST", path, document)
    # A part of more than 63 characters is a DNS name's fault that the server does not see.
    assert status == (201 if len(name) > 63 else 422), answer
    if status == 422:
        assert "metadata.name" in answer["message"]


@pytest.mark.parametrize("name", ["Shop", "my_ns", "a.b", "a" * 64, "-a", ""])
def test_namespaces_that_kubernetes_refuses(api_server: ApiServer, name: str) -> None:
    with pytest.raises(UsageError, match=r"`deploy.namespace` must be a namespace"):
        written("wasmplugin", {"namespace": name})
    body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
    status, answer = api_server.ask("POST", "/api/v1/namespaces", body)
    assert status == 422, answer
    assert "name" in answer["message"]
