"""The stretch of `inspect`: a project's module, a file or an image → what is inside it."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from wasmctl.console import shown_size
from wasmctl.errors import Unreadable
from wasmctl.flow.check import refuse_missing_file
from wasmctl.hosts.inspection import Inspection
from wasmctl.paths import relative
from wasmctl.wasm.sizes import size_packages, size_sections
from wasmctl.wasm.twin import open_program

if TYPE_CHECKING:
    from wasmctl.oci.options import RegistryOptions
    from wasmctl.results import JSONValue
    from wasmctl.session import Session

__all__ = ["Inspected", "inspect_place"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Inspected:
    """What is inside, and the image around it.

    Args:
        inspection: the module.
        image: of the image what the envelope tells; empty where it is none.
        lines: the same for people.
    """

    inspection: Inspection
    image: Mapping[str, JSONValue]
    lines: tuple[str, ...] = ()


def inspect_place(
    place: str | None, *, session: Session, package: str | None, options: RegistryOptions
) -> Inspected:
    """Say what is inside.

    Args:
        place: a DIR, a FILE or a REF; None: the project here or above, with what was built last.
        session: the world.
        package: one Cargo package of a workspace.
        options: how a registry is reached.

    Raises:
        UsageError: there is no module, or the place is none.
        Unreadable: it is no module and no image of one.
        RegistryError: the registry cannot be reached or refuses.
    """
    from wasmctl.wasm.frames import MAGIC

    path = None if place is None else Path(session.cwd, place)
    if place is None or (path and path.is_dir() and not (path / "oci-layout").exists()):
        from wasmctl.flow.build import as_it_stands
        from wasmctl.project.load import load_project

        module = as_it_stands(load_project(path, session, package=package), session)
        return Inspected(inspection=_inspect(module, str(relative(module, session.cwd))), image={})
    if path is not None:
        refuse_missing_file(place, path)
    if path and path.is_file():
        with path.open("rb") as stream:
            is_module = stream.read(len(MAGIC)) == MAGIC or path.suffix == ".wasm"
        if is_module:
            return Inspected(inspection=_inspect(path, place), image={})
    return _inspect_image(place, session, options)


def _inspect(path: Path, name: str) -> Inspection:
    with open_program(path) as program:
        try:
            packages = size_packages(program) if program.symbols else ()
        except Unreadable:
            packages = ()  # its code is broken, and the rest is worth telling
        return Inspection(
            name=name,
            info=program.info,
            sections=size_sections(program.info),
            packages=packages,
        )


def _inspect_image(name: str, session: Session, options: RegistryOptions) -> Inspected:
    from wasmctl.consumers.examine import examine_image

    with tempfile.TemporaryDirectory(prefix="wasmctl-", dir=session.env.get("TMPDIR")) as scratch:
        seen = examine_image(name, folder=session.cwd, options=options, scratch=Path(scratch))
        for line in seen.assumed:
            session.console.say(line)
        if seen.module is None or seen.unpacked is None:
            raise seen.lacking or Unreadable(
                "no-module-in-image", f"`{name}` holds no module", hint="`wasmctl check` says why"
            )
        view = seen.view
        layers: list[JSONValue] = [
            {
                "media_type": layer.media_type,
                "size": layer.descriptor.size,
                "digest": layer.descriptor.digest,
            }
            for layer in view.layers
        ]
        lines = [f"{view.name}: {seen.unpacked.format}, {view.image_digest or view.digest}"]
        lines += [
            f"  {layer.media_type}  {shown_size(layer.descriptor.size)}" for layer in view.layers
        ]
        return Inspected(
            inspection=_inspect(seen.module, f"the module in {view.name}"),
            image={
                "image": {
                    "reference": view.name,
                    "digest": view.digest,
                    "image_digest": view.image_digest,
                    "format": seen.unpacked.format,
                    "layers": layers,
                }
            },
            lines=(*lines, ""),
        )
