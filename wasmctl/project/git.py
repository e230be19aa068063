"""What git knows of a project: its tag, its origin and its commit. Absent git is no error."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from wasmctl.errors import ToolFailed, ToolMissing, UsageError
from wasmctl.process import capture, find_program
from wasmctl.project.project import Project

__all__ = ["Commit", "find_commit", "find_source", "find_version"]

# A tag of an image: OCI distribution specification 1.1, "Pulling manifests".
_TAG = re.compile(r"\w[\w.-]{0,127}", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Commit:
    """A commit: its full hash, and its time in seconds since 1970."""

    revision: str
    seconds: int


def find_version(project: Project, env: Mapping[str, str]) -> str | None:
    """Return the project's version, asking git for its tag where no file has one."""
    if project.version is not None:
        return project.version
    described = _git(project.folder, env, "describe", "--tags", "--dirty", "--match=*[0-9]*")
    return described if described is not None and _TAG.fullmatch(described) else None


def find_source(folder: Path, env: Mapping[str, str]) -> str | None:
    """Return the https URL of the repository's origin, without user, password and `.git`."""
    origin = _git(folder, env, "remote", "get-url", "origin")
    if origin is None:
        return None
    # Forms: git-clone(1), "GIT URLS"; those of a local disk are nobody else's business.
    found = re.fullmatch(
        r"(?:(?:https?|ssh|git)://(?:[^@/]*@)?(?P<host>[^/:@]+)(?::(?P<port>\d+))?/"
        r"|(?:[^@/:]+@)?(?P<scp>[^/:@]+):(?!/))(?P<path>.+?)(?:\.git)?/?",
        origin,
    )
    if found is None:
        return None
    plain_port = origin.startswith("http") and found["port"]
    port = f":{found['port']}" if plain_port else ""
    return f"https://{found['host'] or found['scp']}{port}/{found['path'].lstrip('/')}"


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
    git = find_program("git", env)
    if git is None:
        return None
    try:
        said = capture([git, *arguments], env=env, cwd=folder, timeout=10)
    except (ToolMissing, ToolFailed):
        return None
    return said.stdout.strip() or None if said.exit_code == 0 else None
