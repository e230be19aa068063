"""What is to be deployed: folders → projects, or the settings alone where no project is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from wasmctl.errors import Refused, RegistryError, UsageError
from wasmctl.paths import sha256_of
from wasmctl.project.load import load_layers, load_projects, project_folder
from wasmctl.project.record import RECORD_NAME, read_record

if TYPE_CHECKING:
    from wasmctl.oci.options import RegistryOptions
    from wasmctl.oci.reference import Reference
    from wasmctl.project.project import Project
    from wasmctl.project.settings import Settings
    from wasmctl.session import Session

__all__ = ["Subject", "find_subjects", "image_of", "repository_of"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Subject:
    """A plug-in to be deployed.

    Args:
        name: the plug-in's.
        folder: the absolute folder of its settings.
        settings: these.
        project: the project; None where its sources are elsewhere and only its image is known.
        image: what `--image` named, the digest perhaps not known yet; None: the latest push.
    """

    name: str
    folder: Path
    settings: Settings
    project: Project | None
    image: Reference | None


def find_subjects(
    folders: Sequence[Path | None],
    session: Session,
    *,
    package: str | None,
    flags: Mapping[str, object],
    image: str | None,
) -> tuple[Subject, ...]:
    """Return what the folders hold; a pipeline that has the image needs no project.

    Args:
        folders: the DIR arguments; None: the nearest project upwards.
        session: the world.
        package: a Cargo package's name, of several in a workspace.
        flags: settings given by flags, by dotted name.
        image: the REF of `--image`.

    Raises:
        UsageError: no project there; settings or the REF are wrong; one REF for several plug-ins.
    """
    reference = None if image is None else _read_image(image, session)
    subjects = [
        subject
        for folder in folders
        for subject in _subjects(folder, session, package, flags, reference)
    ]
    if len(subjects) > 1:
        for flag, given in (("--image", image), ("--name", flags.get("deploy.name"))):
            if given is not None:
                message = f"one `{flag}` for {len(subjects)} plug-ins"
                raise UsageError("usage", message, hint="write them in several runs")
    return tuple(subjects)


def _subjects(
    folder: Path | None,
    session: Session,
    package: str | None,
    flags: Mapping[str, object],
    image: Reference | None,
) -> list[Subject]:
    try:
        projects = load_projects(folder, session, package=package, flags=flags)
    except UsageError as error:
        if error.code != "no-project" or image is None:
            raise
        where = project_folder(folder, session)
        settings = load_layers(where, session, flags=flags).settings
        name = settings.plugin.name or image.repository.rpartition("/")[2]
        return [Subject(name=name, folder=where, settings=settings, project=None, image=image)]
    return [
        Subject(
            name=project.name,
            folder=project.folder,
            settings=project.settings,
            project=project,
            image=image,
        )
        for project in projects
    ]


def _read_image(text: str, session: Session) -> Reference:
    from wasmctl.oci.reference import parse_reference

    reference = parse_reference(text, require_registry=True)
    if reference.read_as:
        session.console.say(reference.read_as)
    return reference


def image_of(subject: Subject, session: Session, options: RegistryOptions) -> Reference:
    """Return the image with its digest: `--image`, a tag asked for; else the latest push.

    Raises:
        Refused: the module has changed since it was pushed.
        UsageError: nothing was pushed yet; the REF has neither a tag nor a digest.
        RegistryError: the tag's digest could not be asked for.
    """
    if subject.image is None:
        return _latest_push(subject)
    if subject.image.digest is not None:
        return subject.image
    if subject.image.tag is None:
        name = subject.image.name
        hint = f"name a version, `{name}:TAG`, or the digest that `wasmctl push` printed"
        raise UsageError("no-tag", f"`--image {name}` names no image of the repository", hint=hint)
    return _resolved(subject.image, session, options)


def _latest_push(subject: Subject) -> Reference:
    from wasmctl.oci.reference import parse_reference

    assert subject.project is not None, "without a project there is an image"
    project = subject.project
    images = read_record(project.dist).get("images")
    latest = images[-1] if isinstance(images, list) and images else None
    if not isinstance(latest, dict):
        message = f"no image of `{subject.name}` was pushed yet: there is no digest to deploy"
        hint = "push it: `wasmctl push`; or name an image: `--image REF@sha256:…`"
        raise UsageError("not-pushed", message, hint=hint)
    try:
        now: str | None = sha256_of(project.module)
    except FileNotFoundError:
        now = None
    if now is not None and now != latest.get("module_sha256"):
        message = f"the module of `{subject.name}` is another than the one that was pushed last"
        hint = "push it: `wasmctl push`; or name the image that is meant: `--image REF@sha256:…`"
        raise Refused("module-changed", message, hint=hint)
    try:
        pushed = parse_reference(str(latest.get("reference")), require_registry=True)
        return pushed.with_digest(str(latest.get("digest")))
    except UsageError:
        message = f"`{project.dist / RECORD_NAME}` tells of a push that cannot be read"
        raise UsageError("bad-record", message, hint="push again: `wasmctl push`") from None


def _resolved(reference: Reference, session: Session, options: RegistryOptions) -> Reference:
    """Return the reference with the digest of the image that meshes will load."""
    from wasmctl.oci.manifest import choose_child
    from wasmctl.oci.registry import fetch_image

    try:
        found = fetch_image(reference, options)
    except RegistryError as error:
        message = f"the digest of `{reference}` could not be asked for: {error.message}"
        hint = f"name it: `--image {reference}@sha256:…` needs no network; `wasmctl push` prints it"
        raise RegistryError(error.code, message, hint=hint, output=error.output) from error
    child = choose_child(found.manifest, found.media_type)
    if child is None:
        return reference.with_digest(found.digest)
    # The agent compares with the digest of the image that it takes, and not with the index's
    # (pkg/wasm/imagefetcher.go of istio/istio).
    pinned = reference.with_digest(child.descriptor.digest)
    session.console.say(f"`{reference}` is an index; of it `{pinned}` for {child.platform}")
    if not child.meshes_agree:
        session.console.warn("Istio and Envoy Gateway look for linux/amd64 in it")
    return pinned


def repository_of(subject: Subject, session: Session) -> Reference:
    """Return where the plug-in's images are: `--image`, the latest push, `[image] repository`.

    Raises:
        UsageError: none of them says it.
    """
    from wasmctl.oci.destination import find_destination
    from wasmctl.oci.reference import parse_reference
    from wasmctl.project.git import find_version

    if subject.image is not None:
        return subject.image
    assert subject.project is not None, "without a project there is an image"
    images = read_record(subject.project.dist).get("images")
    latest = images[-1] if isinstance(images, list) and images else None
    if isinstance(latest, dict):
        return parse_reference(str(latest.get("reference")), require_registry=True)
    if subject.settings.image.repository is None:
        message = f"which registry the images of `{subject.name}` are in is not known"
        hint = "name it: `--image HOST/REPOSITORY`, or `[image] repository` in wasmctl.toml"
        raise UsageError("no-reference", message, hint=hint)
    version = find_version(subject.project, session.env)
    return find_destination(subject.project, given=None, tags=["any"], version=version).reference
