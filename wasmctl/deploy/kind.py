"""What a kind of object is: its names, where it has the image, and how it is made."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from wasmctl.deploy.deployment import Deployment

if TYPE_CHECKING:
    from wasmctl.results import JSONValue

__all__ = ["ObjectKind"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectKind:
    """A kind of object that deploys a plug-in.

    Args:
        name: as people give it: `wasmplugin`.
        api_version: Kubernetes' `apiVersion`.
        kind: Kubernetes' `kind`.
        namespace: where it goes when nobody says.
        image: the keys that lead to what has `url` and `sha256`.
        since: the first release of the mesh that knows it; None: all that are around.
        make: makes one.
    """

    name: str
    api_version: str
    kind: str
    namespace: str
    image: tuple[str, ...]
    since: tuple[int, int] | None = None
    make: Callable[[Deployment], dict[str, JSONValue]]

    @property
    def group(self) -> str:
        """The API's group: another version of it is the same kind."""
        return self.api_version.partition("/")[0]
