"""A real Envoy: started, given listeners, asked, broken and ended."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import time
from pathlib import Path

import psutil
import pytest

from tests.integration.envoys import WITHOUT_WASM
from tests.integration.proxies import (
    ENV,
    LOOP,
    answering,
    envoy_beside,
    get,
    listening,
    logging,
    once,
    started,
    unpacked,
)
from tests.integration.streams import receive_until
from wasmctl.envoy.bootstrap import Cluster, Listener, Service, WasmPlugin
from wasmctl.envoy.envoy import Envoy
from wasmctl.envoy.logs import plugin_line
from wasmctl.envoy.proxy import Loaded, Proxy, Rejected, Stuck, running
from wasmctl.errors import ProxyError, Unreadable, UsageError, WasmctlError
from wasmctl.wire.messages import Broken, Received, Reply
from wasmctl.wire.server import serve
from wasmctl.wire.tcp import Stream, connect, listen

pytestmark = pytest.mark.envoy

NO_PLUGIN = b"\0asm\1\0\0\0"
TRAP = answering("proxy_on_request_headers", "i32 i32 i32 -> i32", b"\x00")


def texts(proxy_records: object) -> list[tuple[str, str]]:
    """Return VM and text of the plug-ins' lines."""
    assert isinstance(proxy_records, tuple)
    lines = [plugin_line(record) for record in proxy_records]
    return [(line.vm_id, line.text) for line in lines if line is not None]


async def loaded(proxy: Proxy, *listeners: Listener) -> list[tuple[str, int]]:
    """Load listeners that must load; return where they listen."""
    outcomes = await proxy.load(listeners)
    found = [outcomes[one.name] for one in listeners]
    addresses = [one.address for one in found if isinstance(one, Loaded)]
    assert len(addresses) == len(found), found
    return addresses


@pytest.mark.parametrize("release", ["beside", "1.36.2"])
def test_listeners_come_and_go(tmp_path: Path, release: str) -> None:
    async def test() -> None:
        envoy = envoy_beside() if release == "beside" else unpacked(release)
        async with started(tmp_path, envoy=envoy) as proxy:
            one, two = listening("one", logging("uno")), listening("two", logging("due"))
            (first,) = await loaded(proxy, one)
            again, second = await loaded(proxy, one, two)
            assert again == first
            assert proxy.addresses == {"one": first, "two": second}
            assert (await get(first)).status == (await get(second)).status == 200
            assert texts(await proxy.barrier()) == [("one", "uno"), ("two", "due")]
            await loaded(proxy, two)
            assert proxy.addresses == {"two": second}
            with pytest.raises(Broken, match="refused"):
                await get(first)
        assert proxy.exit_code == 0

    once(test)


@pytest.mark.parametrize("release", ["beside", "1.36.2"])
def test_a_refused_listener_is_told_with_its_own_reason(tmp_path: Path, release: str) -> None:
    async def test() -> None:
        envoy = envoy_beside() if release == "beside" else unpacked(release)
        async with started(tmp_path, envoy=envoy) as proxy:
            outcomes = await proxy.load(
                [
                    listening("good", logging("good")),
                    listening("bare", NO_PLUGIN),
                    listening("text", b"no module"),
                    listening("also", logging("also")),
                ]
            )
            kinds = [type(outcomes[name]) for name in ("good", "bare", "text", "also")]
            assert kinds == [Loaded, Rejected, Rejected, Loaded]
            for name in ("bare", "text"):
                refused = outcomes[name]
                assert isinstance(refused, Rejected)
                assert refused.details == f"Unable to create Wasm plugin {name}"
                words = " ".join(record.message for record in refused.records)
                assert ("Missing or unknown Proxy-Wasm ABI version" in words) == (name == "bare")
                assert f"Plugin {name} failed to load" in words
            assert sorted(proxy.addresses) == ["also", "good"]
            for name in ("also", "good"):
                await get(proxy.addresses[name])
            assert texts(await proxy.barrier()) == [("also", "also"), ("good", "good")]

    once(test)


def test_a_refused_change_leaves_the_earlier_form_serving(tmp_path: Path) -> None:
    async def test() -> None:
        async with started(tmp_path) as proxy:
            (address,) = await loaded(proxy, listening("one", logging("before")))
            outcomes = await proxy.load([listening("one", NO_PLUGIN)])
            assert isinstance(outcomes["one"], Rejected)
            assert proxy.addresses == {"one": address}
            proxy.new_records()
            await get(address)
            assert texts(await proxy.barrier()) == [("one", "before")]

    once(test)


