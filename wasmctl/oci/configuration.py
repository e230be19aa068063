"""What an image's configuration says: its labels, which are all that a Docker image tells."""

from __future__ import annotations

import json
from typing import Final

from wasmctl.oci.image import ImageSource, MediaType, digest_of
from wasmctl.oci.manifest import read_manifest

__all__ = ["read_labels"]

_KINDS: Final = frozenset({MediaType.OCI_CONFIG, MediaType.DOCKER_CONFIG})
_LIMIT: Final = 4 * 1024 * 1024


def read_labels(image: ImageSource) -> dict[str, str]:
    """Return the labels of an image; none where it has no configuration of a container.

    Labels are for people: a configuration that is damaged is one without them.

    Raises:
        Unreadable: the image is none.
        RegistryError: the registry refuses or fails.
    """
    config = read_manifest(image.manifest, image.media_type).config
    if config is None or config.media_type not in _KINDS or config.size > _LIMIT:
        return {}
    with image.open_blob(config.digest, config.size) as stream:
        content = stream.read(config.size)
    if digest_of(content) != config.digest:
        return {}
    try:
        labels = json.loads(content)["config"]["Labels"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return {}
    if not isinstance(labels, dict):
        return {}
    return {key: value for key, value in labels.items() if isinstance(value, str)}
