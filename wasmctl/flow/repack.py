"""An image made by others → the same module in an image of ours, in a registry.

What only images need is imported where they are made.
"""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from wasmctl.console import shown_size
from wasmctl.flow.ship import Shipped, created_time
from wasmctl.oci.image import Format
from wasmctl.session import Session

if TYPE_CHECKING:
    from wasmctl.oci.destination import Destination
    from wasmctl.oci.image import Image
    from wasmctl.oci.options import RegistryOptions

__all__ = ["RepackRequest", "push_from"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RepackRequest:
    """What is packed anew, and where it goes.

    Args:
        source: a REF, the path of an OCI layout or of what `docker save` wrote, or a .wasm file.
        destination: where to.
        format: how the module is laid out there.
        options: how the destination's registry is spoken to; the source's too where it is the
            same one, else without the credentials given by hand.
        move_tag: whether a version's tag may be moved to another digest.
    """

    source: str
    destination: Destination
    format: Format
    options: RegistryOptions
    move_tag: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class _Taken:
    """What was taken out of an image: its module, and what it says of itself."""

    module: Path
    layout: str
    said: dict[str, str]


def push_from(session: Session, request: RepackRequest) -> Shipped:
    """Take the module out of an image, pack it anew, and push that.

    Raises:
        WasmctlError: there is no module, or it cannot be pushed.
    """
    from wasmctl.oci.push import push_image

    destination = request.destination
    with contextlib.ExitStack() as stack:
        image = stack.enter_context(_repacked(session, request))
        label = f"pushing {destination.reference}"
        advance = stack.enter_context(session.console.transfer(label, image.size))
        done = push_image(
            image,
            destination.reference,
            tags=destination.tags,
            move_tag=request.move_tag,
            options=request.options,
            advance=advance,
        )
    verb = "pushed" if done.pushed else "there already, nothing sent:"
    names = ", ".join(str(destination.reference.with_tag(tag)) for tag in destination.tags)
    session.console.say(
        f"{session.console.style(verb, 'green')} {names} ({shown_size(image.size)})"
    )
    return Shipped(
        reference=str(destination.reference.with_digest(done.digest)),
        digest=done.digest,
        format=image.format,
        size=image.size,
        pushed=done.pushed,
    )


@contextlib.contextmanager
def _repacked(session: Session, request: RepackRequest) -> Iterator[Image]:
    """Yield the new image; its large blobs live as long as the block."""
    from wasmctl.oci.annotations import image_annotations
    from wasmctl.oci.image import package_image
    from wasmctl.wasm.reader import open_module, read_module

    created = created_time(session.env)
    with tempfile.TemporaryDirectory(prefix="wasmctl-", dir=session.env.get("TMPDIR")) as folder:
        scratch = Path(folder)
        taken = _take(session, request, scratch / "taken.wasm")
        with open_module(taken.module) as data:
            info = read_module(data, request.source)
        repository = request.destination.reference.repository
        annotations = image_annotations(
            title=repository.rpartition("/")[2],
            version=None,
            description=None,
            source=None,
            module=info,
            more=taken.said,
        )
        session.console.say(
            f"took the module out of {request.source}"
            f" ({shown_size(taken.module.stat().st_size)}, {taken.layout})"
        )
        yield package_image(
            taken.module,
            format=request.format,
            annotations=annotations,
            created=created,
            scratch=scratch,
            abi_versions=info.abi_versions,
        )


def _take(session: Session, request: RepackRequest, output: Path) -> _Taken:
    from wasmctl.oci.annotations import carried_annotations
    from wasmctl.oci.configuration import read_labels
    from wasmctl.oci.manifest import read_manifest
    from wasmctl.oci.module import starts_as_module
    from wasmctl.oci.source import find_image, resolve_image
    from wasmctl.oci.unpack import unpack_module

    path = Path(session.cwd, request.source)
    if starts_as_module(path):
        return _Taken(module=path, layout="a file", said={})
    named = find_image(request.source, folder=session.cwd, options=_for_source(request))
    for sentence in named.assumed:
        session.console.say(sentence)
    image, _ = resolve_image(named.place)
    manifest = read_manifest(image.manifest, image.media_type)
    label, size = f"pulling {named}", sum(layer.size for layer in manifest.layers)
    with session.console.transfer(label, size) as advance:
        unpacked = unpack_module(image, output, advance=advance)
    said = carried_annotations({**read_labels(image), **manifest.annotations})
    return _Taken(module=output, layout=unpacked.format, said=said)


def _for_source(request: RepackRequest) -> RegistryOptions:
    """Return how the source's registry is spoken to: a password goes to whom it is for."""
    from wasmctl.errors import UsageError
    from wasmctl.oci.reference import parse_reference

    with contextlib.suppress(UsageError):
        reference = parse_reference(request.source, require_registry=False)
        if reference.registry == request.destination.reference.registry:
            return request.options
    return replace(request.options, username=None, password=None, plain_http=None)
