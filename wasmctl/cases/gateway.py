"""A gateway before what is deployed: how it is asked, and why it does not answer.

Starts nothing, and follows no redirect: what it answers is the answer.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from wasmctl.cases.asking import ask
from wasmctl.cases.curl import curl_command
from wasmctl.cases.model import Request
from wasmctl.errors import ProxyError
from wasmctl.wire.messages import Broken, Response, first_value
from wasmctl.wire.tcp import connect
from wasmctl.wire.url import ServerUrl

if TYPE_CHECKING:
    from wasmctl.wire.tls import Tls

__all__ = ["Gateway"]

# Seconds for a connection and its handshake, and for a look at who is there.
_CONNECTING: Final = 5.0
_LOOK_THERE: Final = (
    "see that it is up and that this is its address: `kubectl get service -A` lists those of a "
    "cluster, `kubectl port-forward` brings one here"
)
_TRUST: Final = (
    "name its authority with `--ca-file FILE`, or the site with `--host NAME`; "
    "`--insecure-skip-tls-verify` does without"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Gateway:
    """What is asked, and how.

    Args:
        server: where it listens.
        host: what requests call it, with its port if it has one; None: as the URL does.
        tls: whom we trust, and the name that is asked for; None: it is asked in clear.
        ca_file: of authorities that are trusted besides, for curl.
        insecure: whether any certificate will do, for curl.
    """

    server: ServerUrl
    host: str | None = None
    tls: Tls | None = None
    ca_file: Path | None = None
    insecure: bool = False

    @property
    def url(self) -> str:
        """What it is called."""
        return self.server.url

    async def reach(self) -> None:
        """Connect to it and leave again.

        Raises:
            ProxyError: it cannot be reached, or not so.
        """
        try:
            async with asyncio.timeout(_CONNECTING):
                stream = await connect(self.server.host, self.server.port)
                try:
                    if self.tls is not None:
                        from wasmctl.wire.tls import secure

                        await secure(stream, self.tls, version="1.1")
                finally:
                    stream.close()
        except TimeoutError:
            message = f"it takes no connection within {_CONNECTING:g} s"
            raise self.unreachable(Broken("timeout", message)) from None
        except Broken as error:
            raise self.unreachable(error) from None

    async def ask(self, request: Request, *, deadline: float, timeout: float) -> Response | Broken:
        """Send a request; the arguments are those of `asking.ask`."""
        if first_value(request.headers, b"host") is None:
            host = (b"host", (self.host or self.server.authority).encode())
            request = replace(request, headers=(host, *request.headers))
        place = (self.server.host, self.server.port)
        return await ask(place, request, deadline=deadline, timeout=timeout, tls=self.tls)

    async def explain(self, got: Response | Broken) -> ProxyError | None:
        """Return what keeps requests from ever being answered; None where it is not the gateway."""
        if isinstance(got, Response):
            # As nginx and Go's servers do: https://pkg.go.dev/net/http#Server.ServeTLS
            suspicious = got.status == 400
        elif got.kind in {"refused", "tls"}:
            return self.unreachable(got)
        else:
            # A server that speaks TLS does not wait for more of what is none.
            suspicious = got.kind != "timeout" and got.response is None
        if not suspicious or self.tls is not None:
            return None
        from wasmctl.wire.tls import speaks_tls

        if not await speaks_tls(self.server.host, self.server.port, timeout=_CONNECTING):
            return None
        hint = f"ask it by https: `--url {self.server.url.replace('http:', 'https:', 1)}`"
        return ProxyError("gateway-tls", f"the gateway {self.url} speaks TLS", hint=hint)

    def unreachable(self, error: Broken) -> ProxyError:
        """Return the error for users where there is no connection, or no answer at all."""
        hint = _LOOK_THERE
        if error.kind == "tls":
            trusted = "certificate" not in error.message
            plain = f"if it speaks http: `--url {self.url.replace('https:', 'http:', 1)}`"
            hint = plain if trusted else _TRUST
        message = f"the gateway {self.url} does not answer: {error.message}"
        return ProxyError("gateway-unreachable", message, hint=hint)

    def curl(self, request: Request) -> str:
        """Return the line for bash that asks the same."""
        options: list[str] = []
        named = first_value(request.headers, b"host") is not None
        if self.tls is None:
            if self.host is not None and not named:
                host = (b"host", self.host.encode())
                request = replace(request, headers=(host, *request.headers))
            return curl_command(request, f"http://{self.server.authority}")
        if self.insecure:
            options.append("-k")
        elif self.ca_file is not None:
            options += ["--cacert", str(self.ca_file)]
        address = f"https://{self.host or self.server.authority}"
        if self.host is not None:
            # What curl connects to, whatever the URL says: so the URL's host is the one asked for.
            where = f"[{self.server.host}]" if ":" in self.server.host else self.server.host
            options += ["--connect-to", f"::{where}:{self.server.port}"]
        return curl_command(request, address, options=options)
