"""What is allowed and seldom meant is warned of."""

from __future__ import annotations

import pytest

from wasmctl.deploy.deployment import Deployment, TargetRef
from wasmctl.deploy.kinds import OBJECT_KINDS, check_kinds
from wasmctl.deploy.notices import notices_of
from wasmctl.deploy.plan import object_name
from wasmctl.errors import UsageError
from wasmctl.oci.reference import parse_reference

IMAGE = "ghcr.io/acme/x:1.0@sha256:" + "a" * 64
CLASS = TargetRef(group="gateway.networking.k8s.io", kind="GatewayClass", name="w")


def notices(
    image: str = IMAGE,
    *,
    kind: str = "wasmplugin",
    targets: tuple[str, ...] = (),
    namespace: str = "shop",
    refs: tuple[TargetRef, ...] = (),
    selector: tuple[str, ...] = (),
    reload: bool = False,
) -> list[str]:
    deployment = Deployment(
        name="x",
        namespace=namespace,
        url=f"oci://{image}",
        env={},
        selector=dict.fromkeys(selector, "x"),
        target_refs=refs,
        fail_strategy="FAIL_RELOAD" if reload else None,
    )
    reference = parse_reference(image, require_registry=True)
    return [*notices_of(deployment, OBJECT_KINDS[kind], reference, targets)]


def test_what_is_meant_is_not_warned_of() -> None:
    assert notices() == []
    assert notices(namespace="istio-system", selector=("istio",)) == []
    assert notices(namespace="istio-system", refs=(CLASS,)) == []
    assert notices(reload=True, targets=("istio-1.27", "envoy-1.36", "gcp", "istio")) == []
    assert notices(kind="trafficextension", targets=("istio-1.30",)) == []


def test_the_whole_mesh_is_told() -> None:
    (said,) = notices(namespace="istio-system")
    assert "every proxy of the mesh gets the plug-in" in said


@pytest.mark.parametrize("host", ["localhost:5000", "127.0.0.1:5000", "[::1]:5000", "a.localhost"])
def test_a_registry_of_this_machine_is_told(host: str) -> None:
    (said,) = notices(f"{host}/acme/x:1.0@sha256:{'a' * 64}")
    assert said.startswith(f"`{host}` is, in the cluster, whoever fetches the image itself")


def test_the_tag_latest_is_told() -> None:
    (said,) = notices(IMAGE.replace(":1.0", ":latest"))
    assert said.startswith("the tag `latest` tells nobody")


def test_a_gateway_class_outside_the_root_namespace_is_told() -> None:
    (said,) = notices(refs=(CLASS,))
    assert "counts in the mesh's root namespace only" in said


def test_what_a_target_does_not_know_is_told() -> None:
    (said,) = notices(kind="trafficextension", targets=("istio-1.27",))
    assert said == "TrafficExtension came with Istio 1.30; `istio-1.27` does not know it"
    (said,) = notices(reload=True, targets=("asm-1.22", "istio-1.28"))
    assert said == "FAIL_RELOAD came with Istio 1.27; `asm-1.22` refuses it"


@pytest.mark.parametrize(
    ("plugin", "name"),
    [("header-auth", "header-auth"), ("header_auth", "header-auth"), ("Auth.V2", "auth.v2")],
)
def test_an_object_is_called_as_the_plug_in(plugin: str, name: str) -> None:
    assert object_name(plugin) == name


@pytest.mark.parametrize("plugin", ["_auth", "auth-", "a..b", "Ä"])
def test_a_plug_in_s_name_may_be_none_for_an_object(plugin: str) -> None:
    with pytest.raises(UsageError, match="is none for an object of Kubernetes") as caught:
        object_name(plugin)
    assert caught.value.hint == "name the object: `--name`, or `[deploy] name`"


def test_kinds_are_written_once_and_in_the_order_of_the_table() -> None:
    given = ["trafficextension", "wasmplugin", "pull-secret", "wasmplugin"]
    assert check_kinds(given, "`--kind`") == ("pull-secret", "wasmplugin", "trafficextension")


@pytest.mark.parametrize(
    ("given", "said", "hint"),
    [
        (["WasmPlugin"], "`--kind`: `WasmPlugin` is no kind", "did you mean `wasmplugin`?"),
        (["pod"], "`--kind`: `pod` is no kind of manifest", "there are `pull-secret`"),
        (["envoy", "wasmplugin"], "`envoy` is a file for Envoy", "write them in two runs"),
    ],
)
def test_other_kinds_are_refused(given: list[str], said: str, hint: str) -> None:
    with pytest.raises(UsageError) as caught:
        check_kinds(given, "`--kind`")
    assert said in caught.value.message
    assert (caught.value.hint or "").startswith(hint)
