"""Names: what Cargo, Go, images and Kubernetes all take."""

from __future__ import annotations

import re

import pytest

from wasmctl.errors import UsageError
from wasmctl.scaffold.names import check_name, name_problem, suggest_name

# Two of the four grammars, as their owners write them down: whatever we take must match both.
IMAGE_COMPONENT = re.compile(r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*")
KUBERNETES_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")

GOOD = ["a", "header-auth", "x2", "a-1", "auth-v2-beta", "a" * 63]
BAD = {
    "": "is empty",
    "a" * 64: "64 characters",
    "Header_Auth!": "lower-case",
    "header_auth": "lower-case",
    "2fast": "letter first",
    "-x": "letter first",
    "x-": "hyphens",
    "x--y": "single hyphens",
    "a.b": "lower-case",
    "a/b": "lower-case",
    "größe": "lower-case",
    "async": "keyword of Rust",
    "test": "cargo",
    "proc-macro": "cargo",
    "proxy-wasm": "crate",
    "plugin": "Go",
    "main": "Go",
    "con": "Windows",
    "lpt9": "Windows",
}


@pytest.mark.parametrize("name", GOOD)
def test_a_good_name_is_taken_everywhere(name: str) -> None:
    assert name_problem(name) is None
    assert IMAGE_COMPONENT.fullmatch(name)
    assert KUBERNETES_LABEL.fullmatch(name)


@pytest.mark.parametrize("name", BAD)
def test_a_bad_name_is_refused_with_the_reason_and_a_good_one(name: str) -> None:
    with pytest.raises(UsageError) as caught:
        check_name(name, fallback="header-auth")
    assert BAD[name] in caught.value.message
    assert caught.value.hint is not None
    suggestion = caught.value.hint.rpartition(" ")[2].rstrip("`")
    assert name_problem(suggestion) is None


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Header_Auth!", "header-auth"),
        ("headerAuth", "header-auth"),
        ("my plug-in (2)", "my-plug-in-2"),
        ("2fast", "fast"),
        ("Größe", "groe"),
        ("Café au lait", "cafe-au-lait"),
        ("日本", "fallback"),
        ("123", "fallback"),
        ("", "fallback"),
        ("Plugin", "plugin-filter"),
        ("a" * 62 + "-b", "a" * 62),
        ("x" * 80, "x" * 63),
    ],
)
def test_the_nearest_name_is_suggested(text: str, name: str) -> None:
    assert suggest_name(text, fallback="fallback") == name
    assert name_problem(name) is None
