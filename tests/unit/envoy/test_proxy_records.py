"""What a proxy keeps of its log."""

from __future__ import annotations

from pathlib import Path
from typing import cast

from wasmctl.envoy.envoy import Envoy
from wasmctl.envoy.proxy import Proxy
from wasmctl.process import Service

ENVOY = Envoy(version="1.40.0", command=("envoy",), origin="nowhere")


def proxy_with_log(folder: Path, *texts: str) -> Proxy:
    more(folder, *texts)
    return Proxy(ENVOY, cast("Service", None), folder, drains=False)


def more(folder: Path, *texts: str) -> None:
    with (folder / "envoy.log").open("a") as log:
        log.writelines(f"[2026-11-21 11:00:00.123][info][wasm] {text}\n" for text in texts)


def test_records_are_told_once(tmp_path: Path) -> None:
    proxy = proxy_with_log(tmp_path, "one", "two")
    assert [record.message for record in proxy.new_records()] == ["one", "two"]
    assert proxy.new_records() == ()
    more(tmp_path, "three")
    assert [record.message for record in proxy.new_records()] == ["three"]


def test_our_own_mark_is_not_told(tmp_path: Path) -> None:
    proxy = proxy_with_log(tmp_path, "wasm log barrier wasmctl-barrier: barrier", "one")
    assert [record.message for record in proxy.new_records()] == ["one"]
    assert proxy.tail() == "[2026-11-21 11:00:00.123] [info] [wasm] one"


def test_of_a_long_log_the_end_is_remembered(tmp_path: Path) -> None:
    """A served plug-in may log for days."""
    proxy = proxy_with_log(tmp_path)
    for number in range(5):
        more(tmp_path, *(f"{number}-{line}" for line in range(700)))
        told = proxy.new_records()
        assert [told[0].message, told[-1].message] == [f"{number}-0", f"{number}-699"]
        assert len(told) == 700
    assert len(proxy._seen) == 1000
    assert proxy.tail(1).endswith("4-699")
