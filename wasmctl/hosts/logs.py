r"""Logs of proxies as people have them: lines → the records that may be about plug-ins. Pure.

Records are read in these forms, whatever `kubectl`, `docker`, a collector or the clipboard did to
them on the way:

- Envoy's own: `[2026-11-30 12:00:00.000][12][error][wasm] [source/….cc:38] message`
  (https://www.envoyproxy.io/docs/envoy/latest/operations/cli, `--log-format`)
- istio-proxy's: `2026-11-30T12:00:00.000000Z\terror\tenvoy wasm source/….cc:38\tmessage`, and those
  of its agent without `envoy` (istio/istio, pkg/envoy/proxy.go)
- JSON objects, with the message under one of the usual keys
- lines of an access log, of which only some can be about plug-ins
- messages without anything before them
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final, NamedTuple

__all__ = ["LogReader", "LogRecord", "PluginWords", "is_headed", "plugin_words", "read_records"]

_LEVELS: Final = {"warn": "warning", "fatal": "critical"}
_ENDS_OF_LINE: Final = "\r\n"
_COLOUR: Final = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
_LEVEL: Final = r"(?P<level>trace|debug|info|warn|warning|error|critical|fatal|off)"
_MOMENT: Final = r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d[\d.,]*(?:Z|[+-]\d\d:?\d\d)?"
_ENVOY: Final = re.compile(
    rf"\[(?P<time>{_MOMENT})\](?:\[(?P<thread>\d+)\])?\[{_LEVEL}\]\[(?P<logger>[^\]]*)\] "
    r"(?:\[[^\]\s]*:\d+\] )?(?P<message>.*)",
    re.DOTALL,
)
# Tabs may have become spaces; where `envoy` and a logger follow, the time may have been cut off.
_ISTIO: Final = re.compile(
    rf"(?:(?P<time>{_MOMENT})[\t ]+{_LEVEL}[\t ]+(?P<rest>.*)"
    rf"|{_LEVEL.replace('level', 'bare_level')}[\t ]+(?P<bare_rest>envoy \w+[\t ].*))",
    re.DOTALL,
)
_SCOPES: Final = (
    re.compile(
        r"envoy (?P<logger>[\w.]+)(?: \S+\.(?:cc|h):\d+)?(?:\t| +)(?P<message>.*)", re.DOTALL
    ),
    re.compile(r"(?P<logger>[\w-]+)(?:\t| {2,})(?P<message>.*)", re.DOTALL),
    re.compile(r"(?P<logger>wasm|xdsproxy) (?P<message>.*)", re.DOTALL),
)
_ACCESS: Final = re.compile(rf'\[(?P<time>{_MOMENT})\] "')
# What tools put before each line; a moment alone is Docker's or Kubernetes', one with a level
# behind it is istio-proxy's own.
_PREFIX: Final = re.compile(
    r"\[(?P<pod>pod/[^\]\s]+)\] "
    r"|(?P<service>[\w.-]{1,80}) *\| ?"
    rf"|(?P<time>{_MOMENT}) (?:std(?:out|err) [FP] )?(?! *{_LEVEL.replace('?P<level>', '?:')}\b)"
    r"|[A-Z][a-z]{2} +\d+ \d\d:\d\d:\d\d (?P<host>\S+ [\w./-]+)(?:\[\d+\])?: "
)
# Elsewhere in a line than at its beginning a record must stand alone. What stands before it may be
# anything, but before JSON or a moment without brackets a quote's `>`, or stern's pod and
# container: plug-ins log such things too.
_BEFORE: Final = re.compile(
    rf"(?P<origin>[^\"{{]{{1,200}}?[ |\]:>])(?=\[{_MOMENT}\](?:\[| \"))"
    rf"|(?P<quoted>(?:> ?)+|[\w.]+-[\w.-]+ [\w.-]+ )(?=\{{\"|{_MOMENT}[\t ]+[a-z]+[\t ])"
)
# How a host's messages begin, where nothing stands before them.
_BARE: Final = re.compile(
    r"wasm log\b|Function: \S+ failed|Failed to |Wasm VM failed|Wasm module is missing"
    r"|Wasm remote code|Plugin .*failed to load|Unable to create Wasm|Bad function signature"
    r"|Missing or un|[Ee]rror initializing|error `|error in converting|[Cc]annot fetch Wasm"
    r"|Attempted call to restricted|Invalid path: |Didn't find a registered|Retry limit exceeded"
)
_KEYS: Final = {
    "message": (
        "msg",
        "message",
        "Message",
        "textPayload",
        "log",
        "MESSAGE",
        "body",
        "jsonPayload",
    ),
    "level": ("level", "Level", "severity", "lvl"),
    "time": ("time", "Timestamp", "timestamp", "@timestamp", "ts", "start_time"),
    "logger": ("scope", "logger", "Logger", "LoggerName", "component"),
    "thread": ("thread", "ThreadId", "thread_id", "tid"),
    "origin": ("pod", "pod_name", "container_name", "service"),
}
# With --log-format-escaped; of a plug-in's own JSON nothing is changed.
_ESCAPED: Final = re.compile(
    r"in-VM backtrace:\\n|\Awasm log.*?(?:panicked at .*?\\n|: (?:\\[nt])+\Z)", re.DOTALL
)

# Bounds: of a line and of a message, of the lines of a record, of those kept to be shown, of the
# records and prefixes known at a time, and of the lines after which a record goes on no more.
_LONGEST: Final = 1 << 16
_LONGEST_MESSAGE: Final = 1 << 14
_MOST_LINES: Final = 400
_SHOWN_LINES: Final = 40
_MOST_OPEN: Final = 64
_FAR: Final = 2000


class LogRecord(NamedTuple):  # a log has millions, and a dataclass takes four times as long
    """One record of a log.

    Args:
        first: the number of its first line, from 1 on.
        last: of its last line; lines of other proxies may stand between them.
        origin: which proxy's it is, where several write to one log; else empty.
        time: as written; empty where there is none.
        level: trace, debug, info, warning, error or critical; empty where there is none.
        logger: which part of the proxy speaks: `wasm`, `config` …; `access` for its access log.
        thread: which thread does.
        message: what it says.
        lines: the log's own lines with their numbers, as many as are fit to be shown.
    """

    first: int
    last: int
    message: str
    origin: str = ""
    time: str = ""
    level: str = ""
    logger: str = ""
    thread: str = ""
    lines: tuple[tuple[int, str], ...] = ()


class PluginWords(NamedTuple):
    """What a plug-in said in a record.

    Args:
        plugin: its name; where it was given none, the first of its root id and VM id.
        text: what it said.
    """

    plugin: str
    text: str


# proxy-wasm-cpp-host src/context.cc, ContextBase::makeLogPrefix: empty parts are dropped.
_PLUGIN: Final = re.compile(
    r"wasm log(?: (?P<plugin>[^\s:]+)(?: [^:]*?)?)?: ?(?P<text>.*)", re.DOTALL
)


def plugin_words(record: LogRecord) -> PluginWords | None:
    """Return what a plug-in said in a record; None where it is the proxy that speaks."""
    if not record.message.startswith("wasm log") or not (found := _PLUGIN.match(record.message)):
        return None
    return PluginWords(plugin=found["plugin"] or "", text=found["text"])


def is_headed(line: bytes) -> bool:
    """Return whether a line begins as those of a log do: with a time, a level, as JSON."""
    _, _, rest = _without_prefixes(_text(line))
    return _parse(rest).headed


def read_records(lines: Iterable[bytes]) -> Iterator[LogRecord]:
    """Yield the records that may be about plug-ins.

    Args:
        lines: with or without their ends, of any bytes.
    """
    reader = LogReader()
    for line in lines:
        yield from reader.feed(line)
    yield from reader.finish()


@dataclass(slots=True, kw_only=True)
class _Line:
    """A line without what tools put before it; `headed`: whether a record begins there."""

    headed: bool
    message: str
    origin: str = ""
    time: str = ""
    level: str = ""
    logger: str = ""
    thread: str = ""


@dataclass(slots=True, kw_only=True)
class _Open:
    """A record whose next lines may still come."""

    begun: _Line
    first: int
    last: int
    texts: list[str] = field(default_factory=list)
    shown: list[tuple[int, str]] = field(default_factory=list)

    @property
    def of_plugin(self) -> bool:
        return self.begun.message.startswith("wasm log")

    def add(self, number: int, line: _Line, raw: str) -> None:
        self.last = number
        if len(self.texts) < _MOST_LINES:
            self.texts.append(line.message)
        if len(self.shown) < _SHOWN_LINES:
            self.shown.append((number, raw))

    def close(self) -> LogRecord:
        message, thread = _without_thread("\n".join(self.texts).rstrip("\n"))
        message = message[:_LONGEST_MESSAGE]
        if "\\" in message and _ESCAPED.search(message):
            message = message.replace("\\n", "\n").replace("\\t", "\t")
        return LogRecord(
            first=self.first,
            last=self.last,
            origin=self.begun.origin,
            time=self.begun.time,
            level=_LEVELS.get(self.begun.level, self.begun.level),
            logger=self.begun.logger,
            thread=thread or self.begun.thread,
            message=message,
            lines=tuple(self.shown),
        )


class LogReader:
    """Reads a log that is handed over line by line, in bounded memory."""

    def __init__(self) -> None:
        self.lines = 0
        self._open: dict[str, _Open] = {}
        self._prefixes: dict[str, None] = {}

    @property
    def is_within(self) -> bool:
        """Whether the next line may belong to a record that has begun."""
        return bool(self._open)

    def feed(self, line: bytes) -> list[LogRecord]:
        """Take the next line; return the records that are complete now."""
        self.lines += 1
        if not self._open and not _telling(line):
            return []
        raw = _text(line)
        read = self._read(raw)
        if not read.headed:
            return self._go_on(read, raw, telling=_telling(line))
        done = self._close(read.origin)
        if _telling(line):
            self._begin(read, raw)
        return done + self._close_old()

    def finish(self) -> list[LogRecord]:
        """Return the records that the end of the log completes."""
        return [done for origin in [*self._open] for done in self._close(origin)]

    def _go_on(self, read: _Line, raw: str, *, telling: bool) -> list[LogRecord]:
        """Take a line before which nothing stands: more of a record, or a bare message."""
        of = self._open.get(read.origin)
        bare = _BARE.match(read.message) is not None
        # What a plug-in says on several lines may look like a host's words.
        if of is not None and not (bare and (not of.begun.level or not of.of_plugin)):
            of.add(self.lines, read, raw)
            return self._close_old()
        done = self._close(read.origin)
        if bare or telling:
            self._begin(read, raw)
        return done + self._close_old()

    def _begin(self, read: _Line, raw: str) -> None:
        begun = _Open(begun=read, first=self.lines, last=self.lines)
        begun.add(self.lines, read, raw)
        self._open[read.origin] = begun

    def _close(self, origin: str) -> list[LogRecord]:
        of = self._open.pop(origin, None)
        return [] if of is None else [of.close()]

    def _close_old(self) -> list[LogRecord]:
        if not self._open:
            return []
        oldest = next(iter(self._open))
        far = self.lines - self._open[oldest].last > _FAR
        return self._close(oldest) if far or len(self._open) > _MOST_OPEN else []

    def _read(self, raw: str) -> _Line:
        if (found := _ENVOY.match(raw)) is not None:
            return _of_envoy(found)
        origin, time, rest = _without_prefixes(raw)
        read = _parse(rest)
        if not read.headed:
            if found := _BEFORE.match(rest):
                read = _parse(rest[found.end() :])
                if len(self._prefixes) < _MOST_OPEN:
                    self._prefixes[found[0]] = None
                origin = _joined(origin, found[0])
            else:
                known = (one for one in self._prefixes if rest.startswith(one))
                if prefix := next(known, ""):
                    read = _parse(rest[len(prefix) :])
                    origin = _joined(origin, prefix)
        read.origin = origin or read.origin
        read.time = read.time or time
        return read


def _telling(line: bytes) -> bool:
    """Return whether a line may begin a record about a plug-in; this is asked of every line."""
    return (
        b"asm" in line
        or b"unction" in line
        or b"rbac" in line
        or b"NFCF" in line
        or b"Plugin" in line
        or b"restricted" in line
        or b"Retry limit" in line
        or b"ExtensionConfig" in line
        or b"Invalid path" in line
    )


def _text(line: bytes) -> str:
    text = line[:_LONGEST].decode("utf-8", errors="backslashreplace").rstrip(_ENDS_OF_LINE)
    return _COLOUR.sub("", text) if "\x1b" in text else text


def _joined(origin: str, prefix: str) -> str:
    return f"{origin} {prefix.strip(' |[]:>')}".strip()


def _without_prefixes(text: str) -> tuple[str, str, str]:
    """Return which proxy's a line is, its time, and the line without both."""
    origins, time, position = [], "", 0
    for _ in range(4):
        found = _PREFIX.match(text, position)
        if found is None or _ENVOY.match(text, position):
            break
        if name := found["pod"] or found["service"] or found["host"]:
            origins.append(name)
        time = found["time"] or time
        position = found.end()
    return " ".join(origins), time, text[position:]


