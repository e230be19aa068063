"""An Envoy of a container image, run by the docker command line. Only where it is asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wasmctl.errors import ProxyError

if TYPE_CHECKING:
    from wasmctl.envoy.envoy import Envoy
    from wasmctl.session import Session

__all__ = ["docker_envoy"]


def docker_envoy(image: str, session: Session) -> Envoy:
    """Return the Envoy of an image."""
    session.console.detail(f"envoy: the image {image}")
    raise ProxyError("no-envoy", f"`docker:{image}` cannot be run yet", hint="name a release")
