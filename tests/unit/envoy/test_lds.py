"""What Envoy reads from its run folder."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from wasmctl.envoy.bootstrap import Cluster, Listener, WasmPlugin
from wasmctl.envoy.lds import keep_authorities, keep_module, write_listeners
from wasmctl.errors import Unreadable

PLAIN = Cluster(name="up", host="example.com", port=80)
SECURE = Cluster(name="up", host="example.com", port=443, tls=True)


def test_listeners_are_moved_into_a_folder_of_their_own(tmp_path: Path) -> None:
    first = write_listeners(tmp_path, (), 1)
    second = write_listeners(tmp_path, (Listener(name="one"),), 2)
    assert first == second
    assert [*second.parent.iterdir()] == [second]
    made = json.loads(second.read_text())
    assert made["version_info"] == "2"
    assert [one["name"] for one in made["resources"]] == ["one"]


def test_modules_are_kept_by_content(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    module = tmp_path / "plugin.wasm"

    def kept(content: bytes) -> Path:
        module.write_bytes(content)
        path = keep_module(WasmPlugin(name="x", module=module), folder).module
        assert isinstance(path, Path)
        assert path.read_bytes() == content
        return path

    first, second = kept(b"one"), kept(b"two")
    assert first != second
    assert kept(b"one") == first
    assert first.parent == second.parent == folder / "modules"


def test_a_module_in_memory_stays_there(tmp_path: Path) -> None:
    plugin = WasmPlugin(name="x", module=b"bytes")
    assert keep_module(plugin, tmp_path) is plugin


def test_authorities_are_those_of_the_environment(tmp_path: Path) -> None:
    bundle = tmp_path / "ca.pem"
    bundle.write_text("certificates")
    kept = keep_authorities(SECURE, tmp_path, {"SSL_CERT_FILE": str(bundle)})
    assert kept.authorities == tmp_path / "authorities.pem"
    assert kept.authorities.read_text() == "certificates"


def test_without_a_word_authorities_are_the_systems(tmp_path: Path) -> None:
    kept = keep_authorities(SECURE, tmp_path, {})
    assert kept.authorities is not None
    assert "BEGIN CERTIFICATE" in kept.authorities.read_text()


def test_a_cluster_without_tls_needs_no_authorities(tmp_path: Path) -> None:
    assert keep_authorities(PLAIN, tmp_path, {"SSL_CERT_FILE": "/absent"}) == PLAIN


def test_authorities_that_are_not_there_are_told(tmp_path: Path) -> None:
    with pytest.raises(Unreadable, match="the authorities in `/absent` cannot be read"):
        keep_authorities(SECURE, tmp_path, {"SSL_CERT_FILE": "/absent"})