def _parse(text: str, depth: int = 2) -> _Line:
    if depth and text.startswith("{") and (read := _from_json(text, depth - 1)) is not None:
        return read
    if found := _ENVOY.match(text):
        return _of_envoy(found)
    if found := _ISTIO.match(text):
        rest = found["rest"] or found["bare_rest"] or ""
        level = found["level"] or found["bare_level"]
        scope = next((scope for form in _SCOPES if (scope := form.match(rest))), None)
        return _Line(
            headed=True,
            message=rest if scope is None else scope["message"],
            time=found["time"] or "",
            level=level,
            logger="" if scope is None else scope["logger"],
        )
    if found := _ACCESS.match(text):
        return _Line(headed=True, message=text, time=found["time"], logger="access")
    return _Line(headed=False, message=text)


def _without_thread(message: str) -> tuple[str, str]:
    """Return a message without the thread that istio-proxy puts behind it, and the thread."""
    text, found, number = message.rpartition("thread=")
    if not found or not number.isdecimal() or text[-1:] not in {"\t", " "}:
        return message, ""
    return text[:-1].rstrip(" "), number


def _of_envoy(found: re.Match[str]) -> _Line:
    time, thread, level, logger, message = found.groups()
    return _Line(
        headed=True,
        message=message,
        time=time,
        level=level,
        logger=logger,
        thread=thread or "",
    )


def _from_json(text: str, depth: int) -> _Line | None:
    try:
        values = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if not isinstance(values, dict):
        return None
    found = {name: _value(values, keys) for name, keys in _KEYS.items()}
    message = found.pop("message").rstrip(_ENDS_OF_LINE)
    if not message:
        return _Line(headed=True, message=text, time=found["time"], logger="access")
    _, time, rest = _without_prefixes(message)
    inner = _parse(rest, depth)
    # An engine's own wrapping of lines (Docker's json-file) has no level: a line may go on there.
    inner.headed = inner.headed or bool(found["level"])
    inner.origin = inner.origin or found["origin"]
    inner.time = inner.time or time or found["time"]
    inner.level = inner.level or found["level"].lower()
    inner.logger = inner.logger or found["logger"].removeprefix("envoy ")
    inner.thread = inner.thread or found["thread"]
    return inner


def _value(values: dict[str, object], keys: tuple[str, ...]) -> str:
    for key in keys:
        match values.get(key):
            case str(text) if text:
                return text
            case int(number) if not isinstance(number, bool):
                return str(number)
            case dict(inner):
                return _value(inner, keys)
            case _:
                pass
    return ""
