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
    from wasmctl.oci.source import find_image, resolve_image

    named = find_image(place, folder=session.cwd, options=options)
    for sentence in named.assumed:
        session.console.say(sentence)
    image, way = resolve_image(named.place)
    if named.reference is None:
        # Of a layout the image is what counts, however it is nested.
        return f"{place}@{image.digest}", image.digest, image
    name = str(named.reference.with_digest(named.place.digest))
    if way:
        platform = way[-1].platform
        if not all(child.meshes_agree for child in way):
            session.console.warn(
                f"`{named.reference}` is an index with an image for {platform} only: Istio and"
                " Envoy Gateway look for linux/amd64 and will not load it"
            )
        session.console.say(f"of the index `{name}`: `{image.digest}` for {platform}")
    return name, named.place.digest, image
