"""What is found to be wrong with a module or an image, for a person and for programs. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from wasmctl.hosts.rows import Fault

if TYPE_CHECKING:
    from wasmctl.wasm.blame import Blame

__all__ = ["Finding", "Severity"]


class Severity(StrEnum):
    """Whether the target refuses it: only then it is an error."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that is wrong.

    Args:
        id: of the rule: stable, kebab-case; where a proxy says it too, the explanation's id.
        severity: an error is what the target refuses, a warning the rest.
        message: what is wrong, in the author's terms.
        hint: the thing to do.
        fault: whose it is.
        where: what it is about: `wasi_snapshot_preview1.fd_pread`, `export malloc`, `layer 2`.
        targets: those that it holds for, as a user names them: `envoy-1.38`; empty: all.
        words: what the target itself says of it, where it says something.
        source: where the rule comes from.
        blame: how the thing came into the module, where that was looked for.
    """

    id: str
    severity: Severity
    message: str
    hint: str
    fault: Fault
    where: str = ""
    targets: Sequence[str] = ()
    words: str = ""
    source: str = ""
    blame: Blame | None = None
