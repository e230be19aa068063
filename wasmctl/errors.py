"""The errors that reach a user, and the exit codes that scripts rely on.

Imports nothing of ours. Stages raise these; only the root command turns one into text and an
exit code.

    WasmctlError
    ├── Refused          1    the answer is no
    ├── UsageError       2    usage or configuration
    ├── ToolMissing      3    a tool is missing or too old
    ├── ToolFailed       4    a tool ran and failed
    ├── Unreadable       5    not wasm, not an image, a digest that does not match
    ├── RegistryError    6    registry, network or credentials
    └── ProxyError       7    a proxy or cluster could not be had
"""

from __future__ import annotations

import re
from enum import IntEnum
from typing import ClassVar, Self

__all__ = [
    "ExitCode",
    "ProxyError",
    "Refused",
    "RegistryError",
    "ToolFailed",
    "ToolMissing",
    "Unreadable",
    "UsageError",
    "WasmctlError",
]


class ExitCode(IntEnum):
    """What the process's exit code says; of several projects the highest counts."""

    DONE = 0, "done"
    NO = 1, "the answer is no: a case failed, a finding is an error, push or deploy was refused"
    USAGE = 2, "usage or configuration: no project here, unknown template, files in the way"
    TOOL_MISSING = 3, "a tool is missing or too old"
    TOOL_FAILED = 4, "a tool failed"
    UNREADABLE = 5, "unreadable: not wasm, not an image, a digest that does not match"
    REGISTRY = 6, "registry, network or credentials"
    PROXY = 7, "a proxy or cluster could not be had"
    INTERNAL = 70, "a bug in wasmctl; a log was saved"
    INTERRUPTED = 130, "interrupted"

    meaning: str

    def __new__(cls, value: int, meaning: str) -> Self:
        member = int.__new__(cls, value)
        member._value_ = value
        member.meaning = meaning
        return member


_CODE = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")


class WasmctlError(Exception):
    """A failure that a user can understand and act on.

    Args:
        code: stable kebab-case name of the failure, for scripts.
        message: what happened and whose it is; starts lower-case, no full stop.
        hint: the thing to do; shown last.
        output: a tool's own words, to be shown whole before the message. Empty when they were
            already shown live.
    """

    exit_code: ClassVar[ExitCode] = ExitCode.INTERNAL

    def __init__(
        self, code: str, message: str, *, hint: str | None = None, output: str = ""
    ) -> None:
        if not _CODE.fullmatch(code):
            raise ValueError(f"not a kebab-case error code: {code!r}")
        super().__init__(message)
        self.code = code
        self.message = message
        self.hint = hint
        self.output = output


class Refused(WasmctlError):
    """The answer is no."""

    exit_code = ExitCode.NO


class UsageError(WasmctlError):
    """The command line or a configuration file asks for something that cannot be."""

    exit_code = ExitCode.USAGE


class ToolMissing(WasmctlError):
    """A tool is not there, or is too old for what is asked of it."""

    exit_code = ExitCode.TOOL_MISSING


class ToolFailed(WasmctlError):
    """A tool was run and failed; its own words are in `output`."""

    exit_code = ExitCode.TOOL_FAILED


class Unreadable(WasmctlError):
    """Bytes are not what they should be."""

    exit_code = ExitCode.UNREADABLE


class RegistryError(WasmctlError):
    """A registry, the network or the credentials are in the way."""

    exit_code = ExitCode.REGISTRY


class ProxyError(WasmctlError):
    """A proxy or a cluster could not be had."""

    exit_code = ExitCode.PROXY
