"""An upstream behind TLS: believed when its certificate is its own, refused else."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.integration.proxies import get, listening, logging, once, started
from tests.integration.registries import make_certificate
from wasmctl.envoy.bootstrap import Cluster

pytestmark = pytest.mark.envoy


@contextlib.asynccontextmanager
async def secure_server(folder: Path) -> AsyncIterator[int]:
    """Answer every request behind TLS; yield the port."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 6\r\nconnection: close\r\n\r\nsecret")
            await writer.drain()
        writer.close()
        with contextlib.suppress(ConnectionError, ssl.SSLError):
            await writer.wait_closed()

    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    server = await asyncio.start_server(answer, "127.0.0.1", 0, ssl=context)
    async with server:
        yield server.sockets[0].getsockname()[1]


@pytest.mark.parametrize(
    ("certified", "asked", "status"),
    [
        ("localhost", "localhost", 200),
        ("127.0.0.1", "127.0.0.1", 200),
        ("other.example.com", "localhost", 503),
        ("localhost", "127.0.0.1", 503),
    ],
)
def test_only_the_server_that_is_named_is_believed(
    tmp_path: Path, certified: str, asked: str, status: int
) -> None:
    make_certificate(tmp_path, name=certified)

    async def test() -> None:
        async with secure_server(tmp_path) as port:
            authorities = tmp_path / "ca.pem"
            cluster = Cluster(name="up", host=asked, port=port, tls=True, authorities=authorities)
            async with started(tmp_path / "run", clusters=[cluster]) as proxy:
                await proxy.load([listening("one", logging("x"), cluster="up")])
                answer = await get(proxy.addresses["one"])
                assert answer.status == status
                assert (b"secret" in answer.body) == (status == 200)

    (tmp_path / "run").mkdir()
    once(test)


def test_an_unknown_authority_is_not_believed(tmp_path: Path) -> None:
    make_certificate(tmp_path, name="localhost")

    async def test() -> None:
        async with secure_server(tmp_path) as port:
            cluster = Cluster(name="up", host="localhost", port=port, tls=True)
            async with started(tmp_path / "run", clusters=[cluster]) as proxy:
                await proxy.load([listening("one", logging("x"), cluster="up")])
                assert (await get(proxy.addresses["one"])).status == 503

    (tmp_path / "run").mkdir()
    once(test)
