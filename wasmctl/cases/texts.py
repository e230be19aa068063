"""The single texts of a case file: what each may be, and how it is told in errors and editors."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import partial
from typing import Final, Literal, TypeVar, cast, get_args

from wasmctl.cases.grammar import Schema, Text
from wasmctl.cases.model import FailurePolicy, Level
from wasmctl.cases.problems import suggestion
from wasmctl.wire.grpc import GrpcStatus

__all__ = [
    "BASE64",
    "CLUSTER",
    "DURATION",
    "ENVIRONMENT_NAME",
    "FAILURE",
    "FILE",
    "FLAG",
    "FUNCTION",
    "GROWTH",
    "GRPC_STATUS",
    "HEADER_NAME",
    "HTTP_VERSION",
    "LEVELS",
    "METHOD",
    "METRIC",
    "NAME",
    "PATH",
    "POLICY",
    "REGEX",
    "ROUTE",
    "STATUS",
    "TEXT",
    "TEXT_BYTES",
    "word",
]

T = TypeVar("T")

# Texts are read as they are written, so that editors must not complain about `allow: true`.
_ANY: Final[Schema] = {"type": ["string", "number", "boolean"]}

# RFC 9110, section 5.6.2: the characters of a method and of a header's name.
_TOKEN: Final = re.compile(r"[-!#$%&'*+.^_`|~0-9A-Za-z]+")
_DURATION: Final = re.compile(r"([0-9]+(?:\.[0-9]+)?)(ms|s|m)")
_SECONDS: Final[Mapping[str, float]] = {"ms": 0.001, "s": 1, "m": 60}
_METHODS: Final = ("GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "TRACE", "PATCH")
# RFC 9112, section 3.2: what is beyond ASCII is percent-encoded.
_TARGET: Final = re.compile(r"/[\x21-\x7e]*")
_METRIC: Final = re.compile(r"([^{}\s]+)(?:\{([^{}]*)\})?")


def word(values: Mapping[str, T], expected: str) -> Text[T]:
    """Return the shape of a text that is one of a few words."""
    return Text(expected, partial(_one_of, values), {"enum": [*values]})


def _one_of(values: Mapping[str, T], text: str) -> T:
    if text in values:
        return values[text]
    allowed = ", ".join(f"`{value}`" for value in values)
    message = f"`{text}` is none of {allowed}"
    if len(values) == 1:
        message = f"`{text}` where {allowed} is expected"
    if near := suggestion(text, values):
        raise ValueError(message, near.strip())
    raise ValueError(message)


def _whole(least: int, most: int | None, text: str) -> int:
    if not re.fullmatch(r"-?(0|[1-9][0-9]{0,17})", text):
        raise ValueError(f"`{text}` is not a whole number")
    if int(text) < least or (most is not None and int(text) > most):
        raise ValueError(f"{text} is not between {least} and {most}")
    return int(text)


def _duration(text: str) -> float:
    found = _DURATION.fullmatch(text)
    if found is None:
        raise ValueError(f"`{text}` is no duration", "write a number and its unit: `20ms`, `1.5s`")
    return float(found[1]) * _SECONDS[found[2]]


def _method(text: str) -> str:
    if not _TOKEN.fullmatch(text):
        raise ValueError(f"`{text}` is no HTTP method", "write a method such as `GET`")
    if text.upper() != text and text.upper() in _METHODS:
        raise ValueError(f"`{text}` is not the method `{text.upper()}`", f"write `{text.upper()}`")
    if text == "CONNECT":
        raise ValueError(
            "`CONNECT` asks for a tunnel, which no plug-in is part of", "write another method"
        )
    return text


def _path(text: str) -> str:
    if text == "*":
        return text
    if not text.startswith("/"):
        raise ValueError(f"the path `{text}` does not begin with `/`", f"write `/{text}`")
    if not _TARGET.fullmatch(text):
        raise ValueError(
            f"the path `{text}` has characters that HTTP cannot carry",
            "write them percent-encoded: `%20` for a space",
        )
    return text


def _route(text: str) -> tuple[str, str]:
    method, space, path = text.partition(" ")
    if not space:
        raise ValueError(f"`{text}` is not a method and a path", "write it as `GET /check`")
    return _method(method), _path(path)


def _header_name(text: str) -> str:
    if text.startswith(":"):
        instead = {":authority": "the header `host`", ":status": "`status`"}
        hint = instead.get(text.lower(), "`method` and `path`")
        raise ValueError(f"`{text}` is no header, but a part of HTTP/2's frames", f"write {hint}")
    if not _TOKEN.fullmatch(text):
        raise ValueError(f"`{text}` cannot be the name of a header", "write a name such as `x-id`")
    return text.lower()


def _environment_name(text: str) -> str:
    if not text or "=" in text or "\0" in text:
        raise ValueError(f"`{text}` cannot be the name of a variable", "write a name such as `A`")
    return text


def _not_empty(text: str) -> str:
    if not text.strip():
        raise ValueError("an empty text", "write a few words")
    return text


def _name(text: str) -> str:
    if not text.isprintable():
        raise ValueError("a name of several lines", "write the name in one line")
    return _not_empty(text)


def _file(text: str) -> str:
    if not text or "\0" in text:
        raise ValueError("this names no file", "write a path")
    return text


def _bytes(text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError:
        hint = "write bytes that are no text as `{base64: …}`"
        raise ValueError("half of a surrogate pair, which is no text", hint) from None


def _base64(text: str) -> bytes:
    import base64

    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except ValueError:
        raise ValueError("not base64", "encode the bytes with `base64 -w0 FILE`") from None


def _regex(text: str) -> str:
    try:
        re.compile(text)
    except re.error as error:
        raise ValueError(
            f"not a regular expression: {error}",
            "mend it; letters such as `(` are written `\\(` to stand for themselves",
        ) from None
    return text


def _metric(text: str) -> tuple[str, tuple[tuple[str, str], ...]]:
    found = _METRIC.fullmatch(text)
    if found is None:
        hint = "write a name such as `requests`, or `requests{verdict=denied}`"
        raise ValueError(f"`{text}` is no metric", hint)
    labels: dict[str, str] = {}
    for pair in (found[2] or "").split(",") if found[2] is not None else ():
        label, equals, value = (part.strip() for part in pair.partition("="))
        if not equals or not label or label in labels:
            raise ValueError(
                f"`{pair}` is not a label and its value, or stands twice",
                "write labels as `{verdict=denied,code=403}`",
            )
        labels[label] = value
    return found[1], tuple(sorted(labels.items()))


def _as_text(convert: Callable[[str], T], expected: str, pattern: str | None = None) -> Text[T]:
    described: Schema = {"type": "string", **({"pattern": pattern} if pattern else {})}
    return Text(expected, convert, described)


def _any(convert: Callable[[str], T], expected: str) -> Text[T]:
    return Text(expected, convert, _ANY)


def _number(expected: str, least: int, most: int | None = None) -> Text[int]:
    described: Schema = {"type": "integer", "minimum": least}
    if most is not None:
        described["maximum"] = most
    return Text(expected, partial(_whole, least, most), described, quoted=False)


TEXT: Final = _any(str, "a text")
TEXT_BYTES: Final = _any(_bytes, "a text")
NAME: Final = _any(_name, "a name")
CLUSTER: Final = _as_text(_not_empty, "a cluster's name")
FUNCTION: Final = _as_text(_not_empty, "a function's name, such as `proxy_log`")
ENVIRONMENT_NAME: Final = _as_text(_environment_name, "a variable's name", "^[^=]+$")
FILE: Final = _any(_file, "a file's path")
BASE64: Final = _any(_base64, "bytes as base64")
REGEX: Final = _any(_regex, "a regular expression")
STATUS: Final = _number("a status from 200 to 599", 200, 599)
GROWTH: Final = Text(
    "a whole number", partial(_whole, -(10**18), 10**18), {"type": "integer"}, quoted=False
)
HTTP_VERSION: Final = Text(
    "`1` or `2`",
    cast("Callable[[str], Literal[1, 2]]", partial(_one_of, {"1": 1, "2": 2})),
    {"enum": [1, 2]},
    quoted=False,
)
FLAG: Final = Text(
    "`true` or `false`",
    partial(_one_of, {"true": True, "false": False}),
    {"type": "boolean"},
    quoted=False,
)
DURATION: Final = _as_text(
    _duration, "a duration such as `20ms`, `1.5s` or `2m`", r"^[0-9]+(\.[0-9]+)?(ms|s|m)$"
)
METHOD: Final = _as_text(_method, "a method such as `GET`", r"^[-!#$%&'*+.^_`|~0-9A-Za-z]+$")
PATH: Final = _as_text(_path, "a path such as `/orders?page=2`", r"^(/[\x21-\x7e]*|\*)$")
ROUTE: Final = _as_text(
    _route,
    "a method and a path such as `GET /check`",
    r"^[-!#$%&'*+.^_`|~0-9A-Za-z]+ (/[\x21-\x7e]*|\*)$",
)
HEADER_NAME: Final = _as_text(_header_name, "a header's name", r"^[-!#$%&'*+.^_`|~0-9A-Za-z]+$")
METRIC: Final = _as_text(
    _metric,
    "a metric such as `requests` or `requests{verdict=denied}`",
    r"^[^{}\s]+(\{[^{}]*\})?$",
)
LEVELS: Final[tuple[Level, ...]] = get_args(Level)
POLICY: Final[Text[FailurePolicy]] = word(
    {policy: policy for policy in get_args(FailurePolicy)}, "`closed`, `open` or `reload`"
)
FAILURE: Final[Text[Literal["reset", "hang"]]] = word(
    {"reset": "reset", "hang": "hang"}, "`reset` or `hang`"
)
GRPC_STATUS: Final = word({status.name: status.name for status in GrpcStatus}, "a gRPC status")
