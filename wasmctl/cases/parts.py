"""The parts that cases are made of: matches, headers, bodies, requests and answers.

Declared once, for the reader and the JSON Schema alike. What HTTP cannot carry is refused here,
where the line is known.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final, TypeVar

from wasmctl.cases import texts
from wasmctl.cases.grammar import (
    ByKind,
    Defined,
    Definitions,
    Entries,
    Form,
    ListOf,
    Mapped,
    Schema,
)
from wasmctl.cases.json_values import JSON_TEXT
from wasmctl.cases.model import (
    Contains,
    EqualTo,
    GrpcReply,
    Headers,
    JsonEqualTo,
    Match,
    Regex,
    Reply,
    Request,
)
from wasmctl.cases.problems import ProblemsError
from wasmctl.cases.records import Apart, Fields, Key, OneKey, Record
from wasmctl.cases.yaml import Node

__all__ = [
    "BODY",
    "BODY_MATCH",
    "BYTES",
    "HEADERS",
    "MATCH",
    "REPLY",
    "REQUEST",
    "WITHOUT_BODY",
]

T = TypeVar("T")

# RFC 9110, section 5.5: what no header's value can have.
_FORBIDDEN_IN_VALUES: Final = re.compile(rb"[\x00\n\r\v\f]")
# RFC 9113, section 8.2.2: what belongs to an HTTP/1 connection.
_CONNECTION_HEADERS: Final = frozenset(
    (b"connection", b"keep-alive", b"proxy-connection", b"transfer-encoding", b"upgrade")
)
# RFC 9110, sections 6.4.1 and 15: answers that never have a body.
WITHOUT_BODY: Final = frozenset((204, 304))

_BYTES: Final[Form[bytes]] = ByKind(
    "a text, or `{base64: …}`",
    scalar=texts.TEXT_BYTES,
    table=OneKey(
        "a table of bytes",
        (Key("base64", texts.BASE64, "Bytes that are no text, as base64."),),
    ),
)
BYTES: Final = Defined("bytes", _BYTES)


class FileBytes:
    """The name of a file → its bytes."""

    expected = "a file's path"

    def read(self, node: Node, folder: Path) -> bytes:
        name = texts.FILE.read(node, folder)
        try:
            return (folder / name).read_bytes()
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            message = f"`{folder / name}` cannot be read: {reason}"
            hint = "name a file, relative to the folder of the case file"
            raise ProblemsError.one(node.place, message, hint) from None

    def schema(self, definitions: Definitions) -> Schema:
        return texts.FILE.schema(definitions)


_MATCH_KEYS: Final[tuple[Key[Match], ...]] = (
    Key("contains", Mapped(BYTES, Contains), "Bytes that have to occur in it."),
    Key(
        "matches",
        Mapped(texts.REGEX, Regex),
        "A regular expression (Python's) that has to be found in it.",
    ),
    Key("json", Mapped(JSON_TEXT, JsonEqualTo), "JSON that it has to be equal to."),
    Key("base64", Mapped(texts.BASE64, EqualTo), "Exactly these bytes, as base64."),
)
_MATCH_FILE: Final[Key[Match]] = Key(
    "file",
    Mapped(FileBytes(), EqualTo),
    "Exactly a file's bytes; relative to the case file's folder.",
)


def _match(keys: tuple[Key[Match], ...]) -> Form[Match]:
    names = ", ".join(f"`{key.name}`" for key in keys)
    return ByKind(
        f"a text, or a table with one of {names}",
        scalar=Mapped(texts.TEXT_BYTES, EqualTo),
        table=OneKey("a match", keys),
    )


MATCH: Final = Defined("match", _match(_MATCH_KEYS))
BODY_MATCH: Final = Defined("expected body", _match((*_MATCH_KEYS, _MATCH_FILE)))


def _value(data: bytes) -> bytes:
    if _FORBIDDEN_IN_VALUES.search(data):
        raise ValueError(
            "a line end or NUL, which no header can carry", "write the value in one line"
        )
    if data != data.strip(b" \t"):
        raise ValueError(
            "white space around the value, which HTTP drops", "write the value without it"
        )
    return data


def _lines(entries: tuple[tuple[str, tuple[bytes, ...]], ...]) -> Headers:
    return tuple((name.encode(), value) for name, values in entries for value in values)


def _only(value: T) -> tuple[T, ...]:
    return (value,)


_VALUE: Final = Mapped(BYTES, _value)
_HEADER_TABLE: Final = Mapped(
    Entries(
        texts.HEADER_NAME,
        ByKind(
            "a text, or a list of texts",
            scalar=Mapped(_VALUE, _only),
            table=Mapped(_VALUE, _only),
            items=ListOf(_VALUE, "a list of texts"),
        ),
        "a table of names and values",
    ),
    _lines,
)
HEADERS: Final = Defined("headers", _HEADER_TABLE)


def _chunk(data: bytes) -> bytes:
    if not data:
        raise ValueError("an empty chunk, which HTTP cannot carry", "leave it out")
    return data


_BASE64_BODY: Final = Key(
    "base64", Mapped(texts.BASE64, _only), "Bytes that are no text, as base64."
)
_FILE_BODY: Final = Key(
    "file", Mapped(FileBytes(), _only), "A file's bytes; relative to the case file's folder."
)
_ANY_BODY: Final[Form[tuple[bytes, ...]]] = ByKind(
    "a text, a list of chunks, `{base64: …}` or `{file: …}`",
    scalar=Mapped(texts.TEXT_BYTES, _only),
    items=ListOf(Mapped(BYTES, _chunk), "a list of chunks"),
    table=OneKey("a body", (_BASE64_BODY, _FILE_BODY)),
)
BODY: Final = Defined("body", _ANY_BODY)


_METHOD: Final = Key("method", texts.METHOD, "The method; GET, or POST where there is a body.")
_PATH: Final = Key("path", texts.PATH, "The path with its query; / when absent.")
_HEADERS: Final = Key("headers", HEADERS, "Headers; a list of values repeats the header.")
_BODY: Final = Key("body", BODY, "The body; a list is sent in these chunks.")
_TRAILERS: Final = Key("trailers", HEADERS, "Headers that come after the body.")
_HTTP: Final = Key("http", texts.HTTP_VERSION, "The client's version of HTTP; 1 when absent.")


def _request(fields: Fields) -> Request:
    headers = fields.get(_HEADERS, ())
    http = fields.get(_HTTP, None) or 1
    method = fields.get(_METHOD, "POST" if _BODY in fields else "GET")
    path = fields.get(_PATH, "/")
    if path == "*" and method != "OPTIONS":
        raise fields.wrong(_PATH, "the path `*` is for the method OPTIONS only", "write a path")
    if http == 2 and (odd := [name for name, _ in headers if name in _CONNECTION_HEADERS]):
        message = f"HTTP/2 has no header `{odd[0].decode()}`"
        raise fields.wrong(_HEADERS, message, "leave it out, or write `http: 1`")
    if method == "TRACE" and _BODY in fields:
        raise fields.wrong(_BODY, "a TRACE request has no body", "leave it out")
    return Request(
        method=method,
        path=path,
        headers=headers,
        body=fields.get(_BODY, ()),
        trailers=fields.get(_TRAILERS, ()),
        http=http,
    )


REQUEST: Final = Record("a request", _request, (_METHOD, _PATH, _HEADERS, _BODY, _TRAILERS, _HTTP))

_GRPC_STATUS: Final = Key("status", texts.GRPC_STATUS, "Name of the status; OK when absent.")
_GRPC_MESSAGE: Final = Key("message", texts.TEXT, "The text of the status.")
_GRPC_REPLY: Final = Key(
    "reply",
    ByKind(
        "a serialized message, or a list of them",
        scalar=Mapped(BYTES, _only),
        table=Mapped(BYTES, _only),
        items=ListOf(BYTES, "a list of serialized messages"),
    ),
    "The answer's serialized message, or several.",
)


def _grpc_reply(fields: Fields) -> GrpcReply:
    return GrpcReply(
        status=fields.get(_GRPC_STATUS, "OK"),
        message=fields.get(_GRPC_MESSAGE, ""),
        messages=fields.get(_GRPC_REPLY, ()),
    )


_STATUS: Final = Key("status", texts.STATUS, "The status; 200 when absent.")
_REPLY_BODY: Final = Key("body", BODY, "The body; a list is sent in these chunks.")
_DELAY: Final = Key("delay", texts.DURATION, "How long the server waits before it answers.")
_FAIL: Final = Key(
    "fail",
    texts.FAILURE,
    "`reset`: the connection ends after what is declared; `hang`: no answer ever comes.",
)
_GRPC: Final = Key(
    "grpc",
    Record("a gRPC answer", _grpc_reply, (_GRPC_STATUS, _GRPC_MESSAGE, _GRPC_REPLY)),
    "A gRPC answer, instead of status and body.",
)


def _reply(fields: Fields) -> Reply:
    status = fields.get(_STATUS, 200)
    fail = fields.get(_FAIL, None)
    for key in (_REPLY_BODY, _TRAILERS):
        if status in WITHOUT_BODY and key in fields:
            message = f"an answer with status {status} has no {key.name}"
            raise fields.wrong(key, message, f"leave `{key.name}` out, or take another status")
    silent: tuple[Key[object], ...] = (_STATUS, _HEADERS, _REPLY_BODY, _TRAILERS, _DELAY, _GRPC)
    if fail == "hang" and (seen := [key for key in silent if key in fields]):
        message = f"`fail: hang` never answers, so that `{seen[0].name}` is never seen"
        raise fields.wrong(seen[0], message, "keep one of the two")
    return Reply(
        status=status,
        headers=fields.get(_HEADERS, ()),
        body=fields.get(_REPLY_BODY, ()),
        trailers=fields.get(_TRAILERS, ()),
        delay=fields.get(_DELAY, 0.0),
        fail=fail,
        grpc=fields.get(_GRPC, None),
    )


REPLY: Final = Record(
    "an answer",
    _reply,
    (_STATUS, _HEADERS, _REPLY_BODY, _TRAILERS, _DELAY, _FAIL, _GRPC),
    apart=(
        Apart(_GRPC, (_STATUS, _REPLY_BODY, _TRAILERS, _FAIL), "gRPC has a status of its own"),
        Apart(_FAIL, (_TRAILERS,), "trailers end an answer, so that nothing is left to fail"),
    ),
)
