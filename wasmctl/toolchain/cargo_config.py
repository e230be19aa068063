"""What cargo's own configuration says, as far as a build of ours has to know it.

Cargo merges it itself; this reads the few keys that we would otherwise override unknowingly.
https://doc.rust-lang.org/cargo/reference/config.html#hierarchical-structure
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from wasmctl.errors import UsageError

if TYPE_CHECKING:
    from wasmctl.results import JSONValue

__all__ = ["CargoConfig", "cargo_home", "read_cargo_config", "workspace_root"]


@dataclass(frozen=True, slots=True, kw_only=True)
class CargoConfig:
    """Keys of `[build]`, with the variables that stand for them taken into account.

    Args:
        target: the target cargo would compile for; None: the host, or several.
        rustc: the rustc it would run; None: the one on PATH.
        rustc_wrapper: what it would run rustc through.
        target_folder: the absolute folder it would put its results into; None: `target`.
    """

    target: str | None
    rustc: str | None
    rustc_wrapper: str | None
    target_folder: Path | None


def read_cargo_config(folder: Path, env: Mapping[str, str]) -> CargoConfig:
    """Return what holds for a cargo that is run in `folder`.

    Raises:
        UsageError: a configuration file is not TOML.
    """
    tables = [*_build_tables(folder, env)]

    def value(key: str, *variables: str) -> tuple[str | None, Path]:
        for variable in (*variables, f"CARGO_BUILD_{key.upper().replace('-', '_')}"):
            if variable in env:
                return env[variable] or None, folder
        for table, base in tables:
            if isinstance(found := table.get(key), str):
                return found, base
        return None, folder

    def program(key: str, *variables: str) -> str | None:
        text, base = value(key, *variables)
        # A bare name is looked for on PATH; a path starts from the folder that holds `.cargo`.
        return text if text is None or "/" not in text else str(base / text)

    results, base = value("target-dir", "CARGO_TARGET_DIR")
    return CargoConfig(
        target=value("target")[0],
        rustc=program("rustc", "RUSTC"),
        rustc_wrapper=program("rustc-wrapper", "RUSTC_WRAPPER"),
        target_folder=None if results is None else base / results,
    )


def cargo_home(env: Mapping[str, str]) -> Path:
    """Return the folder of cargo's registry and user configuration."""
    return Path(env.get("CARGO_HOME") or Path(env.get("HOME", "/"), ".cargo")).absolute()


def workspace_root(folder: Path) -> Path:
    """Return the nearest folder from `folder` upwards with a Cargo workspace, else `folder`."""
    for candidate in (folder, *folder.parents):
        try:
            if b"[workspace" in (candidate / "Cargo.toml").read_bytes():
                return candidate
        except OSError:
            continue
    return folder


def _build_tables(
    folder: Path, env: Mapping[str, str]
) -> Iterator[tuple[Mapping[str, JSONValue], Path]]:
    """Yield the `[build]` tables, the nearest first, each with the folder its paths start from."""
    for base in (folder, *folder.parents):
        yield from _build_table(base / ".cargo", base)
    home = cargo_home(env)
    if home.name != ".cargo" or home.parent not in folder.parents:
        yield from _build_table(home, home.parent)


def _build_table(folder: Path, base: Path) -> Iterator[tuple[Mapping[str, JSONValue], Path]]:
    # Cargo reads the old name, without a suffix, first.
    for name in ("config", "config.toml"):
        try:
            raw = (folder / name).read_bytes()
        except OSError:
            continue
        import tomllib

        try:
            table = tomllib.loads(raw.decode("utf-8")).get("build")
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise UsageError("bad-toml", f"`{folder / name}` is not TOML: {error}") from None
        if isinstance(table, dict):
            yield table, base
        return
