"""`wasmctl init`: a new plug-in project, from a template."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from wasmctl.errors import UsageError
from wasmctl.results import JSONValue, Result
from wasmctl.session import Session

if TYPE_CHECKING:
    from wasmctl.project.settings import ToolchainName
    from wasmctl.scaffold.plan import ScaffoldPlan
    from wasmctl.scaffold.template import Language, Template

__all__ = ["register", "tinygo_release"]


class LanguageChoice(StrEnum):
    """The languages of plug-ins."""

    RUST = "rust"
    GO = "go"


class ToolchainChoice(StrEnum):
    """What compiles them."""

    CARGO = "cargo"
    GO = "go"
    TINYGO = "tinygo"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Wanted:
    """The command line, and what was answered to the questions it left open."""

    folder: str
    template: str | None = None
    language: Language | None = None
    toolchain: ToolchainName | None = None
    name: str | None = None
    data: Mapping[str, str]
    force: bool = False
    adopt: bool = False
    dry_run: bool = False


_MEANINGS: Final[Mapping[ToolchainName, str]] = {
    "cargo": "Rust's own",
    "go": "the standard Go toolchain",
    "tinygo": "TinyGo: small modules, and not all of Go's library",
}


def register(app: typer.Typer) -> None:
    """Add the verb."""

    @app.command()
    def init(
        ctx: typer.Context,
        folder: Annotated[
            str, typer.Argument(metavar="DIR", help="The project's folder, new or not.")
        ] = ".",
        template: Annotated[
            str | None,
            typer.Option("--template", metavar="NAME", help="A template, a folder or a git URL."),
        ] = None,
        language: Annotated[LanguageChoice | None, typer.Option(help="The language.")] = None,
        toolchain: Annotated[
            ToolchainChoice | None, typer.Option(help="What compiles it; says the language too.")
        ] = None,
        name: Annotated[
            str | None, typer.Option("--name", help="The plug-in's name; else the folder's.")
        ] = None,
        data: Annotated[
            list[str] | None,
            typer.Option("--data", metavar="KEY=VALUE", help="An answer for a template of yours."),
        ] = None,
        force: Annotated[
            bool, typer.Option("--force", help="Overwrite the files that are in the way.")
        ] = False,
        adopt: Annotated[
            bool, typer.Option("--adopt", help="Only add wasmctl.toml and a first case file.")
        ] = False,
        dry_run: Annotated[
            bool, typer.Option("--dry-run", help="Only say what would be written.")
        ] = False,
        list_: Annotated[bool, typer.Option("--list", help="List the templates.")] = False,
    ) -> Result:
        """Start a plug-in project, or adopt an existing one."""
        session: Session = ctx.obj
        if list_:
            return _list()
        wanted = _Wanted(
            folder=folder,
            template=template,
            language=None if language is None else language.value,
            toolchain=None if toolchain is None else toolchain.value,
            name=name,
            data=_data(data or []),
            force=force,
            adopt=adopt,
            dry_run=dry_run,
        )
        return _adopt(wanted, session) if adopt else _create(wanted, session)


def _list() -> Result:
    from wasmctl.scaffold.template import bundled_templates

    templates = bundled_templates()
    width = max(len(template.name) for template in templates)
    return Result(
        data={
            "templates": [
                {
                    "name": template.name,
                    "description": template.description,
                    "languages": list(template.languages),
                }
                for template in templates
            ]
        },
        lines=tuple(
            f"{template.name:{width}}  {', '.join(template.languages):8}  {template.description}"
            for template in templates
        ),
    )


def _create(given: _Wanted, session: Session) -> Result:
    from wasmctl.scaffold.fetch import opened_template
    from wasmctl.scaffold.names import check_name, suggest_name
    from wasmctl.scaffold.scaffold import Answers, plan_scaffold
    from wasmctl.scaffold.template import DEFAULT_TEMPLATE, choose_toolchain

    if given.name is not None:
        check_name(given.name, fallback=DEFAULT_TEMPLATE)
    folder = _folder(given, session)
    own_name = suggest_name(folder.name, fallback=DEFAULT_TEMPLATE)
    wanted = _ask_template(given) if session.prompts else given
    with opened_template(wanted.template or DEFAULT_TEMPLATE, session) as template:
        if session.prompts and template.shapes:
            wanted = _ask_rest(wanted, template, own_name)
        toolchain = wanted.toolchain
        if template.shapes:
            toolchain = choose_toolchain(template, language=wanted.language, toolchain=toolchain)
        answers = Answers(
            name=wanted.name or own_name,
            toolchain=toolchain,
            tinygo=tinygo_release(session) if toolchain == "tinygo" else None,
            data=wanted.data,
        )
        plan = plan_scaffold(template, folder, answers, force=wanted.force, ask=session.prompts)
    result = _write(plan, wanted, session, toolchain=toolchain, name=answers.name)
    if wanted == given:
        return result
    again = f"next time, without questions: `{_command(wanted)}`"
    return replace(result, afterwards=(*result.afterwards, again))


def _adopt(wanted: _Wanted, session: Session) -> Result:
    from wasmctl.project.detect import find_projects
    from wasmctl.scaffold.scaffold import plan_adoption
    from wasmctl.scaffold.template import language_of

    if wanted.template or wanted.name or wanted.data:
        message = "`--adopt` takes a project as it is: no template, name or data"
        raise UsageError("usage", message, hint="leave out one or the other")
    folder = _folder(wanted, session)
    if not folder.is_dir():
        message = f"no folder `{wanted.folder}` to adopt"
        raise UsageError("no-folder", message, hint="name a project's folder")
    found = find_projects(folder)
    if len(found) > 1 or found[0].folder != folder:
        listed = ", ".join(f"`{item.folder}`" for item in found)
        message = f"`{folder}` holds the plug-ins {listed}"
        raise UsageError("several-projects", message, hint="adopt each in its own folder")
    toolchain = wanted.toolchain or found[0].toolchain
    if language_of(toolchain) != language_of(found[0].toolchain) or wanted.language not in {
        None,
        language_of(toolchain),
    }:
        message = f"`{folder}` is a project for `{found[0].toolchain}`"
        raise UsageError("other-project", message, hint="leave out `--toolchain`, `--language`")
    name = found[0].name
    plan = plan_adoption(folder, name=name, toolchain=toolchain, force=wanted.force)
    return _write(plan, wanted, session, toolchain=toolchain, name=name)


def _write(
    plan: ScaffoldPlan,
    wanted: _Wanted,
    session: Session,
    *,
    toolchain: ToolchainName | None,
    name: str,
) -> Result:
    from wasmctl.scaffold.apply import apply_scaffold
    from wasmctl.scaffold.template import DEFAULT_TEMPLATE, language_of

    if wanted.dry_run:
        session.console.say("nothing is written; these files would be:")
    else:
        apply_scaffold(plan)
    files: dict[str, JSONValue] = {
        "folder": str(plan.folder),
        "files": list(plan.paths),
        "template": None if wanted.adopt else wanted.template or DEFAULT_TEMPLATE,
        "language": None if toolchain is None else language_of(toolchain),
        "toolchain": toolchain,
        "name": name,
        "dry_run": wanted.dry_run,
    }
    return Result(
        data=files,
        lines=tuple(str(Path(wanted.folder, path)) for path in plan.paths),
        afterwards=() if wanted.dry_run else (_next(plan, wanted, session),),
    )


def _next(plan: ScaffoldPlan, wanted: _Wanted, session: Session) -> str:
    if not plan.paths:
        return "everything is there already"
    change = "" if plan.folder == session.cwd else f"cd {shlex.quote(wanted.folder)} && "
    if wanted.adopt:
        return f"next: `{change}wasmctl test`; say in tests/*.cases.yaml what the plug-in promises"
    return f"next: `{change}wasmctl build`; README.md has the rest of the road"


def _folder(wanted: _Wanted, session: Session) -> Path:
    folder = Path(session.cwd, wanted.folder)
    # Else left as it is: a link's own name is the one that was given.
    return folder.resolve() if ".." in folder.parts else folder


def _data(pairs: list[str]) -> dict[str, str]:
    data = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not key or not equals:
            message = f"`--data {pair}` is not KEY=VALUE"
            raise UsageError("usage", message, hint="see `wasmctl init --help`")
        data[key] = value
    return data


def _ask_template(wanted: _Wanted) -> _Wanted:
    from wasmctl.cli.ask import ask_choice
    from wasmctl.scaffold.template import DEFAULT_TEMPLATE, bundled_templates

    if wanted.template is not None:
        return wanted
    described = {template.name: template.description for template in bundled_templates()}
    # The first is what Enter alone takes.
    templates = {DEFAULT_TEMPLATE: described.pop(DEFAULT_TEMPLATE), **described}
    return replace(wanted, template=ask_choice("Template", templates))


def _ask_rest(wanted: _Wanted, template: Template, own_name: str) -> _Wanted:
    """Ask what no flag said about a template that has shapes."""
    from wasmctl.cli.ask import ask_choice, ask_text
    from wasmctl.scaffold.names import name_problem
    from wasmctl.scaffold.template import toolchains_for

    if wanted.toolchain is None and wanted.language is None and len(template.languages) == 1:
        wanted = replace(wanted, language=template.languages[0])
    if wanted.language is None and wanted.toolchain is None:
        languages = dict.fromkeys(template.languages, "")
        wanted = replace(wanted, language=ask_choice("Language", languages))
    if wanted.language is not None and wanted.toolchain is None:
        toolchains = toolchains_for(template, wanted.language)
        if len(toolchains) > 1:
            choices = {name: _MEANINGS[name] for name in toolchains}
            wanted = replace(wanted, toolchain=ask_choice("Toolchain", choices))
    if wanted.name is None:

        def problem(name: str) -> str | None:
            found = name_problem(name)
            return None if found is None else f"the name {found}"

        wanted = replace(wanted, name=ask_text("Name", default=own_name, problem=problem))
    return wanted


def _command(wanted: _Wanted) -> str:
    """Return the command line that says what was answered."""
    words = ["wasmctl", "init", wanted.folder]
    flags = {
        "--template": wanted.template,
        "--language": wanted.language,
        "--toolchain": wanted.toolchain,
        "--name": wanted.name,
    }
    for flag, value in flags.items():
        words += [] if value is None else [flag, value]
    for key, value in wanted.data.items():
        words += ["--data", f"{key}={value}"]
    words += ["--force"] if wanted.force else []
    return shlex.join(words)


def tinygo_release(session: Session) -> str | None:
    """Return the release of the TinyGo at hand; None, and a word about it, where there is none."""
    from wasmctl.errors import ToolMissing
    from wasmctl.process import capture
    from wasmctl.toolchain.tools import environment_with, find_tool

    try:
        tool = find_tool("tinygo", session)
        env = environment_with(session.env, tool)
        said = capture([tool.path, "version"], env=env).stdout
    except ToolMissing as missing:
        said = missing.message
    release = re.search(r"version (\d+\.\d+[\w.-]*)", said)
    if release is None:
        session.console.say("no TinyGo at hand: the project is written for the newest")
        return None
    return release[1]
