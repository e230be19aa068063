"""A case's request as a command line for curl, and how to serve the plug-in for it. Pure."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from typing import Final

from wasmctl.cases.groups import singles_of
from wasmctl.cases.model import Case, Plugin, Request
from wasmctl.cases.results import Difference
from wasmctl.project.settings import DEFAULT_PORT

__all__ = ["curl_command", "request_to_see", "run_command"]

# Where `wasmctl run` serves.
_ADDRESS: Final = f"http://127.0.0.1:{DEFAULT_PORT}"
# A longer body would bury the rest of the line.
_LONGEST_BODY: Final = 2000
_LONGEST_CONFIGURATION: Final = 300


def curl_command(request: Request, address: str = _ADDRESS, *, options: Sequence[str] = ()) -> str:
    """Return a line for bash that sends `request` to a served plug-in.

    What curl cannot send alike (trailers, the bounds of chunks, long bodies) is noted behind `#`.

    Args:
        request: what is sent.
        address: `http://HOST:PORT`, or the same with https.
        options: further ones of curl's.
    """
    notes: list[str] = []
    arguments = ["curl", "-i", *options]
    if address.startswith("https:"):
        # curl itself would choose HTTP/2 wherever it is offered.
        arguments.append("--http2" if request.http == 2 else "--http1.1")
    elif request.http == 2:
        arguments.append("--http2-prior-knowledge")
    if request.method == "HEAD":
        arguments.append("-I")
    elif request.method != ("POST" if request.body else "GET"):
        arguments += ["-X", request.method]
    for name, value in request.headers:
        arguments += ["-H", _header(name, value)]
    before = ""
    if request.body:
        before = _add_body(request, arguments, notes)
    if request.trailers:
        notes.append("without the trailers, which curl cannot send")
    arguments += ["--path-as-is"] if "/." in request.path else []
    arguments += ["-g"] if any(character in request.path for character in "[]{}") else []
    arguments.append(f"{address}{request.path}")
    line = before + " ".join(map(_quoted, arguments))
    return f"{line}  # {'; '.join(notes)}" if notes else line


def request_to_see(case: Case, differences: Sequence[Difference]) -> Request | None:
    """Return the request that differed first, else the case's first; None where it has none."""
    singles = singles_of(case)
    lines = [difference.line for difference in differences]
    differing = (single for single in singles if single.line in lines)
    single = next(differing, singles[0] if singles else None)
    return None if single is None else single.request


def run_command(plugin: Plugin) -> str:
    """Return the line for bash that serves the plug-in with this configuration.

    A long one is left to a file, which the line names `FILE`.
    """
    if plugin.configuration is None:
        return "wasmctl run"
    if len(plugin.configuration) > _LONGEST_CONFIGURATION:
        return "wasmctl run --config-file FILE"
    return f"wasmctl run --config {_quoted(plugin.configuration)}"


def _header(name: bytes, value: bytes) -> str:
    text = _text(value)
    # curl takes `name:` for a header to leave out, `name;` for one without a value.
    return f"{_text(name)}: {text}" if text else f"{_text(name)};"


def _add_body(request: Request, arguments: list[str], notes: list[str]) -> str:
    body = b"".join(request.body)
    names = {name for name, _ in request.headers}
    if b"content-type" not in names:
        arguments += ["-H", "content-type:"]
    if len(request.body) > 1:
        if request.http == 1 and not names & {b"content-length", b"transfer-encoding"}:
            arguments += ["-H", "transfer-encoding: chunked"]
        notes.append(f"the case sends the body in {len(request.body)} chunks")
    if len(body) > _LONGEST_BODY:
        arguments += ["--data-binary", "@body"]
        notes.append(f"`body` is a file with the {len(body)} bytes of the case's body")
        return ""
    if b"\0" not in body and _is_text(body) and not body.startswith(b"@"):
        arguments += ["--data-binary", body.decode()]
        return ""
    arguments += ["--data-binary", "@-"]
    octal = "".join(f"\\{byte:03o}" for byte in body)
    return f"printf '{octal}' | "


def _is_text(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def _text(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")


def _quoted(argument: str) -> str:
    """Return one word for bash; control characters and bytes that are no text are escaped."""
    if argument.isprintable():
        return shlex.quote(argument)
    return f"$'{''.join(map(_escaped, argument.encode('utf-8', 'surrogateescape')))}'"


def _escaped(byte: int) -> str:
    if byte in b"\\'":
        return f"\\{byte:c}"
    return f"{byte:c}" if 0x20 <= byte <= 0x7E else f"\\x{byte:02x}"
