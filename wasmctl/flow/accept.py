"""Whether a project's targets will load its module: said after a build, required before a push."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from wasmctl.errors import Refused
from wasmctl.paths import relative

if TYPE_CHECKING:
    from wasmctl.hosts.verdict import Checked
    from wasmctl.project.project import Project
    from wasmctl.session import Session

__all__ = ["require_accepted", "warn_of_refusals"]


def warn_of_refusals(project: Project, module: Path, session: Session) -> None:
    """Warn of each thing for which one of the project's targets refuses a module.

    Of a project that names no targets only where nobody takes it.

    Raises:
        Unreadable: it is no module.
    """
    names = project.settings.plugin.targets
    checked = _check(module, names, session, explained=False)
    if not (checked.refusing if names else checked.useless):
        return
    from wasmctl.hosts.finding import Severity
    from wasmctl.hosts.report import grouped, shorten_targets
    from wasmctl.hosts.targets import target_names

    listed = target_names()
    for finding, wheres in grouped(checked.findings):
        if finding.severity is Severity.ERROR:
            who = shorten_targets(finding.targets, listed) if names else "every target"
            more = f" ({len(wheres) - 1} more are so)" if len(wheres) > 1 else ""
            session.console.warn(f"refused by {who}: {finding.message}{more}")
    session.console.say(f"`{_command(project, session)}` says how it came in, and what to do")


def require_accepted(
    project: Project, module: Path, session: Session, *, names: tuple[str, ...], force: bool
) -> None:
    """Refuse a module that one of its targets refuses; one that nobody takes is warned of.

    Args:
        project: whose module it is.
        module: its file.
        session: the world.
        names: the targets; those of the project's settings where there are none.
        force: whether it is warned of a refusal instead.

    Raises:
        Refused: a target refuses it, and nothing is forced.
        Unreadable: it is no module.
    """
    names = names or project.settings.plugin.targets
    checked = _check(module, names, session, explained=bool(names))
    if not names:
        if checked.useless:
            hint = f"`{_command(project, session)}` says why"
            session.console.warn(f"no target that is known loads this module; {hint}")
        return
    if not checked.refusing:
        return
    from wasmctl.hosts.report import report, shorten_targets
    from wasmctl.hosts.targets import target_names

    listed = target_names()
    output = "\n".join(report(checked, listed, style=session.console.style))
    message = f"`{project.name}` is refused by {shorten_targets(checked.refusing, listed)}"
    if not force:
        hint = "mend what is said above; `--force` pushes it all the same"
        raise Refused("target-refuses", f"{message}; nothing was pushed", hint=hint, output=output)
    session.console.say(output)
    session.console.warn(f"{message}, and is pushed all the same: `--force`")


def _check(module: Path, names: tuple[str, ...], session: Session, *, explained: bool) -> Checked:
    from wasmctl.flow.check import check_file
    from wasmctl.hosts.targets import find_targets

    subject = str(relative(module, session.cwd))
    return check_file(module, find_targets(names), subject=subject, explained=explained)


def _command(project: Project, session: Session) -> str:
    folder = relative(project.folder, session.cwd)
    return "wasmctl check" if folder == Path() else f"wasmctl check {shlex.quote(str(folder))}"
