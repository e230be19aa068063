"""The world as the root command found it, handed down to every stage as one frozen value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from wasmctl.console import Console

__all__ = ["Session"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """Everything a stage may know of its surroundings.

    Args:
        env: the environment, read once.
        cwd: the absolute folder that relative arguments start from.
        console: where talk and progress go.
        prompts: whether a person can be asked: a terminal on both sides, and no `--no-input`.
        debug: whether tracebacks are wanted.
        as_json: whether stdout is for JSON alone: a verb that streams prints one object a line.
        stdin: where a secret may be piped in; None where the process has none.
        tail: the arguments behind `--`, for verbs that hand them to a tool.
    """

    env: Mapping[str, str]
    cwd: Path
    console: Console
    prompts: bool = False
    debug: bool = False
    as_json: bool = False
    stdin: TextIO | None = None
    tail: tuple[str, ...] = ()