def test_a_module_that_changes_in_place_is_a_change(tmp_path: Path) -> None:
    async def test() -> None:
        module = tmp_path / "plugin.wasm"
        module.write_bytes(logging("before"))
        async with started(tmp_path / "run") as proxy:
            (address,) = await loaded(proxy, listening("one", module))
            module.write_bytes(logging("after"))
            await get(address)
            assert texts(await proxy.barrier()) == [("one", "before")]
            assert await loaded(proxy, listening("one", module)) == [address]
            await get(address)
            assert texts(await proxy.barrier()) == [("one", "after")]

    (tmp_path / "run").mkdir()
    once(test)


def test_vms_of_removed_listeners_are_gone_at_once(tmp_path: Path) -> None:
    async def active(proxy: Proxy) -> int:
        return (await proxy.metrics())["wasm.envoy.wasm.runtime.v8.active"]

    async def test() -> None:
        async with started(tmp_path) as proxy:
            await loaded(proxy)
            before = await active(proxy)
            await loaded(proxy, *(listening(f"vm{n}", logging("x")) for n in range(4)))
            assert await active(proxy) >= before + 8
            await loaded(proxy)
            await proxy.barrier()
            assert await active(proxy) == before

    once(test)


def test_requests_in_flight_are_answered_while_the_module_is_replaced(tmp_path: Path) -> None:
    arrived, may_answer = asyncio.Event(), asyncio.Event()

    async def slow(received: Received) -> Reply:
        if received.path == "/slow":
            arrived.set()
            await may_answer.wait()
        return Reply(body=(b"done",))

    async def test() -> None:
        async with serve(slow) as upstream:
            cluster = Cluster(name="up", host=upstream.host, port=upstream.port)
            async with started(tmp_path, clusters=[cluster], drain_seconds=30) as proxy:
                before = listening("one", logging("before"), cluster="up")
                (address,) = await loaded(proxy, before)
                flying = asyncio.create_task(get(address, "/slow"))
                kept = await connect(*address)
                await ask_again(kept)
                await arrived.wait()
                after = listening("one", logging("after"), cluster="up")
                assert await loaded(proxy, after) == [address]
                await get(address, "/")
                assert not flying.done()
                may_answer.set()
                assert (await flying).body == b"done"
                assert b"connection: close" in await ask_again(kept)
                kept.close()
                assert texts(await proxy.barrier())[-2:] == [("one", "after"), ("one", "before")]

    async def ask_again(stream: Stream) -> bytes:
        stream.write(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
        gathered = await receive_until(stream, lambda data: data.endswith(b"done"), timeout=5)
        return gathered.data.lower()

    once(test)


def test_tcp_goes_through_the_plugin_to_the_cluster(tmp_path: Path) -> None:
    async def test() -> None:
        async with listen() as server:
            cluster = Cluster(name="up", host="127.0.0.1", port=server.port)
            async with started(tmp_path, clusters=[cluster]) as proxy:
                module = logging("connected", function="proxy_on_vm_start")
                plugin = WasmPlugin(name="t", module=module, vm_id="t")
                both = [
                    Listener(name="up", kind="tcp", plugins=(plugin,), cluster="up"),
                    Listener(name="echo", kind="tcp", plugins=(plugin,)),
                ]
                through, echoing = await loaded(proxy, *both)
                client = await connect(*through)
                client.write(b"ping")
                accepted = await server.accept()
                assert (await receive_until(accepted, 4, timeout=5)).data == b"ping"
                accepted.write(b"pong")
                assert (await receive_until(client, 4, timeout=5)).data == b"pong"
                echoed = await connect(*echoing)
                echoed.write(b"echo")
                assert (await receive_until(echoed, 4, timeout=5)).data == b"echo"
                for stream in (client, accepted, echoed):
                    stream.close()
                assert set(texts(await proxy.barrier())) == {("t", "connected")}

    once(test)


@pytest.mark.parametrize(
    "text",
    [
        "one\ntwo\r\n\tthree",
        "quotes ' \" and \\n slashes",
        "caf\u00e9 \U0001f512",
        "[info][wasm] wasm log a: b",
        "x" * 30_000,
    ],
    ids=["lines", "quotes", "letters", "a record's own form", "much"],
)
def test_what_a_plugin_logs_arrives_as_it_was_said(tmp_path: Path, text: str) -> None:
    async def test() -> None:
        async with started(tmp_path) as proxy:
            (address,) = await loaded(proxy, listening("one", logging(text)))
            await get(address)
            assert texts(await proxy.barrier()) == [("one", text)]

    once(test)


def test_bytes_that_are_no_text_are_shown(tmp_path: Path) -> None:
    async def test() -> None:
        module = logging("odd @@ byte").replace(b"@@", b"\xff\x00")
        async with started(tmp_path) as proxy:
            (address,) = await loaded(proxy, listening("one", module))
            await get(address)
            assert texts(await proxy.barrier()) == [("one", "odd \\xff\x00 byte")]

    once(test)


@pytest.mark.parametrize("level", [0, 1, 2, 3, 4, 5])
def test_levels_are_told(tmp_path: Path, level: int) -> None:
    async def test() -> None:
        async with started(tmp_path, wasm_log_level="trace") as proxy:
            (address,) = await loaded(proxy, listening("one", logging("said", level=level)))
            await get(address)
            lines = [plugin_line(record) for record in await proxy.barrier()]
            names = ("trace", "debug", "info", "warning", "error", "critical")
            assert [line.level for line in lines if line] == [names[level]]

    once(test)


def test_a_plugin_that_never_returns_from_its_configuration_is_told(tmp_path: Path) -> None:
    async def test() -> None:
        module = answering("proxy_on_configure", "i32 i32 -> i32", LOOP)
        started_at = time.monotonic()
        async with started(tmp_path) as proxy:
            with pytest.raises(Stuck, match="does not return while it is loaded"):
                await proxy.load([listening("one", module)], timeout=0.5)
        assert time.monotonic() - started_at < 20

    once(test)


def test_a_plugin_that_never_returns_from_a_request_is_told(tmp_path: Path) -> None:
    async def passing(proxy: Proxy) -> None:
        while True:  # until the request has reached the worker
            await proxy.barrier(timeout=0.5)

    async def test() -> None:
        module = answering("proxy_on_request_headers", "i32 i32 i32 -> i32", LOOP)
        async with started(tmp_path) as proxy:
            (address,) = await loaded(proxy, listening("one", module))
            asking = asyncio.create_task(get(address))
            with pytest.raises(Stuck, match="does not return on a request"):
                await passing(proxy)
            with pytest.raises(Broken):
                await asking

    once(test)


def test_a_trap_does_not_stop_the_worker(tmp_path: Path) -> None:
    async def test() -> None:
        async with started(tmp_path) as proxy:
            (address,) = await loaded(proxy, listening("one", TRAP))
            assert (await get(address)).status == 503
            messages = [record.message for record in await proxy.barrier()]
            assert any("proxy_on_request_headers failed" in message for message in messages)

    once(test)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV])
