"""`wasmctl quickstart`: the whole road in one command."""

from __future__ import annotations

import shlex
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from wasmctl.cli.init import LanguageChoice, ToolchainChoice, tinygo_release
from wasmctl.errors import ProxyError, Refused, UsageError
from wasmctl.results import JSONValue, Result
from wasmctl.session import Session

if TYPE_CHECKING:
    from wasmctl.cases.results import CaseResult
    from wasmctl.oci.image import Image
    from wasmctl.project.project import Project
    from wasmctl.project.settings import ToolchainName

__all__ = ["register"]

_SPELT: Final = {"cargo": "cargo", "go": "Go", "tinygo": "TinyGo"}
_SOURCES: Final = {"cargo": "src/lib.rs", "go": "main.go", "tinygo": "main.go"}


def register(app: typer.Typer) -> None:
    """Add the verb."""

    @app.command()
    def quickstart(
        ctx: typer.Context,
        folder: Annotated[
            Path, typer.Argument(metavar="DIR", help="The new project's folder.")
        ] = Path("hello"),
        language: Annotated[
            LanguageChoice, typer.Option(help="The language.", show_default="go")
        ] = LanguageChoice.GO,
        toolchain: Annotated[
            ToolchainChoice | None, typer.Option(help="What compiles it; says the language too.")
        ] = None,
    ) -> Result:
        """Scaffold, build, test and package a plug-in in one command."""
        from wasmctl.scaffold.template import DEFAULT_TEMPLATE, choose_toolchain, find_bundled

        session: Session = ctx.obj
        chosen = choose_toolchain(
            find_bundled(DEFAULT_TEMPLATE),
            language=None if toolchain else language.value,
            toolchain=None if toolchain is None else toolchain.value,
        )
        steps = _Steps(session)
        place = Path(session.cwd, folder)
        with steps("scaffold", f"a plug-in that lets in `allow: true`, for {_SPELT[chosen]}"):
            _scaffold(place, chosen, session)
        project = _load(place, session)
        first = "" if chosen == "cargo" else "; the first time it compiles the standard library too"
        with steps("build", f"with {_SPELT[chosen]}{first}"):
            module = _build(project, session)
        with steps("test", "its cases, in a real Envoy"):
            tested = _test(project, session)
        with steps("package", "an image that every mesh loads"):
            image = _package(project, session)
        return Result(
            data={
                "folder": str(place),
                "module": module,
                "tested": tested,
                "digest": image.digest,
                "output": str(project.dist / "image"),
                "steps": steps.done,
            },
            lines=_next(folder, chosen),
        )


class _Steps:
    """Says each step as it starts, and its time when it has ended."""

    def __init__(self, session: Session) -> None:
        self.done: list[dict[str, JSONValue]] = []
        self._console = session.console

    def __call__(self, name: str, what: str) -> _Steps:
        self._name = name
        self._console.say(f"{self._console.style(name, 'bold')}: {what}")
        return self

    def __enter__(self) -> None:
        self._started = time.monotonic()

    def __exit__(self, kind: type[BaseException] | None, *_rest: object) -> None:
        if kind is None:
            seconds = time.monotonic() - self._started
            self.done.append({"name": self._name, "seconds": round(seconds, 3)})
            self._console.say(f"  done in {seconds:.1f} s")


def _scaffold(place: Path, toolchain: ToolchainName, session: Session) -> None:
    from wasmctl.scaffold.apply import apply_scaffold
    from wasmctl.scaffold.names import suggest_name
    from wasmctl.scaffold.scaffold import Answers, plan_scaffold
    from wasmctl.scaffold.template import DEFAULT_TEMPLATE, find_bundled

    answers = Answers(
        name=suggest_name(place.name, fallback=DEFAULT_TEMPLATE),
        toolchain=toolchain,
        tinygo=tinygo_release(session) if toolchain == "tinygo" else None,
    )
    try:
        plan = plan_scaffold(find_bundled(DEFAULT_TEMPLATE), place, answers)
    except UsageError as error:
        if error.code != "files-in-the-way":
            raise
        hint = "name a new folder: `wasmctl quickstart NAME`; nothing was touched"
        raise UsageError(error.code, error.message, hint=hint) from None
    apply_scaffold(plan)


def _load(place: Path, session: Session) -> Project:
    from wasmctl.project.load import load_projects

    return load_projects(place, session)[0]


def _build(project: Project, session: Session) -> dict[str, JSONValue]:
    from wasmctl.cli.build import module_data
    from wasmctl.flow.build import build_one
    from wasmctl.toolchain.module import BuildRequest

    return module_data(build_one(project, session, BuildRequest(live=True)))


def _test(project: Project, session: Session) -> dict[str, JSONValue] | None:
    """Run the project's cases; return how many passed where; None where no Envoy could be had.

    Raises:
        Refused: a case did not pass.
    """
    from wasmctl.cases.report import counted
    from wasmctl.flow.prove import ProveRequest, find_envoys, plan_trials, run_trial

    request = ProveRequest(build=False)
    trial = plan_trials([project], session, request)[0]
    results: list[CaseResult] = []
    try:
        proxies = find_envoys(trial, session)
        run_trial(trial, proxies, session, request, results.append)
    except ProxyError as error:
        _tell_untested(error.message, error.hint, session)
        return None
    lost = next((result for result in results if result.outcome == "proxy"), None)
    if lost is not None:
        hint = None if lost.explanation is None else lost.explanation.hint
        _tell_untested(lost.message or "Envoy was lost", hint, session)
        return None
    envoy = proxies[0].envoy.version
    session.console.say(f"  {counted(results)} in Envoy {envoy}")
    if any(result.outcome in {"failed", "refused"} for result in results):
        hint = f"see them: `wasmctl test {shlex.quote(str(project.folder))}`"
        raise Refused("cases-failed", "the cases did not all pass", hint=hint)
    return {"envoy": envoy, "passed": sum(result.outcome == "passed" for result in results)}


def _tell_untested(why: str, hint: str | None, session: Session) -> None:
    """Warn and go on: all else on the road does without an Envoy."""
    session.console.warn(f"not tested: {why}")
    if hint:
        session.console.say(f"  for later: {hint}; then `wasmctl test`")


def _package(project: Project, session: Session) -> Image:
    from wasmctl.flow.ship import PackageRequest, packaged
    from wasmctl.oci.image import Format
    from wasmctl.oci.layout import write_layout

    request = PackageRequest(format=Format(project.settings.image.format), build=False)
    with packaged(project, session, request) as image:
        write_layout(image, project.dist / "image", name=project.version)
    session.console.say(f"  {image.digest}")
    return image


def _next(folder: Path, toolchain: ToolchainName) -> tuple[str, ...]:
    return (
        "next:",
        f"  cd {shlex.quote(str(folder))}",
        f"  wasmctl run --watch                        # serve it, and edit {_SOURCES[toolchain]}",
        "  wasmctl test                               # run tests/*.cases.yaml in a real Envoy",
        "  wasmctl push HOST/REPOSITORY:TAG           # to a registry; prints what to deploy",
        "  wasmctl pull HOST/REPOSITORY:TAG           # and back",
    )
