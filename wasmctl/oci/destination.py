"""Where a project's image goes: REF, `[image]`, tags and version → reference and tags. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from wasmctl.errors import UsageError
from wasmctl.oci.reference import Reference, check_tag, parse_reference
from wasmctl.project.project import Project

__all__ = ["Destination", "destination_of", "find_destination"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Destination:
    """Where an image goes.

    Args:
        reference: with the first tag.
        tags: all tags, the first first.
    """

    reference: Reference
    tags: tuple[str, ...]


def find_destination(
    project: Project, *, given: str | None, tags: Sequence[str], version: str | None
) -> Destination:
    """Return where the project's image goes.

    Args:
        project: its `[image]` is used for what is not given.
        given: the REF of the command line.
        tags: those of `--tag`; with them neither `[image] tag` nor the version counts.
        version: the project's version, where it has one.

    Raises:
        UsageError: no repository, no tag, or one that cannot be.
    """
    text = given or _filled(project, version)
    if text is None:
        raise UsageError(
            "no-reference",
            f"where to push `{project.name}` is not known",
            hint="name it: `wasmctl push HOST/REPOSITORY:TAG`, or set `[image] repository` "
            "in wasmctl.toml",
        )
    found = destination_of(text, tags=tags)
    if found is not None:
        return found
    return _tagged(parse_reference(text, require_registry=True), [_default_tag(project, version)])


def destination_of(text: str, *, tags: Sequence[str]) -> Destination | None:
    """Return where an image goes by a REF and `--tag` alone; None: neither names a tag.

    Raises:
        UsageError: the REF, or a tag, is none.
    """
    reference = parse_reference(text, require_registry=True)
    if reference.digest is not None:
        hint = f"push to a tag: `{reference.name}:{reference.tag or 'TAG'}`"
        raise UsageError("bad-reference", f"a digest cannot be pushed to: `{text}`", hint=hint)
    wanted = [tag for tag in (reference.tag, *tags) if tag is not None]
    return _tagged(reference, wanted) if wanted else None


def _tagged(reference: Reference, tags: Sequence[str]) -> Destination:
    unique = tuple(dict.fromkeys(check_tag(tag) for tag in tags))
    return Destination(reference=replace(reference, tag=unique[0]), tags=unique)


def _filled(project: Project, version: str | None) -> str | None:
    pattern = project.settings.image.repository
    if pattern is None:
        return None
    text = pattern.replace("{name}", project.name)
    if "{version}" in text and version is not None:
        text = text.replace("{version}", version)
    if "{" in text:
        hint = "use `{name}` and, where the project has a version, `{version}`"
        raise UsageError(
            "bad-config", f"`[image] repository` cannot be filled: `{text}`", hint=hint
        )
    return text


def _default_tag(project: Project, version: str | None) -> str:
    tag = project.settings.image.tag or version
    if tag is None:
        raise UsageError(
            "no-version",
            f"`{project.name}` has no version to tag the image with",
            hint="name a tag: `--tag 0.1.0`, or set `[plugin] version` in wasmctl.toml",
        )
    # A semantic version's build metadata: `+` cannot be in a tag.
    return tag.replace("+", "_")
