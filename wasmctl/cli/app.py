"""The root command: reads the world once, runs a verb, shows its result or its failure.

The only place that reads the environment and the streams, and the only one that turns an error
into text and an exit code.
"""

from __future__ import annotations

import contextlib
import errno
import importlib
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Final

import typer
from typer.exceptions import TyperException

from wasmctl import __version__, process
from wasmctl.cli.parameters import convert_without_pydantic
from wasmctl.console import Console, wants_colour
from wasmctl.errors import ExitCode, UsageError, WasmctlError
from wasmctl.results import ErrorItem, Result, envelope
from wasmctl.session import Session

__all__ = ["make_app", "run"]

# Verb → the module that adds it; in the order of the road, which is the order of `--help`.
VERBS: Final[Mapping[str, str]] = {
    "quickstart": "quickstart",
    "init": "init",
    "build": "build",
    "check": "check",
    "inspect": "inspect",
    "test": "test",
    "run": "run",
    "package": "package",
    "push": "push",
    "pull": "pull",
    "login": "login",
    "logout": "login",
    "manifest": "manifest",
    "logs": "logs",
    "explain": "explain",
    "config": "config",
}
# Verbs that hand what stands behind `--` to a tool.
_TAILED: Final = frozenset({"build", "logs"})
# Options of the root command that may stand anywhere before a `--`.
_GLOBAL: Final = frozenset(
    {"--json", "-v", "-vv", "--verbose", "-q", "--quiet", "--debug", "--no-input"}
    | {"--color", "--no-color"}
)
# What the operating system says when it is the machine, and not a bug, that is in the way.
_SURROUNDINGS: Final = frozenset(
    {errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOSPC, errno.EDQUOT, errno.ENAMETOOLONG}
    | {errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.EMFILE, errno.EFBIG, errno.ELOOP}
)


def run(arguments: Sequence[str]) -> int:
    """Run one command line and return its exit code."""
    _prepare_streams()
    args, tail = _hoist(arguments)
    words = [word for word in args if word not in _GLOBAL]
    command = _command_name(words)
    console = _console(args, os.environ)
    as_json = "--json" in args
    if not words and not as_json:
        args = [*args, "--help"]
    try:
        result = _invoke(console, args, tail)
        if isinstance(result, int):  # help, completion
            return result if words else ExitCode.USAGE
        for line in () if as_json else result.lines:
            console.result(line)
        for line in result.afterwards:
            console.say(line)
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 - the one boundary
        if "--debug" in args or os.environ.get("WASMCTL_DEBUG"):
            sys.excepthook(type(error), error, error.__traceback__)
        # What still runs beside us (a credential helper, a compiler) is not left behind.
        process.stop_all()
        result = _failed(error, console, arguments)
    if as_json:
        try:
            console.result(envelope(command, result))
        except OSError as error:
            result = _failed(error, console, arguments)
    return result.exit_code


def _prepare_streams() -> None:
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            # Closed by whoever started us: the next file opened would be taken for it.
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: PTH123, SIM115
    for stream in (sys.stdout, sys.stderr):
        # A file name with odd bytes is shown escaped rather than not at all.
        stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]


def _invoke(console: Console, args: list[str], tail: tuple[str, ...]) -> Result | int:
    convert_without_pydantic()
    completing = "_WASMCTL_COMPLETE" in os.environ
    words = [word for word in args if word not in _GLOBAL]
    verb = words[0] if words and not completing else None
    tree = typer.main.get_command(make_app(console, tail, verb))
    result: Result | int | None = tree.main(args, prog_name="wasmctl", standalone_mode=False)
    if result == ExitCode.INTERRUPTED:  # typer turns Ctrl-C into this number
        raise KeyboardInterrupt
    return 0 if result is None else result


def make_app(console: Console, tail: tuple[str, ...] = (), verb: str | None = None) -> typer.Typer:
    """Return the command tree; every verb gets a `Session` as `ctx.obj`.

    Args:
        console: where talk goes.
        tail: the arguments behind `--`, for a verb that hands them to a tool.
        verb: the only verb that is wanted; all where it is none of ours.
    """
    app = typer.Typer(
        name="wasmctl",
        help="Scaffold, build, check, test and push Proxy-Wasm plug-ins in Rust and Go.",
        epilog="Exit codes: 0 done, 1 no, 2 usage, 3 tool missing, 4 tool failed, 5 unreadable, "
        "6 registry, 7 proxy, 70 a bug, 130 interrupted.",
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )

    @app.callback(invoke_without_command=True)
    def root(
        ctx: typer.Context,
        as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
        verbose: Annotated[
            int, typer.Option("-v", "--verbose", count=True, help="Say what was chosen and why.")
        ] = 0,
        quiet: Annotated[bool, typer.Option("-q", "--quiet", help="Say only what fails.")] = False,
        no_input: Annotated[bool, typer.Option("--no-input", help="Ask nothing.")] = False,
        color: Annotated[
            bool | None, typer.Option("--color/--no-color", help="Whether to use colour.")
        ] = None,
        debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks.")] = False,
        version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
    ) -> Result | None:
        del verbose, quiet, color  # already in the console, which usage errors need too
        ctx.obj = _session(console, tail, no_input=no_input, as_json=as_json, debug=debug)
        if version:
            return Result(data={"version": __version__}, lines=(f"wasmctl {__version__}",))
        if ctx.invoked_subcommand is None:
            raise UsageError("no-command", "no command", hint="see `wasmctl --help`")
        return None

    # Typer reads every verb's signature; only where all are to be shown is that worth the time.
    wanted = VERBS.get(verb or "")
    modules = dict.fromkeys(VERBS.values() if wanted is None else [wanted])
    for module in modules:
        importlib.import_module(f"wasmctl.cli.{module}").register(app)
    return app


