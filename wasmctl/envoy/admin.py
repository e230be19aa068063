"""Talks to Envoy's admin interface on this machine. Knows its paths, nothing of processes.

https://www.envoyproxy.io/docs/envoy/latest/operations/admin
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote

from wasmctl.wire.client import exchange
from wasmctl.wire.messages import Broken, Request, Response

__all__ = ["Admin", "ListenerState", "get"]

_LONG = 3600.0


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
    """The admin interface at an address. Every method raises Broken where nobody answers."""

    def __init__(self, host: str, port: int) -> None:
        self.host = host
        self.port = port

    async def is_live(self) -> bool:
        """Return whether Envoy has done everything that it does before serving."""
        return (await get(self.host, self.port, "/ready")).status == 200

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
        path = f"/config_dump?resource=dynamic_listeners&mask={mask}"
        answer = await get(self.host, self.port, path)
        if answer.status != 200:
            return {}  # there is none at all
        return {
            config["name"]: ListenerState(
                warming="warming_state" in config,
                draining="draining_state" in config,
                refusal=config.get("error_state", {}).get("details"),
            )
            for config in json.loads(answer.body).get("configs", ())
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
        answer = await get(self.host, self.port, path)
        if answer.status != 200:
            raise Broken("protocol", f"the admin interface answered {answer.status} to {path}")
        return answer.body


async def get(host: str, port: int, path: str) -> Response:
    """Return the answer to a GET; how long that may take is the caller's to bound."""
    return await exchange(host, port, Request(method="GET", path=path), timeout=_LONG)
