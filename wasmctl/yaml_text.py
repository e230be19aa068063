"""Values → YAML text that every reader takes for the same values. An edge: knows no room.

What writes is PyYAML, which knows the words and numbers of YAML 1.1. Readers know others: Envoy's
(yaml-cpp) and Kubernetes' (sigs.k8s.io/yaml) take `y` for a truth or `1e3` for a number. Text that
any of them could take for something else is quoted.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

import yaml

if TYPE_CHECKING:
    from wasmctl.results import JSONValue

__all__ = ["dump_documents", "dump_yaml", "reads_as_other"]

_TEXT: Final = "tag:yaml.org,2002:str"
# Numbers in any dialect (`1e3`, `0o17`, `.5`, `+.inf`, `1_000`), and what some take for a truth.
# The rest (`yes`, `~`, `12:30`, dates) PyYAML knows by itself.
_OTHER: Final = re.compile(
    r"[-+]?(0[xob][0-9a-f_]+|[0-9_]*\.?[0-9_]*(e[-+]?[0-9_]+)?|\.?(inf|nan))|[yn]", re.IGNORECASE
)
# Ends of lines in YAML 1.1 and none in 1.2, and what begins a file.
_BREAKS: Final = re.compile("[\x85\u2028\u2029\ufeff]")


def dump_yaml(value: JSONValue) -> str:
    """Return YAML in block style: keys in order, text of several lines as a block."""
    return yaml.dump(
        value,
        Dumper=_Dumper,
        sort_keys=False,
        allow_unicode=True,
        default_flow_style=False,
        width=sys.maxsize,
    )


def dump_documents(values: Iterable[JSONValue]) -> str:
    """Return YAML of several documents."""
    return "---\n".join(dump_yaml(value) for value in values)


def reads_as_other(text: str) -> bool:
    """Return whether some reader takes this text, without quotes, for a number or a truth."""
    return _OTHER.fullmatch(text) is not None


class _Dumper(yaml.SafeDumper):
    """Writes as people do."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:  # noqa: FBT001, FBT002, ARG002
        super().increase_indent(flow, False)  # noqa: FBT003

    def ignore_aliases(self, data: object) -> bool:  # noqa: ARG002
        return True


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = None
    if _BREAKS.search(text):
        style = '"'
    elif "\n" in text:
        style = "|"
    elif reads_as_other(text):
        style = "'"
    return dumper.represent_scalar(_TEXT, text, style=style)


_Dumper.add_representer(str, _text)
