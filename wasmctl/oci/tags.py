"""Which tags may be moved from one image to another. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from wasmctl.errors import Refused
from wasmctl.oci.reference import Reference, reads_as_version

__all__ = ["check_tags"]


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
        if other not in {None, digest} and reads_as_version(tag):
            raise Refused(
                "tag-exists",
                f"`{reference.name}:{tag}` already holds `{other}`, and this image is `{digest}`",
                hint="raise the version, or move the tag with `--move-tag`",
            )
