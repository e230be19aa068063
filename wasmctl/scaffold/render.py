"""A template's folders and the answers → the files of a project, as values.

The only module that knows Jinja and copier. Nothing of a template is run: Jinja is in its sandbox;
tasks, migrations and extensions are refused, whatever the user's own copier settings trust.
Copier takes half a second to import: our own layers do without.
"""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final

from wasmctl.errors import UsageError, WasmctlError

__all__ = ["RenderedFile", "render_folder", "render_layers"]

_SUFFIX: Final = ".jinja"
_OUTSIDE_HINT: Final = "take the link or the path with `..` out of it"


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
    they are. A name that is not answered is an error rather than nothing.

    Raises:
        UsageError: a file is a link, or cannot be rendered.
    """
    files = {}
    for layer in layers:
        for path in _files(layer):
            file = _render_file(path, path.relative_to(layer), answers)
            files[file.path] = file
    return tuple(files.values())


def _render_file(path: Path, inner: Path, answers: Mapping[str, object]) -> RenderedFile:
    if inner.suffix != _SUFFIX:
        return _rendered(path, inner)
    from jinja2 import StrictUndefined
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    jinja = ImmutableSandboxedEnvironment(
        undefined=StrictUndefined, keep_trailing_newline=True, autoescape=False
    )
    try:
        text = jinja.from_string(path.read_text(encoding="utf-8")).render(answers)
    except OSError:
        raise
    except Exception as error:  # noqa: BLE001 - an expression can raise anything
        raise _not_rendered(error, inner) from None
    return _rendered(path, inner.with_suffix(""), text.encode())


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
        rules = [name for name in ("copier.yml", "copier.yaml") if (source / name).is_file()]
        if len(rules) > 1:  # copier would print that itself
            raise _not_rendered(ValueError(f"it has both {' and '.join(rules)}"), None)
        # Without questions the defaults are simply known to it.
        known = given if rules else {**defaults, **given}
        return _run(source, Path(scratch, "project"), given=known, defaults=defaults, ask=ask)


def _copy(folder: Path, into: Path) -> None:
    """Copy a folder's content; not the permissions of folders, they may be read-only."""
    into.mkdir()
    for path in sorted(folder.rglob("*")):
        inner = path.relative_to(folder)
        place = into / inner
        if ".git" in inner.parts:
            continue
        if path.is_symlink():
            place.symlink_to(path.readlink())
        elif path.is_dir():
            place.mkdir()
        elif path.is_file():
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
    except KeyboardInterrupt:  # copier's is an Exception too
        raise KeyboardInterrupt from None
    except OSError:
        raise
    except Exception as error:  # noqa: BLE001 - whatever a template makes copier or Jinja raise
        raise _explained(error) from None
    return tuple(_rendered(path, path.relative_to(into)) for path in _files(into))


def _files(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.rglob("*")):
        if path.is_symlink():
            inner = path.relative_to(folder)
            raise UsageError("unsafe-template", f"`{inner}` is a link", hint=_OUTSIDE_HINT)
        if path.is_file():
            yield path


def _rendered(path: Path, inner: Path, content: bytes | None = None) -> RenderedFile:
    return RenderedFile(
        path=PurePosixPath(inner.as_posix()),
        content=path.read_bytes() if content is None else content,
        executable=bool(path.stat().st_mode & 0o100),
    )


def _explained(error: Exception) -> WasmctlError:
    """Say what copier raised, in our words."""
    from copier import errors

    required = re.fullmatch(r'Question "(.+)" is required', str(error))
    if required is not None:
        return UsageError(
            "answer-missing",
            f"the template asks for `{required[1]}`, and nothing answers",
            hint=f"add `--data {required[1]}=VALUE`",
        )
    match error:
        case errors.UnsafeTemplateError():
            return UsageError(
                "unsafe-template",
                "the template wants to run code of its own; `init` runs none",
                hint="take its `_tasks`, `_migrations` and `_jinja_extensions` out of copier.yml",
            )
        case errors.ForbiddenPathError():
            return UsageError(
                "unsafe-template",
                "the template reaches outside its own folder",
                hint=_OUTSIDE_HINT,
            )
        case errors.InvalidConfigFileError():
            return _not_rendered(ValueError("it is not YAML"), "copier.yml")
        case _:
            return _not_rendered(error, getattr(error, "name", None))


def _not_rendered(error: Exception, name: object) -> UsageError:
    text = str(error).splitlines()[0] if str(error) else type(error).__name__
    line = f", line {error.lineno}" if hasattr(error, "lineno") else ""
    where = "" if name is None else f" (`{name}`{line})"
    return UsageError(
        "bad-template",
        f"the template cannot be rendered{where}: {text}",
        hint="this is the template's fault; correct it there",
    )
