"""Plug-in projects of the tests' own, and building them as the command line does."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from wasmctl.console import Console
from wasmctl.project.project import Project
from wasmctl.project.settings import BuildSettings, Settings
from wasmctl.scaffold.apply import apply_scaffold
from wasmctl.scaffold.scaffold import Answers, plan_scaffold
from wasmctl.scaffold.template import find_bundled
from wasmctl.session import Session
from wasmctl.toolchain.build import build_module
from wasmctl.toolchain.module import BuildRequest, Module

if TYPE_CHECKING:
    from wasmctl.project.settings import ToolchainName

__all__ = ["Builder", "project_at", "scaffold", "small_crate", "small_go", "write"]

# What the proxies look for first: without it no file here would be a plug-in.
_MARKER_RUST = '#[no_mangle]\npub extern "C" fn proxy_abi_version_0_2_1() {}\n'
_MARKER_GO = "//go:wasmexport proxy_abi_version_0_2_1\nfunc abi() {}\n"


class Builder:
    """Builds projects, and keeps what was said."""

    def __init__(self, env: Mapping[str, str]) -> None:
        self.env = dict(env)
        # TinyGo's and the linkers' caches: nobody gains by filling them again.
        self.env.setdefault("XDG_CACHE_HOME", str(Path.home() / ".cache"))
        self.talk = ""

    def __call__(
        self,
        folder: Path,
        toolchain: ToolchainName,
        request: BuildRequest | None = None,
        *,
        package: str | None = None,
        build: BuildSettings | None = None,
    ) -> Module:
        said = io.StringIO()
        session = self.session(folder, said)
        settings = Settings(build=build or BuildSettings())
        project = project_at(folder, toolchain, settings, package=package)
        try:
            return build_module(project, session, request=request or BuildRequest())
        finally:
            self.talk = said.getvalue()

    def session(self, folder: Path, said: io.StringIO) -> Session:
        """Return the world of a command run with `-v` in `folder`."""
        console = Console(out=io.StringIO(), err=said, verbosity=1)
        return Session(env=self.env, cwd=folder, console=console)


def project_at(
    folder: Path, toolchain: ToolchainName, settings: Settings, *, package: str | None = None
) -> Project:
    """Return the project in a folder, as its files would be read."""
    return Project(
        folder=folder,
        name=folder.name,
        settings=settings,
        toolchain=toolchain,
        package=package,
    )


def write(folder: Path, files: Mapping[str, str]) -> Path:
    """Write files by relative name; return the folder."""
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


def scaffold(folder: Path, toolchain: ToolchainName, *, tinygo: str | None = None) -> Path:
    """Make a project of the template `header-auth`."""
    answers = Answers(name="header-auth", toolchain=toolchain, tinygo=tinygo)
    apply_scaffold(plan_scaffold(find_bundled("header-auth"), folder, answers))
    return folder


def small_crate(folder: Path, *, name: str = "small", more: str = "", code: str = "") -> Path:
    """Make a Cargo package without dependencies: it compiles in a blink.

    Args:
        folder: where.
        name: the package's name.
        more: further lines of Cargo.toml, within or behind `[lib]`.
        code: further Rust.
    """
    manifest = f'[package]\nname = "{name}"\nversion = "0.1.0"\nedition = "2021"\n\n[lib]\n'
    kinds = "" if "crate-type" in more else 'crate-type = ["cdylib"]\n'
    files = {"Cargo.toml": f"{manifest}{kinds}{more}", "src/lib.rs": f"{_MARKER_RUST}{code}"}
    return write(folder, files)


def small_go(folder: Path, *, go: str = "1.24", code: str = "") -> Path:
    """Make a Go main package without dependencies.

    Args:
        folder: where.
        go: the release its go.mod asks for.
        code: further Go.
    """
    main = f"package main\n\n{_MARKER_GO}\nfunc main() {{}}\n{code}"
    return write(folder, {"go.mod": f"module example.com/small\n\ngo {go}\n", "main.go": main})
