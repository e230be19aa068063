"""What `wasmctl push --from` takes from the command line."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from wasmctl.errors import UsageError
from wasmctl.session import Session

if TYPE_CHECKING:
    from wasmctl.flow.ship import Shipped
    from wasmctl.oci.destination import Destination
    from wasmctl.oci.options import RegistryOptions

__all__ = ["push_source"]


def push_source(
    source: str,
    places: list[str],
    session: Session,
    *,
    of_projects: Mapping[str, bool],
    format_: str | None,
    tags: list[str],
    move_tag: bool,
    reach: Callable[[], RegistryOptions],
) -> Shipped:
    """Pack an image made by others anew, and push that.

    Args:
        source: what `--from` names.
        places: the arguments: where to push.
        session: of the command.
        of_projects: options that mean something of projects alone → whether they were given.
        format_: how the module is laid out; None: as is best.
        tags: those of `--tag`.
        move_tag: whether a version's tag may be moved.
        reach: returns how registries are spoken to, and may ask for a password.

    Raises:
        UsageError: the options or arguments do not go together.
        WasmctlError: the image, or a registry, is in the way.
    """
    from wasmctl.flow.repack import RepackRequest, push_from
    from wasmctl.oci.image import Format

    for option, given in of_projects.items():
        if given:
            message = f"`{option}` is for plug-ins' projects, and `--from` names an image"
            raise UsageError("usage", message, hint=f"leave `{option}` out")
    _check_source(source, session)
    destination = _destination(source, places, session, tags)
    if destination.reference.read_as:
        session.console.say(destination.reference.read_as)
    request = RepackRequest(
        source=source,
        destination=destination,
        format=Format(format_ or Format.OCI),
        options=reach(),
        move_tag=move_tag,
    )
    return push_from(session, request)


def _check_source(source: str, session: Session) -> None:
    path = Path(session.cwd, source)
    if path.is_dir() and not (path / "index.json").is_file():
        raise UsageError(
            "usage",
            f"`{source}` is a folder and no OCI layout",
            hint=f"a plug-in's project is pushed with `wasmctl push {source}`",
        )
    if not path.exists() and source.startswith((".", "/", "~")):
        hint = "name an image, an OCI layout, a tar of either kind, or a .wasm file"
        raise UsageError("no-file", f"`{source}` does not exist", hint=hint)


def _destination(source: str, places: list[str], session: Session, tags: list[str]) -> Destination:
    from wasmctl.oci.destination import destination_of
    from wasmctl.oci.reference import parse_reference

    for place in places:
        if Path(session.cwd, place).exists() or place.startswith((".", "/", "~")):
            message = f"`--from {source}` and the folder `{place}`: one of them has the module"
            hint = f"push the project with `wasmctl push {place}`, or name a REF instead of it"
            raise UsageError("usage", message, hint=hint)
    if len(places) > 1:
        listed = ", ".join(f"`{place}`" for place in places)
        raise UsageError("usage", f"several REFs: {listed}", hint="name one, and others by `--tag`")
    in_registry = not Path(session.cwd, source).exists()
    came = parse_reference(source, require_registry=False) if in_registry else None
    if not places and (came is None or not tags):
        raise UsageError(
            "no-reference",
            "where to push is not known",
            hint=f"name it: `wasmctl push --from {source} HOST/REPOSITORY:TAG`",
        )
    text = places[0] if places else came.name if came else ""
    found = destination_of(text, tags=tags)
    if found is None and came is not None and came.tag is not None:
        found = destination_of(text, tags=[came.tag])
    if found is None:
        message = f"`{text}` has no tag to push to"
        raise UsageError("no-version", message, hint=f"write `{text}:TAG`, or give `--tag NAME`")
    return found
