"""Which tags stay where they are."""

from __future__ import annotations

import pytest

from wasmctl.errors import Refused
from wasmctl.oci.reference import Reference, reads_as_version
from wasmctl.oci.tags import check_tags


@pytest.mark.parametrize(
    ("tag", "version"),
    [
        ("1.2.3", True),
        ("v1.2.3", True),
        ("1.2", True),
        ("0.1.0-rc.1", True),
        ("1.2.3_build.7", True),
        ("2026.11.21", True),
        ("1", False),
        ("v1", False),
        ("latest", False),
        ("main", False),
        ("dev", False),
        ("pr-12", False),
        ("3f2a1b9", False),
        ("20261121", False),
        ("release-1.2", False),
        ("1.x", False),
    ],
)
def test_what_reads_as_a_version(tag: str, version: bool) -> None:
    assert reads_as_version(tag) is version


def test_only_a_version_of_another_image_is_refused() -> None:
    reference = Reference(registry="r.example.com", repository="acme/x")
    check_tags(reference, "sha256:a", {"1.0": None, "1.1": "sha256:a", "latest": "sha256:b"})
    with pytest.raises(Refused, match=r"acme/x:1\.0` already holds `sha256:b`"):
        check_tags(reference, "sha256:a", {"latest": "sha256:b", "1.0": "sha256:b"})