def _hoist(arguments: Sequence[str]) -> tuple[list[str], tuple[str, ...]]:
    """Move the root command's options to the front, and split off what is for a tool."""
    end = arguments.index("--") if "--" in arguments else len(arguments)
    front = [word for word in arguments[:end] if word in _GLOBAL]
    rest = [word for word in arguments[:end] if word not in _GLOBAL]
    if rest[:1] and rest[0] in _TAILED:
        return [*front, *rest], tuple(arguments[end + 1 :])
    return [*front, *rest, *arguments[end:]], ()


def _command_name(words: Sequence[str]) -> str:
    names = [word for word in words if not word.startswith("-")]
    return " ".join(names[: 2 if names[:1] == ["config"] else 1])


def _console(args: Sequence[str], env: Mapping[str, str]) -> Console:
    colour, result_colour = wants_colour(sys.stderr, env), wants_colour(sys.stdout, env)
    if "--color" in args or "--no-color" in args:
        colour = result_colour = "--color" in args
    quiet = "-q" in args or "--quiet" in args
    verbosity = sum({"-v": 1, "--verbose": 1, "-vv": 2}.get(word, 0) for word in args)
    moving = sys.stderr.isatty() and not env.get("CI") and env.get("TERM") != "dumb"
    return Console(
        out=sys.stdout,
        err=sys.stderr,
        verbosity=-1 if quiet else verbosity,
        colour=colour,
        result_colour=result_colour,
        animated=moving and "--json" not in args,
    )


def _session(
    console: Console, tail: tuple[str, ...], *, no_input: bool, as_json: bool, debug: bool
) -> Session:
    env = dict(os.environ)
    if not env.get("HOME"):
        # Compilers do not look further (go: "module cache not found"); the password database knows.
        with contextlib.suppress(RuntimeError):
            env["HOME"] = str(Path.home())
    terminal = sys.stdin is not None and sys.stdin.isatty() and sys.stderr.isatty()
    off = no_input or as_json or env.get("CI") or env.get("WASMCTL_NO_INPUT")
    try:
        cwd = Path.cwd()
    except FileNotFoundError:
        raise UsageError("no-folder", "the current folder is gone", hint="change to one") from None
    return Session(
        env=env,
        cwd=cwd,
        console=console,
        prompts=terminal and not off,
        debug=debug,
        as_json=as_json,
        stdin=sys.stdin,
        tail=tail,
    )


def _failed(
    error: Exception | KeyboardInterrupt, console: Console, arguments: Sequence[str]
) -> Result:
    known = _known(error)
    if known is None:
        known = _unexpected(error, arguments)
    code = getattr(known, "exit_code", ExitCode.INTERNAL)
    if isinstance(error, KeyboardInterrupt):
        code = ExitCode.INTERRUPTED
    console.error(known.message, known.hint, known.output)
    item = ErrorItem(code=known.code, message=known.message, hint=known.hint)
    return Result(exit_code=code, errors=(item,), data=getattr(error, "data", {}))


def _known(error: BaseException) -> WasmctlError | None:
    match error:
        case WasmctlError():
            return error
        case KeyboardInterrupt() | typer.Abort():
            return WasmctlError("interrupted", "interrupted")
        case TyperException():
            return _usage(error)
        case OSError(errno=number, filename=str() as name) if number in _SURROUNDINGS:
            reason = (error.strerror or str(error)).lower()
            hint = "check the path, its permissions and the space left"
            return UsageError("cannot-write", f"`{name}`: {reason}", hint=hint)
        case OSError(errno=errno.ENOSPC):
            return UsageError("cannot-write", "no space left on the disk", hint="make room")
        case _:
            return None


def _usage(error: TyperException) -> UsageError:
    # What the parser raises carries its message and, mostly, the context of the verb.
    text = error.format_message() if hasattr(error, "format_message") else str(error)
    context = getattr(error, "ctx", None)
    path = context.command_path if context is not None else "wasmctl"
    message = text[:1].lower() + text[1:].rstrip(".").replace("'", "`")
    return UsageError("usage", message, hint=f"see `{path} --help`")


def _unexpected(error: BaseException, arguments: Sequence[str]) -> WasmctlError:
    import platform
    import re
    import time
    import traceback

    from wasmctl.paths import state_folder

    lines = [f"wasmctl {__version__}, Python {platform.python_version()}, {platform.platform()}"]
    # A URL may carry a password.
    shown = re.sub(r"[^/\s]*@", "…@", " ".join(arguments))
    lines += [f"arguments: {shown}", "", *traceback.format_exception(error)]
    path = state_folder(os.environ) / f"error-{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}.log"
    where = f"the details are in `{path}`"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600), "wb") as stream:
            stream.write("\n".join(lines).encode(errors="backslashreplace"))
    except OSError:
        where = "run it again with `--debug` for the details"
    message = f"this is a bug in wasmctl: {type(error).__name__}: {error}"
    return WasmctlError("internal", message, hint=f"please report it; {where}")
