"""What git knows of a project: its tag, its origin and its commit. Absent git is no error.

Only asks: no prompt, no pager, no lock, no network.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from wasmctl.errors import ToolFailed, ToolMissing, UsageError
from wasmctl.process import capture
from wasmctl.programs import find_program
from wasmctl.project.project import Project

__all__ = ["Commit", "find_commit", "find_source", "find_version"]

# A tag of an image: OCI distribution specification 1.1, "Pulling manifests".
_TAG: Final = re.compile(r"\w[\w.-]{0,127}", re.ASCII)
# git-clone(1), "GIT URLS". Whatever stands before the last `@` is a user, a password or a token.
_URL: Final = re.compile(
    r"(?P<scheme>https?|ssh|git)://(?:[^/]*@)?(?P<host>[^/:@\s]+)(?::(?P<port>\d+))?/(?P<path>.+)"
)
_SCP: Final = re.compile(r"(?:[^/]*@)?(?P<host>[^/:@\s]+\.[^/:@\s]+):(?!/)(?P<path>.+)")
# Before the arguments: nothing of the user's configuration that runs, waits or adds words.
_OPTIONS: Final = ("--no-pager", "-c", "core.fsmonitor=false", "-c", "log.showSignature=false")
_VARIABLES: Final = {"GIT_OPTIONAL_LOCKS": "0", "GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Commit:
    """A commit: its full hash, and its time in seconds since 1970."""

    revision: str
    seconds: int


def find_version(project: Project, env: Mapping[str, str]) -> str | None:
    """Return the project's version, asking git for its tag where no file has one.

    That is the last tag that reads as a version (`v1.2.3`), followed by what git adds where the
    files differ from it: `v1.2.3-4-g0a1b2c3`, `v1.2.3-dirty`.
    """
    if project.version is not None:
        return project.version
    # A tag with a slash is for one part of the repository (Go's modules), maybe another one.
    which = ("--match=v[0-9]*", "--match=[0-9]*", "--exclude=*/*")
    described = _git(project.folder, env, "describe", "--tags", "--dirty", *which)
    return described if described is not None and _TAG.fullmatch(described) else None


def find_source(folder: Path, env: Mapping[str, str]) -> str | None:
    """Return the URL of the repository's origin for a browser: no user, password and `.git`.

    None where there is no origin, or one that says nothing to others: a folder, an alias of ssh's.
    """
    origin = _git(folder, env, "remote", "get-url", "origin")
    return None if origin is None else _public_url(origin)


def _public_url(origin: str) -> str | None:
    found = _URL.fullmatch(origin) or _SCP.fullmatch(origin)
    if found is None:
        return None
    parts = found.groupdict()
    path = re.split(r"[?#]", parts["path"])[0].strip("/").removesuffix(".git")
    # A user name that holds a slash would have been taken for the host.
    if not path or "@" in parts["path"]:
        return None
    if (parts.get("scheme") or "").startswith("http"):
        port = f":{parts['port']}" if parts["port"] else ""
        return f"{parts['scheme']}://{parts['host']}{port}/{path}"
    return f"https://{parts['host']}/{path}"


def find_commit(folder: Path, env: Mapping[str, str]) -> Commit:
    """Return the commit that is checked out.

    Raises:
        UsageError: there is none.
    """
    shown = _git(folder, env, "log", "-1", "--format=%H %ct")
    if shown is None:
        hint = "leave out `--annotate-git`, or commit first"
        raise UsageError(
            "no-commit", f"`{folder}` is in no git repository with a commit", hint=hint
        )
    revision, _, seconds = shown.partition(" ")
    return Commit(revision=revision, seconds=int(seconds))


def _git(folder: Path, env: Mapping[str, str], *arguments: str) -> str | None:
    # Not worth a process where there is no repository.
    above = (folder, *folder.parents)
    if "GIT_DIR" not in env and not any((up / ".git").exists() for up in above):
        return None
    git = find_program("git", env)
    if git is None:
        return None
    try:
        said = capture(
            [git, *_OPTIONS, *arguments], env={**env, **_VARIABLES}, cwd=folder, timeout=10
        )
    except (ToolMissing, ToolFailed):
        return None
    return said.stdout.strip() or None if said.exit_code == 0 else None
