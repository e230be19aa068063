"""Image → registry: what is looked at, sent and read back, and in which order.

Light to import: the registry's own modules, and its connections, are had in the background while
an image is still being made.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final, Literal, Self

from wasmctl.oci.image import Blob, Image
from wasmctl.oci.options import RegistryOptions
from wasmctl.oci.parallel import THREADS, in_parallel
from wasmctl.oci.reference import Reference
from wasmctl.oci.tags import check_tags

if TYPE_CHECKING:
    from wasmctl.oci.registry import Registry

__all__ = ["Opening", "Pushed", "push_image"]

# Of an image: a layer and its configuration.
_BLOBS: Final = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Pushed:
    """An image that is in a registry.

    Args:
        reference: with its digest, and its first tag.
        digest: the manifest's.
        size: bytes of manifest and blobs.
        pushed: whether anything had to be sent; else the registry held it under each tag.
    """

    reference: Reference
    digest: str
    size: int
    pushed: bool


class Opening:
    """A registry on its way to be open: imports, connections and credentials, in the background.

    A context manager; leaving it closes the registry.

    Args:
        reference: the repository.
        tags: how many tags there will be.
        options: how the registry is reached.
    """

    def __init__(self, reference: Reference, *, tags: int, options: RegistryOptions) -> None:
        self._reference = reference
        self._tags = tags
        self._options = options
        self._registry: Registry | None = None
        self._error: Exception | None = None
        # A daemon: a registry that hangs does not keep the program from ending.
        self._thread = threading.Thread(target=self._open, daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> Literal[False]:
        if self._registry is not None:
            self._registry.close()
        return False

    def wait(self) -> Registry:
        """Return the registry when it is open.

        Raises:
            RegistryError: it cannot be reached, or refuses the credentials.
            UsageError: a setting or a file of the user's is wrong.
        """
        self._thread.join()
        if self._registry is None or self._error is not None:
            raise self._error or AssertionError("the opening ended without a word")
        return self._registry

    def _open(self) -> None:
        from wasmctl.oci.registry import Registry

        try:
            self._registry = Registry(self._reference, self._options, doing="push")
            connections = min(THREADS, self._tags + _BLOBS)
            in_parallel([self._registry.warm_up] * connections, stopped=threading.Event())
        except Exception as error:  # noqa: BLE001 - raised again by whoever waits
            self._error = error


def push_image(
    image: Image,
    reference: Reference,
    *,
    tags: Sequence[str],
    move_tag: bool,
    options: RegistryOptions,
    advance: Callable[[int], None],
    opening: Opening | None = None,
) -> Pushed:
    """Put an image into a registry under each of `tags`, and read it back.

    Args:
        image: what to push.
        reference: where; its own tag counts only as one of `tags`.
        tags: the tags it gets; none: it is reachable by its digest alone.
        move_tag: whether a tag that reads as a version may be taken from another image.
        options: how the registry is reached.
        advance: called from several threads with the bytes done since the last call; negative
            where a transfer starts again. They sum up to the image's size.
        opening: the same registry, on its way to be open; the caller closes it.

    Raises:
        Refused: `tag-exists`: a version's tag already holds another image. Nothing was sent.
        Unreadable: the registry, or its answers, contradict the digests.
        RegistryError: the registry cannot be reached or refuses.
    """
    from wasmctl.oci.registry import Registry

    with contextlib.ExitStack() as stack:
        if opening is None:
            registry = Registry(reference, options, doing="push")
            stack.callback(registry.close)
        else:
            registry = opening.wait()
        sent = _push(registry, image, reference, tags=tags, move_tag=move_tag, advance=advance)
    first = reference.with_tag(tags[0]) if tags else reference
    return Pushed(
        reference=first.with_digest(image.digest),
        digest=image.digest,
        size=image.size,
        pushed=sent,
    )


def _push(
    registry: Registry,
    image: Image,
    reference: Reference,
    *,
    tags: Sequence[str],
    move_tag: bool,
    advance: Callable[[int], None],
) -> bool:
    held, missing = _survey(registry, image, tags)
    if not move_tag:
        check_tags(reference, image.digest, held)
    wanted = [tag for tag in tags if held[tag] != image.digest] if tags else [image.digest]
    if not wanted:
        registry.read_back(image, tags[0])
        advance(image.size)
        return False
    advance(sum(blob.size for blob in image.blobs if blob not in missing))
    stopped = registry.stopped
    in_parallel([partial(registry.upload, blob, advance) for blob in missing], stopped=stopped)
    in_parallel([partial(registry.publish, image, name) for name in wanted], stopped=stopped)
    advance(len(image.manifest))
    return True


def _survey(
    registry: Registry, image: Image, tags: Sequence[str]
) -> tuple[dict[str, str | None], list[Blob]]:
    """Return what each tag holds, and the blobs that the registry lacks, in one round trip."""
    held: dict[str, str | None] = {}
    there: dict[str, bool] = {}

    def look_at_tag(tag: str) -> None:
        held[tag] = registry.held(tag)

    def look_at_blob(blob: Blob) -> None:
        there[blob.digest] = registry.has(blob)

    in_parallel(
        [
            *(partial(look_at_tag, tag) for tag in tags),
            *(partial(look_at_blob, blob) for blob in image.blobs),
        ],
        stopped=registry.stopped,
    )
    return held, [blob for blob in image.blobs if not there[blob.digest]]
