"""A template's folders and the answers → the files of a project, as values.

The only module that knows copier. Nothing of a template is run: tasks, migrations and extensions
of Jinja are refused, whatever the user's own copier settings trust.
"""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final

from wasmctl.errors import UsageError, WasmctlError

__all__ = ["RenderedFile", "render_folder", "render_layers"]

# For layers: what is not answered is an error rather than nothing, and every file is wanted.
_LAYER_RULES: Final = "_envops: {undefined: jinja2.StrictUndefined}\n_exclude: [copier.yml]\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class RenderedFile:
    """A file that a template makes.

    Args:
        path: its place below the project's folder.
        content: its bytes.
        executable: whether it may be run.
    """

    path: PurePosixPath
    content: bytes
    executable: bool = False


def render_layers(
    layers: Sequence[Path], answers: Mapping[str, object]
) -> tuple[RenderedFile, ...]:
    """Return the files of layers put over each other, the later over the earlier.

    Only files that end in `.jinja` are rendered, without that ending; the others are taken as
    they are.

    Raises:
        UsageError: a file cannot be rendered.
    """
    with tempfile.TemporaryDirectory(prefix="wasmctl-") as scratch:
        source = Path(scratch, "template")
        for layer in layers:
            _copy(layer, source)
        (source / "copier.yml").write_text(_LAYER_RULES, encoding="utf-8")
        return _run(source, Path(scratch, "project"), given=answers, defaults={}, ask=False)


def render_folder(
    folder: Path, *, given: Mapping[str, object], defaults: Mapping[str, object], ask: bool
) -> tuple[RenderedFile, ...]:
    """Return the files that a copier template, or any folder, makes.

    Args:
        folder: the template.
        given: answers that were given.
        defaults: answers for questions of these names that were not.
        ask: whether copier may ask on the terminal for the others.

    Raises:
        UsageError: it wants to run code, needs an answer, or cannot be rendered.
        KeyboardInterrupt: a question was left with Ctrl-C.
    """
    with tempfile.TemporaryDirectory(prefix="wasmctl-") as scratch:
        # A copy, so that copier takes the folder as it stands, not the last tag of a repository.
        source = Path(scratch, "template")
        _copy(folder, source)
        asks = any((source / name).is_file() for name in ("copier.yml", "copier.yaml"))
        # Without questions the defaults are simply known to it.
        known = given if asks else {**defaults, **given}
        return _run(source, Path(scratch, "project"), given=known, defaults=defaults, ask=ask)


def _copy(folder: Path, into: Path) -> None:
    """Copy a folder's content over what is there; not its permissions, it may be read-only."""
    into.mkdir(exist_ok=True)
    for path in sorted(folder.rglob("*")):
        inner = path.relative_to(folder)
        place = into / inner
        if ".git" in inner.parts:
            continue
        if path.is_symlink():
            place.symlink_to(path.readlink())
        elif path.is_dir():
            place.mkdir(exist_ok=True)
        else:
            place.unlink(missing_ok=True)
            shutil.copy(path, place)


def _run(
    source: Path,
    into: Path,
    *,
    given: Mapping[str, object],
    defaults: Mapping[str, object],
    ask: bool,
) -> tuple[RenderedFile, ...]:
    import copier

    try:
        copier.run_copy(
            str(source),
            into,
            data=dict(given),
            user_defaults=dict(defaults),
            settings=copier.Settings(),
            defaults=not ask,
            overwrite=True,
            quiet=True,
            unsafe=False,
        )
    except OSError:
        raise
    except Exception as error:  # noqa: BLE001 - whatever a template makes copier or Jinja raise
        raise _explained(error) from None
    return tuple(
        RenderedFile(
            path=PurePosixPath(path.relative_to(into).as_posix()),
            content=path.read_bytes(),
            executable=bool(path.stat().st_mode & 0o100),
        )
        for path in sorted(into.rglob("*"))
        if path.is_file()
    )


def _explained(error: Exception) -> WasmctlError:
    from copier.errors import ForbiddenPathError, InteractiveSessionError, UnsafeTemplateError

    text = str(error).splitlines()[0] if str(error) else type(error).__name__
    required = re.fullmatch(r'Question "(.+)" is required', text)
    if required is not None:
        return UsageError(
            "answer-missing",
            f"the template asks for `{required[1]}`, and nothing answers",
            hint=f"add `--data {required[1]}=VALUE`",
        )
    match error:
        case UnsafeTemplateError():
            return UsageError(
                "unsafe-template",
                "the template wants to run code of its own; `init` runs none",
                hint="take its `_tasks`, `_migrations` and `_jinja_extensions` out of copier.yml",
            )
        case ForbiddenPathError():
            return UsageError(
                "unsafe-template",
                "the template reaches outside its own folder",
                hint="take the link or the path with `..` out of it",
            )
        case InteractiveSessionError():
            return UsageError(
                "answer-missing",
                "the template asks questions, and nobody is there to answer",
                hint="answer with `--data KEY=VALUE`",
            )
        case _:
            where = getattr(error, "name", None) or getattr(error, "filename", None)
            place = f" (`{where}`, line {error.lineno})" if hasattr(error, "lineno") else ""
            return UsageError("bad-template", f"the template cannot be rendered: {text}{place}")
