"""The settings of wasmctl.toml, with their defaults: the one place where both are declared.

The JSON Schema and the references in docs/ are generated from here. Every key of a section also
has an environment variable, `WASMCTL_<SECTION>_<KEY>`, for values that are text, numbers or, comma
separated, lists of text.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Final, Literal

from wasmctl.project.rules import (
    ENV_NAME,
    ENV_VALUE,
    LABEL_KEY,
    LABEL_VALUE,
    NAME,
    NAMESPACE,
    OBJECT_NAME,
    PLUGIN_NAME,
    PORT,
    PRIORITY,
    REPOSITORY,
    TAG,
    VARIABLE,
    VERSION,
)

__all__ = [
    "DEFAULT_PORT",
    "BuildSettings",
    "DeploySettings",
    "FailStrategy",
    "Format",
    "ImageSettings",
    "Phase",
    "PluginSettings",
    "PluginType",
    "PullPolicy",
    "RunSettings",
    "Settings",
    "TestSettings",
    "ToolchainName",
    "WorkspaceSettings",
]

ToolchainName = Literal["cargo", "tinygo", "go"]
Format = Literal["oci", "docker", "artifact"]
# The words of Istio's API: extensions/v1alpha1/wasm.proto of istio.io/api.
Phase = Literal["AUTHN", "AUTHZ", "STATS"]
FailStrategy = Literal["FAIL_CLOSE", "FAIL_OPEN", "FAIL_RELOAD"]
PullPolicy = Literal["IfNotPresent", "Always"]
PluginType = Literal["HTTP", "NETWORK"]
# Where `run` serves a plug-in: the port of the SDKs' examples.
DEFAULT_PORT: Final = 18000

# Read by pydantic when it validates (a plain dict: pydantic is not imported for its name).
_STRICT = {"extra": "forbid", "strict": True, "use_attribute_docstrings": True}


@dataclass(frozen=True, slots=True, kw_only=True)
class PluginSettings:
    """What the plug-in is."""

    __pydantic_config__ = _STRICT

    name: Annotated[str, NAME] | None = None
    """Name of the plug-in; the package's or module's own when absent."""
    version: Annotated[str, VERSION] | None = None
    """Version; Cargo's, else git's tag when absent."""
    description: str | None = None
    """One line on what it does; goes into the image."""
    targets: tuple[str, ...] = ()
    """Consumers that have to load it: `istio-1.27`, `envoy-1.36`, `gcp` ..."""
    config: str | dict[str, object] | None = None
    """Configuration for `run` and `test`: text, or a table that becomes JSON."""
    config_file: str | None = None
    """The same in a file beside wasmctl.toml."""
    config_schema: str | None = None
    """JSON Schema of it; `config.schema.json` where there is one. Empty: none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildSettings:
    """How the module is compiled."""

    __pydantic_config__ = _STRICT

    toolchain: ToolchainName | None = None
    """The toolchain; found from the files when absent."""
    tool: str | None = None
    """The compiler's program: a name on PATH or a path."""
    target: str | None = None
    """The compiler's target: `wasm32-wasip1`, `wasm32-unknown-unknown`, `wasip1` ..."""
    profile: str | None = None
    """Cargo's profile; `release` when absent."""
    args: tuple[str, ...] = ()
    """Further arguments for the tool."""
    env: dict[Annotated[str, VARIABLE], str] = field(default_factory=dict)
    """Further environment for the tool."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageSettings:
    """The image that is pushed."""

    __pydantic_config__ = _STRICT

    repository: Annotated[str, REPOSITORY] | None = None
    """Where it is pushed: `ghcr.io/acme/{name}`; `{name}` and `{version}` are filled in."""
    tag: Annotated[str, TAG] | None = None
    """The tag; the version when absent."""
    format: Format = "oci"
    """`oci` for every mesh, `docker` for old registries, `artifact` for solo-io's two layers."""
    annotations: dict[str, str] = field(default_factory=dict)
    """Further annotations."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSettings:
    """How `run` serves the plug-in."""

    __pydantic_config__ = _STRICT

    upstream: str | None = None
    """URL of the server behind the proxy; a built-in echo when absent."""
    port: Annotated[int, PORT] | None = None
    """The proxy's port; 18000 when absent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TestSettings:
    """How `test` runs the declared cases."""

    __pydantic_config__ = _STRICT

    envoy: tuple[str, ...] = ()
    """Envoy releases: `["1.36", "1.40"]`; the one at hand when absent."""
    cases: str = "tests/*.cases.yaml"
    """Where the case files are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeploySettings:
    """The object that deploys the image."""

    __pydantic_config__ = _STRICT

    kind: str | None = None
    """Kind of the object: `wasmplugin` (when absent), `trafficextension`, `envoy`."""
    name: Annotated[str, OBJECT_NAME] | None = None
    """Its name; the plug-in's when absent."""
    namespace: Annotated[str, NAMESPACE] | None = None
    """Its namespace; `istio-system` when absent."""
    selector: dict[Annotated[str, LABEL_KEY], Annotated[str, LABEL_VALUE]] = field(
        default_factory=dict
    )
    """Labels of the workloads."""
    target_refs: tuple[dict[str, str], ...] = ()
    """Gateways and Services it attaches to, instead of a selector: `{kind, name}`."""
    phase: Phase | None = None
    """Where it stands in the filter chain."""
    priority: Annotated[int, PRIORITY] | None = None
    """Order within the phase; higher first."""
    match: tuple[dict[str, object], ...] = ()
    """Traffic that it sees: `{mode = "CLIENT"|"SERVER"|"CLIENT_AND_SERVER", ports = [8080]}`."""
    fail_strategy: FailStrategy | None = None
    """What becomes of requests when it cannot be loaded or crashes."""
    type: PluginType | None = None
    """Whether it is an HTTP or a network filter."""
    plugin_name: Annotated[str, PLUGIN_NAME] | None = None
    """Which of the module's plug-ins it is: Envoy's root id."""
    env: dict[Annotated[str, ENV_NAME], Annotated[str, ENV_VALUE]] = field(default_factory=dict)
    """Environment of its VM."""
    host_env: tuple[Annotated[str, ENV_NAME], ...] = ()
    """Variables of the proxy's own environment that its VM sees."""
    pull_policy: PullPolicy | None = None
    """When the image is fetched anew."""
    pull_secret: Annotated[str, OBJECT_NAME] | None = None
    """Name of the Secret with the registry's credentials."""
    sha256: bool | None = None
    """Whether the digest is told in `sha256` too, besides the url."""
    config: str | dict[str, object] | None = None
    """The plug-in's configuration where it is deployed; that of `[plugin]` when absent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkspaceSettings:
    """Several plug-ins in one repository."""

    __pydantic_config__ = _STRICT

    members: tuple[str, ...] = ()
    """Folders of the plug-ins; patterns allowed."""
    exclude: tuple[str, ...] = ()
    """Folders that `members` matches and that are none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """A whole wasmctl.toml."""

    __pydantic_config__ = _STRICT

    required_version: str | None = None
    """The wasmctl that this project needs: `>=0.1`."""
    plugin: PluginSettings = field(default_factory=PluginSettings)
    build: BuildSettings = field(default_factory=BuildSettings)
    image: ImageSettings = field(default_factory=ImageSettings)
    run: RunSettings = field(default_factory=RunSettings)
    test: TestSettings = field(default_factory=TestSettings)
    deploy: DeploySettings = field(default_factory=DeploySettings)
    workspace: WorkspaceSettings = field(default_factory=WorkspaceSettings)
