"""Every environment variable that wasmctl itself reads, declared once.

The reference in docs/ is generated from this table; settings of wasmctl.toml have one each by
rule: `WASMCTL_<SECTION>_<KEY>` (see project/settings.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

__all__ = ["VARIABLES"]

VARIABLES: Final[Mapping[str, str]] = {
    "WASMCTL_CARGO": "The cargo to use.",
    "WASMCTL_GO": "The go to use.",
    "WASMCTL_TINYGO": "The tinygo to use.",
    "WASMCTL_ENVOY": "The envoy to use: a path, a release (`1.40`), or `docker:IMAGE`.",
    "WASMCTL_DEBUG": "Set to 1 for tracebacks, as `--debug`.",
    "WASMCTL_NO_INPUT": "Set to 1 to never be asked anything, as `--no-input`.",
    "NO_COLOR": "Set to anything for no colour.",
    "FORCE_COLOR": "Set to anything for colour off a terminal too.",
    "CI": "Set to anything for no moving progress and no questions.",
    "GITHUB_ACTIONS": "Set by GitHub Actions: `push` writes its step output and summary.",
    "GITHUB_OUTPUT": "The file of a step's outputs; `push` adds `reference` and `digest`.",
    "GITHUB_STEP_SUMMARY": "The file of a step's summary; `push` adds a line.",
    "SOURCE_DATE_EPOCH": "Seconds since 1970: the time written into images instead of 0.",
    "DOCKER_CONFIG": "The folder of docker's config.json, read and written by `login`.",
    "REGISTRY_AUTH_FILE": "A credentials file of podman, skopeo and buildah; read.",
    "DOCKER_HOST": "The engine of `push --via docker`.",
    "DOCKER_CONTEXT": "The docker context of `push --via docker`.",
    "HTTPS_PROXY": "The proxy for https registries; HTTP_PROXY and NO_PROXY likewise.",
    "SSL_CERT_FILE": "The CA bundle for registries; REQUESTS_CA_BUNDLE likewise.",
    "FUNC_E_DATA_HOME": "Where func-e keeps Envoys; `FUNC_E_HOME` of older ones likewise.",
    "XDG_CONFIG_HOME": "Where `wasmctl/config.toml`, the user file, is looked for.",
    "XDG_CACHE_HOME": "Where the cache is kept.",
    "XDG_DATA_HOME": "Where toolchains installed by wasmctl are kept.",
    "XDG_STATE_HOME": "Where logs of unexpected errors are kept.",
    "XDG_RUNTIME_DIR": "Where podman's credentials file is looked for.",
}
