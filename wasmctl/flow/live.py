"""The stretch of `test --url`: case files → what is deployed, asked through its gateway → results.

Builds nothing, starts nothing, and notes nothing: which module answers is not known here.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from wasmctl.cases.gateway import Gateway
from wasmctl.cases.live import run_live_cases
from wasmctl.cases.model import Plugin
from wasmctl.errors import UsageError
from wasmctl.project.configuration import configuration_text, plugin_configuration
from wasmctl.wire.url import parse_server_url

if TYPE_CHECKING:
    from wasmctl.cases.results import CaseResult
    from wasmctl.flow.prove import Trial
    from wasmctl.project.project import Project
    from wasmctl.session import Session

__all__ = ["LiveRequest", "find_gateway", "run_live_trial"]

_HOST: Final = re.compile(r"[A-Za-z0-9._:\[\]-]+")
_PORTS: Final = range(1, 65536)


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveRequest:
    """Where what is deployed is asked.

    Args:
        url: the gateway's.
        host: what requests call it; None: as the URL does.
        ca_file: a PEM file of authorities that are trusted besides the usual ones.
        insecure: whether any certificate will do.
    """

    url: str
    host: str | None = None
    ca_file: Path | None = None
    insecure: bool = False


def find_gateway(request: LiveRequest, session: Session) -> Gateway:
    """Return the gateway that a request names; it is not asked yet.

    Raises:
        UsageError: the URL, the host or the authorities' file is none.
    """
    server = parse_server_url(request.url, what="the gateway", code="bad-url")
    name = None if request.host is None else _host_name(request.host)
    tls = None
    if server.tls:
        from wasmctl.oci.options import RegistryOptions
        from wasmctl.oci.trust import make_context
        from wasmctl.wire.tls import Tls

        trust = RegistryOptions(
            env=session.env,
            ca_file=request.ca_file,
            insecure_skip_tls_verify=request.insecure,
        )
        tls = Tls(context=make_context(trust), name=name or server.host)
    elif request.ca_file is not None or request.insecure:
        message = f"whom to trust is said, but `{request.url}` is asked without TLS"
        hint = "name a URL that begins with `https://`, or leave these options out"
        raise UsageError("usage", message, hint=hint)
    return Gateway(
        server=server,
        host=request.host,
        tls=tls,
        ca_file=request.ca_file,
        insecure=request.insecure,
    )


def _host_name(host: str) -> str:
    """Return the name of a host without its port.

    Raises:
        UsageError: it is none.
    """
    try:
        parts = urlsplit(f"//{host}")
        named = parts.netloc == host and _HOST.fullmatch(host) is not None
        if named and parts.hostname and parts.port in {None, *_PORTS}:
            return parts.hostname
    except ValueError:
        pass
    raise UsageError(
        "bad-host",
        f"`--host {host}` is no host",
        hint="name what requests are sent to: `--host shop.example.com`, with its port if need be",
    )


def run_live_trial(
    trial: Trial,
    gateway: Gateway,
    told: Callable[[CaseResult], None],
    *,
    stop_at_first: bool,
) -> None:
    """Run what a gateway shows of a project's cases, and tell each result as it comes.

    Raises:
        UsageError: the project has no cases.
        ProxyError: the gateway does not answer.
        KeyboardInterrupt: what was told stands.
    """
    if not trial.declared:
        message = f"`{trial.project.name}` declares no cases that could be run at {gateway.url}"
        hint = "`wasmctl init --adopt` writes a first one to `tests/first.cases.yaml`"
        raise UsageError("no-cases", message, hint=hint)
    deployed = Plugin(configuration=_deployed_configuration(trial.project))
    run = run_live_cases(trial.files, gateway, deployed, told, stop_at_first=stop_at_first)
    asyncio.run(run)


def _deployed_configuration(project: Project) -> str | None:
    # As `manifest` writes it into the object.
    deployed = project.settings.deploy.config
    return plugin_configuration(project) if deployed is None else configuration_text(deployed)
