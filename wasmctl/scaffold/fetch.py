"""Where a template comes from: the bundled ones, a folder, or a git repository."""

from __future__ import annotations

import contextlib
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from wasmctl.errors import ToolFailed, ToolMissing, UsageError
from wasmctl.process import follow
from wasmctl.programs import find_program
from wasmctl.scaffold.template import Template, find_bundled, read_template
from wasmctl.session import Session

__all__ = ["opened_template", "split_reference"]

# git's own forms (git-clone(1), "GIT URLS"): a scheme, or host:path as scp has it.
_GIT_URL: Final = re.compile(r"(?:git\+)?(?:https?|ssh|git|file)://.+|[\w.-]+@[\w.-]+:.+")


@contextlib.contextmanager
def opened_template(text: str, session: Session) -> Iterator[Template]:
    """Yield the template that `text` means, for as long as the block runs.

    Args:
        text: a bundled template's name, a folder, or a git URL with an optional `@REF`.
        session: the current folder, and the terminal that git may ask at.

    Raises:
        UsageError: there is no such template.
        ToolMissing: it is a git URL and there is no git.
        ToolFailed: git could not fetch it.
    """
    if _GIT_URL.fullmatch(text):
        with tempfile.TemporaryDirectory(prefix="wasmctl-") as scratch:
            yield _cloned(text, Path(scratch, "clone"), session)
    elif "/" in text or text.startswith(("~", ".")):
        yield read_template(_folder(text, session), name=text)
    else:
        yield find_bundled(text)


def split_reference(text: str) -> tuple[str, str | None]:
    """Split `URL@REF` into the two; the `@` before a host is none of it."""
    url = text.removeprefix("git+")
    before, _, after = url.rpartition(".git@")
    if before:
        return f"{before}.git", after
    before, _, after = url.rpartition("@")
    if before and "/" not in after and ":" not in after and not before.endswith("/"):
        return before, after
    return url, None


def _folder(text: str, session: Session) -> Path:
    home = session.env.get("HOME", "~")
    expanded = f"{home}{text[1:]}" if text == "~" or text.startswith("~/") else text
    folder = Path(session.cwd, expanded)
    if not folder.is_dir():
        what = "is a file" if folder.exists() else "does not exist"
        raise UsageError(
            "unknown-template",
            f"the template's folder `{text}` {what}",
            hint="`wasmctl init --list` shows the templates that come with wasmctl",
        )
    return folder


def _cloned(text: str, into: Path, session: Session) -> Template:
    git = find_program("git", session.env)
    if git is None:
        raise ToolMissing(
            "git-missing",
            f"a template at `{text}` takes git, and none is on PATH",
            hint="install git, or give a folder",
        )
    url, ref = split_reference(text)
    branch = [] if ref is None else ["--branch", ref]
    argv: list[str | Path] = [git, "clone", "--quiet", "--depth", "1", *branch, "--", url, into]
    env = dict(session.env)
    if not session.prompts:
        env = {"GIT_SSH_COMMAND": "ssh -o BatchMode=yes", **env, "GIT_TERMINAL_PROMPT": "0"}
    done = follow(argv, env=env, cwd=session.cwd, live=None, stdin_terminal=session.prompts)
    if done.exit_code != 0:
        raise ToolFailed(
            "template-fetch-failed",
            f"git could not fetch the template `{url}`" + (f" at `{ref}`" if ref else ""),
            hint="the lines above are git's; check the URL, the reference and your access",
            output=done.stderr,
        )
    return read_template(into, name=text)
