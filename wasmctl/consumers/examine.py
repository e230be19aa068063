"""A name → what consumers make of the image there, and the module in it, for who checks both."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from wasmctl.consumers.check import ImageReport, check_image
from wasmctl.consumers.consumer import CONSUMERS, Consumer
from wasmctl.consumers.gather import gather_image
from wasmctl.consumers.view import ImageView
from wasmctl.errors import Unreadable
from wasmctl.oci.options import RegistryOptions
from wasmctl.oci.source import find_image
from wasmctl.oci.unpack import Unpacked, unpack_module

__all__ = ["Examined", "examine_image"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Examined:
    """An image that was looked at.

    Args:
        view: what its consumers see.
        report: what they make of it.
        module: the file that its module was written to; None: it has none.
        unpacked: the module's hash, size and layout.
        lacking: why there is no module.
        assumed: how the name was read, where more was read than was written.
    """

    view: ImageView
    report: ImageReport
    module: Path | None
    unpacked: Unpacked | None
    lacking: Unreadable | None
    assumed: tuple[str, ...]


def examine_image(
    name: str,
    *,
    folder: Path,
    options: RegistryOptions,
    scratch: Path,
    consumers: Sequence[Consumer] = CONSUMERS,
    advance: Callable[[int], None] = lambda _count: None,
) -> Examined:
    """Look at an image as its consumers do, and take its module out.

    Args:
        name: a REF, or the path of an OCI layout (a folder or a tar) or of a `docker save`.
        folder: what a relative path starts from.
        options: how a registry is reached.
        scratch: an empty folder that outlives the use of the module.
        consumers: whose verdicts are wanted.
        advance: called with the bytes downloaded since the last call.

    Raises:
        UsageError: the name is no reference, or the scratch folder cannot be written.
        Unreadable: it is no image at all.
        RegistryError: the registry cannot be reached or refuses.
    """
    named = find_image(name, folder=folder, options=options)
    gathered = gather_image(named, options=options, scratch=scratch, advance=advance)
    module, unpacked, lacking = scratch / "plugin.wasm", None, None
    if gathered.image is not None:
        try:
            unpacked = unpack_module(gathered.image, module)
        except Unreadable as error:
            lacking = error
    return Examined(
        view=gathered.view,
        report=check_image(gathered.view, consumers),
        module=module if unpacked else None,
        unpacked=unpacked,
        lacking=lacking,
        assumed=named.assumed,
    )
