"""Reading TOML: every mistake is shown with its line, every key has one."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from wasmctl.errors import UsageError
from wasmctl.project.toml import read_toml

EVERY_FORM = '''\
# required-version = "in a comment"
required-version = ">=1" # a = 1
image.tag = "a = b"
"quoted key".'literal.key' . bare = 1
when = 1979-05-27 07:32:00

[plugin]
targets = [ # [x]
  "a]", """
name = 3
""", \'\'\'
version = 2\'\'\',
]
config = {a = 1, b = {c = [1, {d = 2}]}}
name = "x"
[[deploy.target-refs]]
kind = "x"
[ build . "env" ]
"A.B\\u0041" = 1.5e3
'''

LINES = [
    (("required-version",), 2),
    (("image", "tag"), 3),
    (("quoted key", "literal.key", "bare"), 4),
    (("when",), 5),
    (("plugin",), 7),
    (("plugin", "targets"), 8),
    (("plugin", "config"), 14),
    (("plugin", "config", "b", "c", "d"), 14),
    (("plugin", "name"), 15),
    (("deploy", "target-refs"), 16),
    (("deploy", "target-refs", "kind"), 17),
    (("build", "env", "A.BA"), 19),
    # Of a key that is not there, the line of the nearest table that is.
    (("plugin", "version"), 7),
]


def test_no_file_is_no_error(tmp_path: Path) -> None:
    assert read_toml(tmp_path / "wasmctl.toml") is None
    assert read_toml(tmp_path / "nowhere/wasmctl.toml") is None


@pytest.mark.parametrize(("keys", "line"), LINES, ids=str)
def test_every_key_has_its_line(tmp_path: Path, keys: tuple[str, ...], line: int) -> None:
    path = tmp_path / "wasmctl.toml"
    path.write_text(EVERY_FORM)
    file = read_toml(path)
    assert file is not None
    assert file.place(*keys) == f"`{path}`, line {line}"


def test_what_is_nowhere_has_no_line(tmp_path: Path) -> None:
    path = tmp_path / "wasmctl.toml"
    path.write_text("a = 1\n")
    file = read_toml(path)
    assert file is not None
    assert file.place("b", "c") == f"`{path}`"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a = 1\nb = \n", "line 2: invalid value\n  2 | b = \n    |     ^"),
        ("name x\n", "line 1: expected '=' after a key in a key/value pair\n  1 | name x\n"),
        ("\n\n[x\n", "line 3: expected ']' at the end of a table declaration\n  3 | [x\n"),
        ("x = 1\ny = 2\nx = 3\n", "line 3: the same key a second time\n  3 | x = 3\n"),
        ("a = [1,\n2", "line 2: unclosed array\n  2 | 2"),
        ("[a]\n[a]\n", "line 2: cannot declare ('a',) twice\n  2 | [a]\n"),
        ("a = ", "line 1: invalid value\n  1 | a = "),
        ("\ta = \n", "line 1: invalid value\n  1 |  a = \n    |      ^"),
        (f"a = {'[' * 5000}", f"line 1: maximum recursion depth exceeded\n  1 | a = {'[' * 116}"),
    ],
)
def test_a_mistake_is_shown_with_its_line(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "wasmctl.toml"
    path.write_text(text)
    with pytest.raises(UsageError) as caught:
        read_toml(path)
    assert caught.value.code == "bad-toml"
    assert caught.value.message.startswith(f"`{path}`, {said.splitlines()[0][:32]}")
    assert said in caught.value.message


def test_a_byte_order_mark_is_no_mistake(tmp_path: Path) -> None:
    path = tmp_path / "wasmctl.toml"
    path.write_bytes(b"\xef\xbb\xbfa = 1\r\nb = 2\r\n")
    file = read_toml(path)
    assert file is not None
    assert file.document == {"a": 1, "b": 2}
    assert file.place("b").endswith("line 2")


def test_another_encoding_is_told_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "wasmctl.toml"
    path.write_bytes("a = 1\nb = 'Müller'\n".encode("latin-1"))
    with pytest.raises(UsageError, match="line 2: not UTF-8") as caught:
        read_toml(path)
    assert caught.value.hint == "save it as UTF-8"


def test_what_cannot_be_read_is_told_with_its_path(tmp_path: Path) -> None:
    (tmp_path / "wasmctl.toml").mkdir()
    with pytest.raises(UsageError, match=r"/wasmctl.toml` cannot be read: is a directory"):
        read_toml(tmp_path / "wasmctl.toml")


def test_what_is_no_file_is_refused_at_once(tmp_path: Path) -> None:
    """A named pipe would be waited for, for ever."""
    path = tmp_path / "wasmctl.toml"
    os.mkfifo(path)
    with pytest.raises(UsageError, match=r"/wasmctl.toml` is no file, but a named pipe"):
        read_toml(path)
    path.unlink()
    path.symlink_to("/dev/zero")
    with pytest.raises(UsageError, match=r"/wasmctl.toml` is no file, but a device"):
        read_toml(path)


def test_a_link_to_nothing_is_not_taken_for_no_file(tmp_path: Path) -> None:
    path = tmp_path / "wasmctl.toml"
    path.symlink_to("../gone.toml")
    with pytest.raises(UsageError, match=r"is a link to `../gone.toml`, which is not there"):
        read_toml(path)
