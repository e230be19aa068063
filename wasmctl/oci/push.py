"""Image → registry: what is looked at, sent and read back, and in which order.

Light to import; the way to the registry is opened while an image is still being made.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final, Literal, Self

from wasmctl.oci.image import Image
from wasmctl.oci.options import RegistryOptions
from wasmctl.oci.parallel import in_parallel
from wasmctl.oci.reference import Reference
from wasmctl.oci.tags import check_tags

__all__ = ["Opening", "Pushed", "push_image"]

# Of an image: a layer and its configuration.
_BLOBS: Final = 2
# Seconds for which what was seen is believed: a build may take minutes.
_FRESH: Final = 10.0


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
    """A registry that is looked at while an image is still being made.

    Connections, credentials and what the tags hold are had in the background. A context manager;
    leaving it closes the registry.

    Args:
        reference: the repository.
        tags: those the image is to get.
        options: how the registry is reached.

    Raises:
        UsageError: a setting is wrong.
    """

    def __init__(
        self, reference: Reference, *, tags: Sequence[str], options: RegistryOptions
    ) -> None:
        from wasmctl.oci.registry import Registry

        self.registry = Registry(reference, options, doing="push")
        self.tags = tuple(tags)
        self._held: dict[str, str | None] = {}
        self._error: BaseException | None = None
        self._looked_at = time.monotonic()
        # A daemon: a registry that hangs does not keep the program from ending.
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> Literal[False]:
        self.registry.close()
        return False

    def held(self) -> Mapping[str, str | None]:
        """Return what each tag holds.

        Raises:
            RegistryError: the registry cannot be reached, or refuses.
            UsageError: a setting or a file of the user's is wrong.
        """
        self._thread.join()
        if time.monotonic() - self._looked_at > _FRESH:
            self._error = None
            self._look()
        if self._error is not None:
            raise self._error
        return self._held

    def _look(self) -> None:
        registry = self.registry
        # As many connections as there will be blobs to send.
        looks: list[Callable[[], None]] = [partial(self._look_at, tag) for tag in self.tags]
        looks += [registry.warm_up] * (_BLOBS - len(looks))
        try:
            in_parallel(looks, stopped=registry.stopped)
        except BaseException as error:  # noqa: BLE001 - raised again by whoever waits
            self._error = error
        self._looked_at = time.monotonic()

    def _look_at(self, tag: str) -> None:
        self._held[tag] = self.registry.held(tag)


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
        tags: the tags it gets, those of `opening`; none: it is reachable by its digest alone.
        move_tag: whether a tag that reads as a version may be taken from another image.
        options: how the registry is reached.
        advance: called from several threads with the bytes done since the last call; negative
            where a transfer starts again. They sum up to the image's size.
        opening: the same registry, being looked at already; the caller closes it.

    Raises:
        Refused: `tag-exists`: a version's tag already holds another image. Nothing was sent.
        Unreadable: the registry, or its answers, contradict the digests.
        RegistryError: the registry cannot be reached or refuses.
    """
    with contextlib.ExitStack() as stack:
        if opening is None:
            opening = stack.enter_context(Opening(reference, tags=tags, options=options))
        sent = _push(opening, image, reference, move_tag=move_tag, advance=advance)
    first = reference.with_tag(tags[0]) if tags else reference
    return Pushed(
        reference=first.with_digest(image.digest),
        digest=image.digest,
        size=image.size,
        pushed=sent,
    )


def _push(
    opening: Opening,
    image: Image,
    reference: Reference,
    *,
    move_tag: bool,
    advance: Callable[[int], None],
) -> bool:
    """Return whether anything had to be sent."""
    registry, held = opening.registry, opening.held()
    if not move_tag:
        check_tags(reference, image.digest, held)
    wanted = [tag for tag, digest in held.items() if digest != image.digest]
    if held and not wanted:
        registry.read_back(image, next(iter(held)))
        advance(image.size)
        return False
    stopped = registry.stopped
    in_parallel([partial(registry.upload, blob, advance) for blob in image.blobs], stopped=stopped)
    names = wanted or [image.digest]
    in_parallel([partial(registry.publish, image, name) for name in names], stopped=stopped)
    advance(len(image.manifest))
    return True
