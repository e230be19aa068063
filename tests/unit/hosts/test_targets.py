"""What targets are called, and what each of them runs."""

from __future__ import annotations

import json

import pytest

from tests.conftest import ROOT
from wasmctl.errors import UsageError
from wasmctl.hosts.host import ABIS, releases
from wasmctl.hosts.targets import KINDS, find_targets, target_names


def names(*wanted: str) -> list[str]:
    return [target.name for target in find_targets(wanted)]


def test_no_name_stands_for_every_target() -> None:
    assert {target.kind for target in find_targets()} == {*KINDS}
    assert names() == names(*KINDS)


def test_a_kind_stands_for_all_its_releases() -> None:
    assert names("envoy") == [f"envoy-1.{minor}" for minor in range(33, 41)]
    assert names("gcp") == ["gcp"]


def test_targets_are_told_once_in_the_order_of_their_names() -> None:
    assert names("istio-1.27", "envoy-1.36", "istio-1.27") == ["istio-1.27", "envoy-1.36"]


@pytest.mark.parametrize(
    ("name", "envoy"),
    [
        ("istio-1.27", "1.35"),
        ("istio-1.28.3", "1.36"),
        ("asm-1.25", "1.33"),
        ("envoy-gateway-1.5", "1.35"),
        ("envoy-1.36.3", "1.36.3"),
    ],
)
def test_a_target_has_its_envoy(name: str, envoy: str) -> None:
    (target,) = find_targets([name])
    assert target.name == name
    assert target.envoy == envoy
    assert target.host is not None


def test_a_minor_is_its_newest_patch_that_has_wasm() -> None:
    assert releases()["1.38.3"].host is None
    minor, with_wasm, without = find_targets(["envoy-1.38", "envoy-1.38.2", "envoy-1.38.3"])
    assert minor.host == with_wasm.host
    assert without.host is None


def test_what_was_not_measured_says_so() -> None:
    measured = {target.name: target.host and target.host.measured for target in find_targets()}
    assert not measured["envoy-1.35"]
    assert measured["envoy-1.36"]
    assert not measured["higress-2.1"]
    assert not measured["gcp"]


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("itsio-1.27", "did you mean `istio-1.27`? "),
        ("Envoy-1.36", "did you mean `envoy-1.36`? "),
        ("envoy-1.40.0.0", "did you mean `envoy-1.40.0`? "),
        ("wasmtime", ""),
        ("", ""),
    ],
)
def test_an_unknown_name_is_told_with_what_may_be_meant(name: str, meant: str) -> None:
    with pytest.raises(UsageError) as raised:
        find_targets([name])
    assert raised.value.code == "unknown-target"
    assert raised.value.hint is not None
    assert raised.value.hint.startswith(f"{meant}A target is one of `envoy-1.36`")


def test_every_name_that_is_offered_is_a_target() -> None:
    offered = target_names()
    assert len({*offered}) == len(offered)
    assert {"istio", "envoy-1.36.3", "gcp"} <= {*offered}
    for name in offered:
        assert find_targets([name])


def test_patches_of_one_minor_have_the_same() -> None:
    """What makes a minor a target."""
    by_minor: dict[str, list[object]] = {}
    for version, release in releases().items():
        if release.host is not None:
            by_minor.setdefault(version.rpartition(".")[0], []).append(release.host)
    assert len(by_minor) == 5
    assert all(host == hosts[0] for hosts in by_minor.values() for host in hosts)


def test_hosts_have_what_every_plugin_needs() -> None:
    for target in find_targets():
        assert target.host is not None
        for abi in ABIS:
            assert target.host.imports[abi]["env.proxy_log"] == "i32 i32 i32 -> i32"
            assert target.host.exports[abi]["proxy_on_memory_allocate"] == "i32 -> i32"
        assert {"i32", "i64", "f32", "f64"} <= target.host.taken


def test_every_measured_release_knows_the_same_abis() -> None:
    table = json.loads((ROOT / "wasmctl/hosts/measured.json").read_bytes())
    assert {tuple(one["markers"]) for one in table["profiles"].values()} == {ABIS}
