"""A project → its plug-in served in a real Envoy, until somebody ends it."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import socket
from collections.abc import Callable

from wasmctl.envoy.find import find_envoy
from wasmctl.errors import UsageError, WasmctlError
from wasmctl.flow.build import build_one, tell_as_it_stands
from wasmctl.flow.serve.events import Event
from wasmctl.flow.serve.rebuild import Rebuilder
from wasmctl.flow.serve.request import HOST, Served, ServeRequest
from wasmctl.flow.serve.serving import Serving
from wasmctl.project.project import Project
from wasmctl.project.settings import DEFAULT_PORT
from wasmctl.session import Session
from wasmctl.toolchain.module import BuildRequest

__all__ = ["Stopped", "request_to_try", "require_free", "serve_project"]


class Stopped(KeyboardInterrupt):
    """Somebody ended what was being served, as it is meant to be ended."""


def serve_project(
    project: Project,
    session: Session,
    request: ServeRequest,
    told: Callable[[Event], None],
) -> None:
    """Serve a project's plug-in until it is ended from outside; tell what happens.

    Raises:
        Stopped: by Ctrl-C or a signal, once it was being served.
        KeyboardInterrupt: the same before that.
        UsageError: a port is taken, the configuration cannot be read, no such Envoy.
        Refused: Envoy does not take the module; or, without `watch`, a callback does not return.
        ProxyError: Envoy could not be had, or ended by itself.
        WasmctlError: whatever a build raises.
    """
    if request.port == request.admin_port != 0:
        message = f"`--port` and `--admin-port` are both {request.port}"
        raise UsageError("port-taken", message, hint="choose two ports; 0 takes any that is free")
    for option, port in (("--port", request.port), ("--admin-port", request.admin_port)):
        require_free(port, option)
    configuration = request.configuration(project)
    # Before the build: a name that is none shall not cost a compilation first.
    envoy = find_envoy(session, request.envoy)
    rebuilder = None
    if request.watch:
        files = () if request.file is None else (request.file,)
        rebuilder = Rebuilder(
            project,
            session,
            configure=request.configuration,
            files=files,
            compile=request.build,
        )
    if request.build:
        module = build_one(project, session, BuildRequest(live=True)).path
    else:
        tell_as_it_stands(project, session)
        module = project.module
    if rebuilder is not None:
        rebuilder.settle()
    serving = Serving(
        project=project,
        session=session,
        request=request,
        told=told,
        envoy=envoy,
        served=Served.read(module, configuration),
        rebuilder=rebuilder,
    )
    try:
        asyncio.run(serving.run())
    except KeyboardInterrupt as interruption:
        raise (Stopped if serving.is_told else KeyboardInterrupt) from interruption


def require_free(port: int, option: str) -> None:
    """Refuse a port that is taken, before time is spent on anything else.

    Args:
        port: 0 is always free.
        option: what one chooses another one with.

    Raises:
        UsageError: it is taken, or nobody may have it.
    """
    with socket.socket() as probe:
        # A connection that has just been closed is in nobody's way.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                message = f"another program listens at {HOST}:{port}"
                hint = f"end that program, or choose another port: `{option} {port % 65535 + 1}`"
                raise UsageError("port-taken", message, hint=hint) from error
            reason = (error.strerror or str(error)).lower()
            message = f"nothing can listen at {HOST}:{port}: {reason}"
            hint = f"choose another port: `{option} {DEFAULT_PORT}`"
            raise UsageError("no-port", message, hint=hint) from error


def request_to_try(project: Project, address: str) -> str:
    """Return a line for the shell that sends something to a served plug-in.

    That is the request of the project's first case; where none can be had, a plain one.
    """
    from wasmctl.cases.curl import curl_command
    from wasmctl.cases.load import load_cases
    from wasmctl.cases.model import Single
    from wasmctl.project.case_files import find_case_files

    # A case file that cannot be read is for `test` to tell of.
    with contextlib.suppress(WasmctlError, OSError):
        for path in find_case_files(project):
            for case in load_cases(path).cases:
                for step in case.steps:
                    if isinstance(step, Single):
                        return curl_command(step.request, address)
    return f"curl -i {address}/"
