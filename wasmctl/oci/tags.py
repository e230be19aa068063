"""Which tags may be moved from one image to another. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from wasmctl.errors import Refused
from wasmctl.oci.reference import Reference

__all__ = ["check_tags", "is_version"]

# `1.2`, `v1.2.3`, `2024.05.01`, `1.2.3-rc.1`: what a reader takes for something that stays.
# A single number does not: `v1` usually follows the newest `v1.x`.
_VERSION: Final = re.compile(r"[vV]?\d+(\.\d+)+([-_.][0-9A-Za-z][0-9A-Za-z_.-]*)?")


def is_version(tag: str) -> bool:
    """Return whether a tag reads as a version, and so as something that stays."""
    return _VERSION.fullmatch(tag) is not None


def check_tags(reference: Reference, digest: str, held: Mapping[str, str | None]) -> None:
    """Check that no version's tag would be taken from another image.

    Args:
        reference: the repository.
        digest: the image that is to get the tags.
        held: what each tag holds now.

    Raises:
        Refused: `tag-exists`.
    """
    for tag, other in held.items():
        if other not in {None, digest} and is_version(tag):
            raise Refused(
                "tag-exists",
                f"`{reference.name}:{tag}` already holds `{other}`, and this image is `{digest}`",
                hint="raise the version, or move the tag with `--move-tag`",
            )
