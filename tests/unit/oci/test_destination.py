"""Where an image goes."""

from __future__ import annotations

from pathlib import Path

import pytest

from wasmctl.errors import UsageError
from wasmctl.oci.destination import find_destination
from wasmctl.project.project import Project
from wasmctl.project.settings import ImageSettings, Settings


def project(*, repository: str | None = None, tag: str | None = None) -> Project:
    image = ImageSettings(repository=repository, tag=tag)
    settings = Settings(image=image)
    return Project(folder=Path("/p"), name="auth", settings=settings, toolchain="go")


@pytest.mark.parametrize(
    ("repository", "tag", "given", "tags", "version", "expected"),
    [
        (None, None, "ghcr.io/a/b:1", [], None, ("ghcr.io/a/b:1", ("1",))),
        (None, None, "ghcr.io/a/b", [], "2.0", ("ghcr.io/a/b:2.0", ("2.0",))),
        (None, "edge", "ghcr.io/a/b", [], "2.0", ("ghcr.io/a/b:edge", ("edge",))),
        (None, "edge", "ghcr.io/a/b", ["x", "y"], "2", ("ghcr.io/a/b:x", ("x", "y"))),
        (None, None, "ghcr.io/a/b:1", ["latest", "1"], "2", ("ghcr.io/a/b:1", ("1", "latest"))),
        ("ghcr.io/a/{name}", None, None, [], "3", ("ghcr.io/a/auth:3", ("3",))),
        ("r.io/{name}/{version}", None, None, [], "3", ("r.io/auth/3:3", ("3",))),
        ("r.io/{name}:dev", None, None, [], "3", ("r.io/auth:dev", ("dev",))),
        ("r.io/a", None, None, [], "1.0.0+b.5", ("r.io/a:1.0.0_b.5", ("1.0.0_b.5",))),
    ],
)
def test_reference_and_tags(
    repository: str | None,
    tag: str | None,
    given: str | None,
    tags: list[str],
    version: str | None,
    expected: tuple[str, tuple[str, ...]],
) -> None:
    found = find_destination(
        project(repository=repository, tag=tag), given=given, tags=tags, version=version
    )
    assert (str(found.reference), found.tags) == expected


@pytest.mark.parametrize(
    ("repository", "given", "version", "code"),
    [
        (None, None, "1", "no-reference"),
        (None, "ghcr.io/a/b", None, "no-version"),
        ("ghcr.io/{nam}", None, "1", "bad-config"),
        ("ghcr.io/{version}", None, None, "bad-config"),
        (None, f"ghcr.io/a/b@sha256:{'0' * 64}", "1", "bad-reference"),
    ],
)
def test_what_cannot_be(
    repository: str | None, given: str | None, version: str | None, code: str
) -> None:
    with pytest.raises(UsageError) as caught:
        find_destination(project(repository=repository), given=given, tags=[], version=version)
    assert caught.value.code == code
    assert caught.value.hint
