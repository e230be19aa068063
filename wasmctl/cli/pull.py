"""`wasmctl pull`: fetch an image, verify it, and take the module out."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from wasmctl.cli.options import CaFile, Insecure, PasswordStdin, PlainHttp, Username
from wasmctl.console import shown_size
from wasmctl.paths import relative
from wasmctl.results import Result
from wasmctl.session import Session

if TYPE_CHECKING:
    from wasmctl.oci.image import ImageSource
    from wasmctl.oci.options import RegistryOptions

__all__ = ["register"]

_DEFAULT_OUTPUT = Path("plugin.wasm")


def register(app: typer.Typer) -> None:
    """Add the verb."""

    @app.command()
    def pull(
        ctx: typer.Context,
        place: Annotated[
            str,
            typer.Argument(
                metavar="REF", help="HOST/REPOSITORY:TAG or @sha256:…; or an OCI layout's path."
            ),
        ],
        output: Annotated[
            Path,
            typer.Option("-o", "--output", metavar="FILE", help="Where the module goes."),
        ] = _DEFAULT_OUTPUT,
        username: Username = None,
        password_stdin: PasswordStdin = False,
        plain_http: PlainHttp = None,
        ca_file: CaFile = None,
        insecure: Insecure = False,
    ) -> Result:
        """Fetch an image and write its module, verified."""
        from wasmctl.cli.registry import registry_options
        from wasmctl.oci.manifest import read_manifest
        from wasmctl.oci.unpack import unpack_module

        session: Session = ctx.obj
        options = registry_options(
            session,
            username=username,
            password_stdin=password_stdin,
            plain_http=plain_http,
            ca_file=ca_file,
            insecure=insecure,
        )
        name, digest, image = _find_image(place, session, options)
        path = Path(session.cwd, output)
        if path.is_dir():
            path /= _DEFAULT_OUTPUT
        layers = read_manifest(image.manifest, image.media_type).layers
        with session.console.transfer(
            f"pulling {place}", sum(layer.size for layer in layers)
        ) as advance:
            module = unpack_module(image, path, advance=advance)
        session.console.say(f"pulled {name} ({shown_size(module.size)}, {module.format})")
        shown = relative(path, session.cwd)
        return Result(
            data={
                "reference": name,
                "digest": digest,
                "image_digest": image.digest,
                "path": str(path),
                "sha256": module.sha256,
                "size": module.size,
                "format": module.format,
            },
            lines=(str(shown),),
        )


def _find_image(
    place: str, session: Session, options: RegistryOptions
) -> tuple[str, str, ImageSource]:
    """Return what was named with its digest, that digest, and the image, no index any more."""
    layout = Path(session.cwd, place)
    if layout.exists():
        from wasmctl.oci.layout import read_layout

        laid_out = read_layout(layout)
        return f"{place}@{laid_out.digest}", laid_out.digest, laid_out
    from wasmctl.oci.manifest import choose_child
    from wasmctl.oci.reference import parse_reference
    from wasmctl.oci.registry import fetch_image

    reference = parse_reference(place, require_registry=False)
    if reference.read_as:
        session.console.say(reference.read_as)
    if reference.tag is None and reference.digest is None:
        reference = reference.with_tag("latest")
        session.console.say(f"no tag given: `{reference}`")
    found = fetch_image(reference, options)
    name = str(reference.with_digest(found.digest))
    child = choose_child(found.manifest, found.media_type)
    if child is None:
        return name, found.digest, found
    if not child.meshes_agree:
        session.console.warn(
            f"`{reference}` is an index with an image for {child.platform} only: Istio and"
            " Envoy Gateway look for linux/amd64 and will not load it"
        )
    image = fetch_image(reference.with_digest(child.descriptor.digest), options)
    session.console.say(f"of the index `{name}`: `{image.digest}` for {child.platform}")
    return name, found.digest, image
