"""A project → docker-compose.yaml and envoy.yaml, which serve its module without wasmctl."""

from __future__ import annotations

import os
import re
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Final, cast

from wasmctl.envoy.compose import Composition, make_compose_bootstrap, make_compose_file
from wasmctl.envoy.find import at_hand
from wasmctl.errors import UsageError
from wasmctl.flow.serve.request import ServeRequest
from wasmctl.project.project import Project
from wasmctl.scaffold.apply import apply_scaffold
from wasmctl.scaffold.plan import ScaffoldPlan, compare
from wasmctl.scaffold.render import RenderedFile
from wasmctl.session import Session
from wasmctl.yaml_text import dump_yaml

if TYPE_CHECKING:
    from wasmctl.envoy.bootstrap import Json
    from wasmctl.results import JSONValue

__all__ = ["plan_compose_files", "write_compose_files"]

# What is served where no Envoy is at hand and none is named: the newest that was tried.
_RELEASE: Final = "1.40"
_COMPOSE_HEAD: Final = """\
# Serves the plug-in {name} in Envoy, without wasmctl:
#   docker compose up, then in another terminal: curl -i http://127.0.0.1:{port}/
# After `wasmctl build`: docker compose restart proxy
"""
_ENVOY_HEAD: Final = """\
# What the Envoy of docker-compose.yaml starts from: the plug-in {name}, and the upstream behind it.
"""


def plan_compose_files(
    project: Project, session: Session, request: ServeRequest, *, folder: Path, force: bool
) -> ScaffoldPlan:
    """Return what would be written.

    Args:
        project: whose module is served.
        session: the world.
        request: how it is served; a container has ports and an Envoy of its own.
        folder: the absolute folder of the files.
        force: whether other files of these names may be overwritten.

    Raises:
        UsageError: files are in the way; the Envoy that is named is no image.
    """
    real = Path(os.path.realpath(folder))
    composition = Composition(
        name=project.name,
        module=Path(os.path.relpath(project.module, real)),
        image=_image(request.envoy, session),
        port=request.port,
        log_level=request.log_level,
        configuration=request.configuration(project),
        upstream=request.upstream,
    )
    filled = {"name": project.name, "port": request.port}
    texts = {
        "docker-compose.yaml": (_COMPOSE_HEAD, _yaml(make_compose_file(composition))),
        "envoy.yaml": (_ENVOY_HEAD, _yaml(make_compose_bootstrap(composition))),
    }
    files = [
        RenderedFile(path=PurePosixPath(name), content=(head.format(**filled) + text).encode())
        for name, (head, text) in texts.items()
    ]
    return compare(real, files, force=force)


def write_compose_files(plan: ScaffoldPlan) -> tuple[Path, ...]:
    """Write what was planned, all or nothing; return the files that are new or changed."""
    apply_scaffold(plan)
    return tuple(plan.folder / path for path in plan.paths)


def _yaml(made: Json) -> str:
    return dump_yaml(cast("JSONValue", made))


def _image(wanted: str | None, session: Session) -> str:
    """Return the image of the Envoy that is named, else of the one at hand."""
    if wanted is None:
        found = at_hand(session, None)
        wanted = _RELEASE if found is None else found.version
    if wanted.startswith("docker:"):
        wanted = wanted.removeprefix("docker:")
        if not wanted[:1].isdigit():
            return wanted
    release = re.fullmatch(r"v?(\d+\.\d+)(\.\d+)?(-.*)?", wanted)
    if release is None:
        message = f"`--envoy {wanted}` names no release, and a container needs an image"
        hint = "name one like `1.40`, or an image: `docker:envoyproxy/envoy:v1.40-latest`"
        raise UsageError("bad-envoy", message, hint=hint)
    return f"envoyproxy/envoy:v{release[1]}-latest"
