"""Which case files a project has, and the digest of what they ask for.

Reads no YAML: `push` asks whether a module was tested without paying for it.
"""

from __future__ import annotations

import contextlib
import hashlib
import re
from pathlib import Path
from typing import TYPE_CHECKING, Final

from wasmctl.errors import UsageError
from wasmctl.paths import relative
from wasmctl.project.configuration import plugin_configuration
from wasmctl.project.settings import TestSettings

if TYPE_CHECKING:
    from wasmctl.project.project import Project

__all__ = ["digest_cases", "find_case_files"]

# What looks like `file: PATH`; one too many does no harm.
_FILE_KEY: Final = re.compile(
    rb"""\bfile["']?\s*:\s*(?:(?P<mark>["'])(?P<quoted>[^"'\n]+)(?P=mark)|(?P<plain>[^\s"'][^\n,}#]*))"""
)


def find_case_files(project: Project) -> tuple[Path, ...]:
    """Return the files that `[test] cases` matches, sorted; empty where the default matches none.

    Raises:
        UsageError: the project names its case files, and there are none of that name.
    """
    pattern = project.settings.test.cases
    # With several packages in one repository the files may lie above: `../tests/*.cases.yaml`.
    start = Path(pattern).anchor or project.folder
    found = Path(start).glob(str(Path(pattern).relative_to(Path(pattern).anchor)))
    files = tuple(sorted(path for path in found if path.is_file()))
    if not files and pattern != TestSettings().cases:
        message = f"`[test] cases` of `{project.name}` matches no file: `{pattern}`"
        hint = f"it starts from `{project.folder}`; `**/` stands for any folders"
        raise UsageError("no-cases", message, hint=hint)
    return files


def digest_cases(project: Project) -> str:
    """Return the digest of all that the project's cases are made of: it changes when they do.

    Names and bytes of the case files and of those that they name (`{file: PATH}`), and the
    configuration that cases without one get.

    Raises:
        OSError: a file cannot be read.
        UsageError: there are none of the name that the project gives, or the configuration is bad.
    """
    digest = hashlib.sha256((plugin_configuration(project) or "").encode())
    for path in find_case_files(project):
        content = path.read_bytes()
        _add(digest, relative(path, project.folder), content)
        for name in _named_files(content):
            # What is none after all, or is missing, `test` says.
            with contextlib.suppress(OSError, ValueError):
                _add(digest, Path(name), (path.parent / name).read_bytes())
    return digest.hexdigest()


def _add(digest: hashlib._Hash, name: Path, content: bytes) -> None:
    digest.update(f"\0{name}\0{len(content)}\0".encode("utf-8", "surrogateescape"))
    digest.update(content)


def _named_files(content: bytes) -> list[str]:
    found = (match["quoted"] or match["plain"].strip() for match in _FILE_KEY.finditer(content))
    return [name.decode("utf-8", "surrogateescape") for name in found]
