"""Talks to Envoy's admin interface on this machine. Knows its paths, nothing of processes.

https://www.envoyproxy.io/docs/envoy/latest/operations/admin
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote

import h11

__all__ = ["Admin", "ListenerState", "fetch"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ListenerState:
    """What Envoy says of a listener from the LDS file.

    Args:
        warming: whether it is not served yet.
        draining: whether an earlier form of it still serves the connections that it has.
        refusal: why its last update was refused; None: it was not.
    """

    warming: bool
    draining: bool
    refusal: str | None


class Admin:
    """The admin interface at an address. Every method raises OSError where nobody answers."""

    def __init__(self, host: str, port: int) -> None:
        self.host = host
        self.port = port

    async def is_live(self) -> bool:
        """Return whether Envoy has done everything that it does before serving."""
        status, _ = await fetch(self.host, self.port, "/ready")
        return status == 200

    async def addresses(self) -> dict[str, tuple[str, int]]:
        """Return where each listener listens."""
        said = json.loads(await self._get("/listeners?format=json"))
        return {
            status["name"]: (
                status["local_address"]["socket_address"]["address"],
                status["local_address"]["socket_address"]["port_value"],
            )
            for status in said.get("listener_statuses", ())
        }

    async def listener_states(self) -> Mapping[str, ListenerState]:
        """Return the state of each listener from the LDS file."""
        mask = "name,error_state.details,warming_state.version_info,draining_state.version_info"
        status, body = await fetch(
            self.host, self.port, f"/config_dump?resource=dynamic_listeners&mask={mask}"
        )
        if status != 200:
            return {}  # there is none at all
        return {
            config["name"]: ListenerState(
                warming="warming_state" in config,
                draining="draining_state" in config,
                refusal=config.get("error_state", {}).get("details"),
            )
            for config in json.loads(body).get("configs", ())
            # A refused one is listed once more, without its name.
            if "name" in config
        }

    async def stats(self, names: str = "") -> dict[str, int]:
        """Return the counters and gauges whose name the regular expression finds; empty: all."""
        query = f"?filter={quote(names)}" if names else ""
        numbers: dict[str, int] = {}
        for line in (await self._get(f"/stats{query}")).decode(errors="replace").splitlines():
            # The rest are texts, and histograms' sums.
            name, _, value = line.rpartition(": ")
            if value.isdecimal():
                numbers[name] = int(value)
        return numbers

    async def _get(self, path: str) -> bytes:
        status, body = await fetch(self.host, self.port, path)
        if status != 200:
            raise ConnectionError(f"the admin interface answered {status} to {path}")
        return body


async def fetch(host: str, port: int, path: str) -> tuple[int, bytes]:
    """Return status and body of what a server answers to a GET.

    Raises:
        OSError: it cannot be reached, or hangs up.
    """
    reader, writer = await asyncio.open_connection(host, port)
    try:
        connection = h11.Connection(h11.CLIENT)
        headers = [("host", "wasmctl"), ("connection", "close")]
        request = h11.Request(method="GET", target=path, headers=headers)
        writer.write(connection.send(request) or b"")
        writer.write(connection.send(h11.EndOfMessage()) or b"")
        return await _answer(connection, reader)
    finally:
        writer.close()


async def _answer(connection: h11.Connection, reader: asyncio.StreamReader) -> tuple[int, bytes]:
    status, body = 0, []
    while True:
        try:
            event = connection.next_event()
            if event is h11.NEED_DATA:
                connection.receive_data(await reader.read(1 << 16))
        except h11.RemoteProtocolError as error:
            raise ConnectionError(str(error)) from error
        if isinstance(event, h11.Response):
            status = event.status_code
        elif isinstance(event, h11.Data):
            body.append(bytes(event.data))
        elif isinstance(event, h11.EndOfMessage):
            return status, b"".join(body)
        elif isinstance(event, h11.ConnectionClosed):
            raise ConnectionError("hung up")