def test_an_envoy_that_is_killed_is_noticed(tmp_path: Path, number: signal.Signals) -> None:
    async def test() -> None:
        async with started(tmp_path) as proxy:
            await loaded(proxy, listening("one", logging("x")))
            ending = asyncio.create_task(proxy.ended())
            os.kill(proxy._process.pid, number)
            error = await asyncio.wait_for(ending, 5)
            assert isinstance(error, ProxyError)
            assert error.code == "envoy-ended"
            assert f"ended by {number.name}" in error.message
            assert str(tmp_path) in (error.hint or "")
            for call in (proxy.barrier, proxy.metrics, proxy.check):
                with pytest.raises(ProxyError, match=number.name):
                    await call()
            with pytest.raises(ProxyError, match=number.name):
                await proxy.load([listening("two", logging("x"))])

    once(test)


async def failure_of(envoy: Envoy, folder: Path, **options: object) -> WasmctlError:
    """Return the error with which an Envoy does not start."""
    with pytest.raises(WasmctlError) as caught:
        async with running(envoy, folder=folder, env=ENV, **options):  # type: ignore[arg-type]
            pass
    return caught.value


def test_an_envoy_that_ends_at_once_is_told_with_its_words(tmp_path: Path) -> None:
    async def test() -> None:
        known = envoy_beside()
        envoy = Envoy(version="1.40.0", command=(*known.command, "--bad"), origin="here")
        error = await failure_of(envoy, tmp_path)
        assert isinstance(error, ProxyError)
        assert error.message == "Envoy 1.40.0 (here) ended with exit code 1"
        assert "--bad" in error.output
        assert str(tmp_path) in (error.hint or "")

    once(test)


def test_an_envoy_that_never_serves_is_told(tmp_path: Path) -> None:
    async def test() -> None:
        script = tmp_path / "envoy"
        script.write_text("#!/bin/sh\necho waiting; sleep 60\n")
        script.chmod(0o755)
        envoy = Envoy(version="0", command=(str(script),), origin="here")
        error = await failure_of(envoy, tmp_path, timeout=0.3)
        assert error.code == "envoy-silent"
        assert error.output == "waiting"

    once(test)


