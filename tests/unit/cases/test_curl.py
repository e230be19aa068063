"""The curl line of a failure."""

from __future__ import annotations

import pytest

from wasmctl.cases.curl import curl_command, run_command
from wasmctl.cases.model import Plugin, Request

ADDRESS = "http://127.0.0.1:18000"


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        (Request(), f"curl -i {ADDRESS}/"),
        (
            Request(path="/a?b=1&c=2", headers=((b"x-a", b"it's"), (b"empty", b""))),
            f"""curl -i -H 'x-a: it'"'"'s' -H 'empty;' '{ADDRESS}/a?b=1&c=2'""",
        ),
        (
            Request(method="POST", body=(b'{"a": 1}',), headers=((b"content-type", b"text/a"),)),
            f"""curl -i -H 'content-type: text/a' --data-binary '{{"a": 1}}' {ADDRESS}/""",
        ),
        (
            Request(method="PUT", body=(b"a", b"b"), http=2),
            "curl -i --http2-prior-knowledge -X PUT -H content-type: --data-binary ab "
            f"{ADDRESS}/  # the case sends the body in 2 chunks",
        ),
        (
            Request(method="POST", body=(b"\0\xff",)),
            f"printf '\\000\\377' | curl -i -H content-type: --data-binary @- {ADDRESS}/",
        ),
        (Request(headers=((b"x", b"\xff'"),)), f"curl -i -H $'x: \\xff\\'' {ADDRESS}/"),
        (Request(method="HEAD"), f"curl -i -I {ADDRESS}/"),
        (
            Request(path="/a/../b[1]", trailers=((b"t", b"1"),)),
            f"curl -i --path-as-is -g '{ADDRESS}/a/../b[1]'"
            "  # without the trailers, which curl cannot send",
        ),
    ],
)
def test_a_request_as_a_curl_line(request_: Request, expected: str) -> None:
    assert curl_command(request_) == expected


def test_chunks_of_http_1_stay_chunks() -> None:
    line = curl_command(Request(method="POST", body=(b"a", b"b")))
    assert "-H 'transfer-encoding: chunked'" in line


def test_a_long_body_is_left_to_a_file() -> None:
    line = curl_command(Request(method="POST", body=(b"a" * 3000,)))
    assert "--data-binary @body" in line
    assert "3000 bytes" in line


def test_the_plug_in_is_served_as_the_case_configures_it() -> None:
    assert run_command(Plugin()) == "wasmctl run"
    assert run_command(Plugin(configuration="tick 1")) == "wasmctl run --config 'tick 1'"
    assert run_command(Plugin(configuration="x" * 999)) == "wasmctl run --config-file FILE"
