"""The last stretch of the road: project → module → image → registry.

What only images need is imported where they are made.
"""

from __future__ import annotations

import contextlib
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from wasmctl.console import shown_size
from wasmctl.errors import Refused, UsageError
from wasmctl.flow.build import as_it_stands, build_one
from wasmctl.paths import relative, sha256_of
from wasmctl.project.case_files import digest_cases, find_case_files
from wasmctl.project.git import find_commit, find_source, find_version
from wasmctl.project.project import Project
from wasmctl.project.record import note_image, read_record, untested
from wasmctl.session import Session
from wasmctl.toolchain.module import BuildRequest

if TYPE_CHECKING:
    from wasmctl.oci.destination import Destination
    from wasmctl.oci.image import Format, Image
    from wasmctl.oci.options import RegistryOptions
    from wasmctl.oci.push import Opening

__all__ = [
    "PackageRequest",
    "PushRequest",
    "Shipped",
    "created_time",
    "packaged",
    "push_project",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class PackageRequest:
    """How a project's module becomes an image.

    Args:
        format: how it is laid out.
        annotate_git: whether the commit and its time are told.
        build: whether to build first; else `dist/plugin.wasm` is taken as it stands.
        judged: whether it is warned of what targets refuse of what was built; else the caller does.
    """

    format: Format
    annotate_git: bool = False
    build: bool = True
    judged: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class _Ingredients:
    """What goes into an image: the module, its ABIs, the annotations and the time."""

    module: Path
    abi_versions: tuple[str, ...]
    annotations: Mapping[str, str]
    created: int


def _ingredients(project: Project, session: Session, request: PackageRequest) -> _Ingredients:
    """Build where wanted, and gather what goes into the image.

    Raises:
        WasmctlError: there is no module, or it is none.
    """
    from wasmctl.oci.annotations import image_annotations
    from wasmctl.wasm.reader import open_module, read_module

    created = created_time(session.env)
    commit = find_commit(project.folder, session.env) if request.annotate_git else None
    if request.build:
        build = BuildRequest(live=True)
        module = build_one(project, session, build, judged=request.judged).path
    else:
        module = as_it_stands(project, session)
    with open_module(module) as data:
        info = read_module(data, str(module))
    annotations = image_annotations(
        title=project.name,
        version=find_version(project, session.env),
        description=project.description,
        source=find_source(project.folder, session.env),
        module=info,
        commit=None if commit is None else (commit.revision, commit.seconds),
        more=project.settings.image.annotations,
    )
    return _Ingredients(
        module=module,
        abi_versions=info.abi_versions,
        annotations=annotations,
        created=created,
    )


@contextlib.contextmanager
def packaged(project: Project, session: Session, request: PackageRequest) -> Iterator[Image]:
    """Yield the image of a project's module; its large blobs live as long as the block.

    Raises:
        WasmctlError: there is no module, or it cannot be packaged.
    """
    import tempfile

    from wasmctl.oci.image import package_image

    parts = _ingredients(project, session, request)
    with tempfile.TemporaryDirectory(prefix="wasmctl-", dir=session.env.get("TMPDIR")) as scratch:
        yield package_image(
            parts.module,
            format=request.format,
            annotations=parts.annotations,
            created=parts.created,
            scratch=Path(scratch),
            abi_versions=parts.abi_versions,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class PushRequest:
    """How a project's image gets to its registry.

    Args:
        destination: where.
        package: what is pushed.
        options: how the registry is spoken to.
        move_tag: whether a version's tag may be moved to another digest.
        via_docker: whether the Docker engine builds and pushes.
        require_tested: whether a module that has not passed its cases is refused.
        targets: names of those that have to load it; none: those of the project's settings.
        force: whether it is pushed although one of them refuses it.
        opening: the registry, where it is being looked at already; the caller closes it.
    """

    destination: Destination
    package: PackageRequest
    options: RegistryOptions
    move_tag: bool = False
    via_docker: bool = False
    require_tested: bool = False
    targets: tuple[str, ...] = ()
    force: bool = False
    opening: Opening | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Shipped:
    """An image in its registry.

    Args:
        reference: `HOST/REPOSITORY:TAG@sha256:…`.
        digest: the manifest's.
        format: how the module is laid out.
        size: bytes of the image; what the engine pushed is not known (0).
        pushed: whether anything had to be sent.
    """

    reference: str
    digest: str
    format: Format
    size: int
    pushed: bool


def push_project(project: Project, session: Session, request: PushRequest) -> Shipped:
    """Build, package and push one project, and note it in `dist/plugin.json`.

    Raises:
        WasmctlError: a stage failed; nothing was noted.
    """
    push = _push_by_engine if request.via_docker else _push_to_registry
    shipped = push(project, session, request)
    note = {
        "reference": str(request.destination.reference),
        "digest": shipped.digest,
        "module_sha256": sha256_of(project.module),
        "format": shipped.format.value,
    }
    try:
        note_image(project.dist, note)
    except OSError as error:
        # The image is where it should be; that is not undone by a folder which is read-only.
        session.console.warn(f"the push could not be noted in `{project.dist}`: {error.strerror}")
    verb = "pushed" if shipped.pushed else "there already, nothing sent:"
    size = f" ({shown_size(shipped.size)})" if shipped.size else ""
    names = ", ".join(
        str(request.destination.reference.with_tag(tag)) for tag in request.destination.tags
    )
    session.console.say(f"{session.console.style(verb, 'green')} {names}{size}")
    return shipped


def _check(project: Project, session: Session, request: PushRequest) -> None:
    """Say what speaks against pushing a module, or refuse it.

    Raises:
        Refused: a target refuses it, or it has not passed its cases where that is required.
    """
    from wasmctl.flow.accept import require_accepted

    require_accepted(project, project.module, session, names=request.targets, force=request.force)
    _check_tested(project, session, required=request.require_tested)


def _check_tested(project: Project, session: Session, *, required: bool) -> None:
    """Warn of a module that has not passed its cases; where that is required, refuse it.

    Who declares no cases has nothing to be warned of.

    Raises:
        Refused: it is required, and `dist/plugin.json` does not tell of it.
    """
    if not required and not find_case_files(project):
        return
    lacking = untested(
        read_record(project.dist),
        module_sha256=sha256_of(project.module),
        cases=digest_cases(project),
        wanted=project.settings.test.envoy,
    )
    if lacking is None:
        return
    releases = f" in Envoy {', '.join(lacking)}" if lacking else ""
    message = f"this module of `{project.name}` has not passed its cases{releases}"
    folder = relative(project.folder, session.cwd)
    command = "wasmctl test" if folder == Path() else f"wasmctl test {shlex.quote(str(folder))}"
    if required:
        raise Refused("not-tested", f"{message}; nothing was pushed", hint=f"run `{command}`")
    session.console.warn(f"{message}; `{command}` runs them")


def _push_to_registry(project: Project, session: Session, request: PushRequest) -> Shipped:
    from wasmctl.oci.push import Opening, push_image

    destination = request.destination
    with contextlib.ExitStack() as stack:
        # The registry is looked at in the background while the image is made.
        opening = request.opening or stack.enter_context(
            Opening(destination.reference, tags=destination.tags, options=request.options)
        )
        image = stack.enter_context(packaged(project, session, request.package))
        _check(project, session, request)
        label = f"pushing {destination.reference}"
        with session.console.transfer(label, image.size) as advance:
            done = push_image(
                image,
                destination.reference,
                tags=destination.tags,
                move_tag=request.move_tag,
                options=request.options,
                advance=advance,
                opening=opening,
            )
    return Shipped(
        reference=str(destination.reference.with_digest(done.digest)),
        digest=done.digest,
        format=image.format,
        size=image.size,
        pushed=done.pushed,
    )


def _push_by_engine(project: Project, session: Session, request: PushRequest) -> Shipped:
    from wasmctl.oci.daemon import build_and_push
    from wasmctl.oci.image import Format

    destination = request.destination
    parts = _ingredients(project, session, request.package)
    _check(project, session, request)
    label = f"pushing {destination.reference} through the Docker engine"
    with session.console.transfer(label, parts.module.stat().st_size) as advance:
        digest = build_and_push(
            parts.module,
            destination.reference,
            tags=destination.tags,
            annotations=parts.annotations,
            options=request.options,
            advance=advance,
            move_tag=request.move_tag,
        )
    return Shipped(
        reference=str(destination.reference.with_digest(digest)),
        digest=digest,
        format=Format.DOCKER,
        size=0,
        pushed=True,
    )


def created_time(env: Mapping[str, str]) -> int:
    """Return the time written into images: SOURCE_DATE_EPOCH, or 0.

    https://reproducible-builds.org/specs/source-date-epoch/

    Raises:
        UsageError: the variable is no number of seconds.
    """
    text = env.get("SOURCE_DATE_EPOCH") or "0"
    if not text.isascii() or not text.isdigit() or int(text) >= 2**33:
        message = f"`SOURCE_DATE_EPOCH` is no number of seconds since 1970: `{text}`"
        raise UsageError("bad-epoch", message, hint="unset it, or set it to a number")
    return int(text)