def test_a_c_library_that_is_too_old_is_told(tmp_path: Path) -> None:
    async def test() -> None:
        script = tmp_path / "envoy"
        words = "envoy: /lib/libc.so.6: version `GLIBC_2.38' not found (required by envoy)"
        script.write_text(f'#!/bin/sh\necho "{words.replace("`", chr(92) + "`")}" >&2; exit 1\n')
        script.chmod(0o755)
        envoy = Envoy(version="1.40.0", command=(str(script),), origin="here")
        error = await failure_of(envoy, tmp_path)
        assert error.code == "envoy-not-runnable"
        assert "GLIBC_2.38" in error.message

    once(test)


def test_an_envoy_without_wasm_is_told(tmp_path: Path) -> None:
    async def test() -> None:
        error = await failure_of(unpacked(WITHOUT_WASM), tmp_path)
        assert error.code == "envoy-without-wasm"
        assert error.message == f"Envoy {WITHOUT_WASM} was built without Wasm"

    once(test)


def test_a_service_that_envoy_refuses_ends_it(tmp_path: Path) -> None:
    async def test() -> None:
        plugin = WasmPlugin(name="background", module=NO_PLUGIN)
        service = Service(plugin=plugin, singleton=True)
        error = await failure_of(envoy_beside(), tmp_path, services=[service])
        assert error.code == "envoy-ended"
        assert "background" in error.output

    once(test)


def test_a_port_that_another_program_has_is_told(tmp_path: Path) -> None:
    async def test() -> None:
        async with started(tmp_path) as proxy:
            listener = Listener(name="one", port=port)
            with pytest.raises(UsageError) as caught:
                await proxy.load([listener])
            assert caught.value.code == "port-taken"
            assert caught.value.message == f"another program listens at 127.0.0.1:{port}"
        error = await failure_of(envoy_beside(), tmp_path / "second", admin_port=port)
        assert isinstance(error, UsageError)
        assert error.message == f"another program listens at 127.0.0.1:{port}"

    (tmp_path / "second").mkdir()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        once(test)


def test_a_port_is_not_shared_with_another_envoy(tmp_path: Path) -> None:
    async def test() -> None:
        (tmp_path / "two").mkdir()
        async with started(tmp_path) as first, started(tmp_path / "two") as second:
            (address,) = await loaded(first, Listener(name="one"))
            with pytest.raises(UsageError, match="another program listens at"):
                await second.load([Listener(name="one", port=address[1])])

    once(test)


def test_fixed_ports_are_taken(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]

    async def test() -> None:
        async with started(tmp_path, admin_port=port) as proxy:
            assert proxy.admin_port == port

    once(test)


def test_a_module_that_is_not_there_is_told(tmp_path: Path) -> None:
    async def test() -> None:
        async with started(tmp_path) as proxy:
            with pytest.raises(Unreadable, match="cannot be read: no such file"):
                await proxy.load([listening("one", tmp_path / "absent.wasm")])
            await proxy.check()

    once(test)


def test_several_envoys_run_at_once(tmp_path: Path) -> None:
    async def one(number: int) -> None:
        folder = tmp_path / str(number)
        folder.mkdir()
        async with started(folder) as proxy:
            (address,) = await loaded(proxy, listening("same", logging(str(number))))
            await get(address)
            assert texts(await proxy.barrier()) == [("same", str(number))]

    async def test() -> None:
        await asyncio.gather(*map(one, range(3)))

    once(test)


def test_a_cancelled_run_leaves_nothing_behind(tmp_path: Path) -> None:
    pids: list[int] = []

    async def test() -> None:
        async with started(tmp_path) as proxy:
            pids.append(proxy._process.pid)
            await asyncio.sleep(60)

    async def interrupted() -> None:
        running_test = asyncio.create_task(test())
        while not pids:
            await asyncio.sleep(0.01)
        running_test.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running_test

    once(interrupted)
    assert not psutil.pid_exists(pids[0])


def test_the_run_folder_holds_what_envoy_was_given(tmp_path: Path) -> None:
    async def test() -> None:
        async with started(tmp_path) as proxy:
            await loaded(proxy, listening("one", logging("x")))

    once(test)
    names = {path.name for path in tmp_path.iterdir()}
    assert {"bootstrap.json", "lds", "envoy.log"} <= names
    assert [path.name for path in (tmp_path / "lds").iterdir()] == ["listeners.json"]
