"""`[deploy]`, an image and a configuration → a deployment that the meshes take. Pure.

What a single setting must be is said in project/settings.py; here is what settings must be to each
other, and what a table within one must hold. The rules are those of the published CRDs and of
istiod's webhook (pkg/config/validation/validation.go of https://github.com/istio/istio).
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Final

from wasmctl.deploy.deployment import Deployment, TargetRef, TrafficMatch
from wasmctl.errors import UsageError
from wasmctl.project.rules import OBJECT_NAME

if TYPE_CHECKING:
    from collections.abc import Callable

    from wasmctl.oci.reference import Reference
    from wasmctl.project.settings import DeploySettings
    from wasmctl.results import JSONValue

    # A setting's key → where it was given, for people: `--phase`, `[deploy] phase`.
    Place = Callable[[str], str]

__all__ = ["TARGET_GROUPS", "object_name", "plan_deployment"]

# What a plug-in can attach to: kind → API group (allowedTargetRefs of the webhook).
TARGET_GROUPS: Final[Mapping[str, str]] = {
    "Gateway": "gateway.networking.k8s.io",
    "GatewayClass": "gateway.networking.k8s.io",
    "Service": "",
    "ServiceEntry": "networking.istio.io",
}
_MODES: Final = ("CLIENT", "SERVER", "CLIENT_AND_SERVER")
_MOST_LABELS: Final = 4096
_MOST_TARGETS: Final = 16
_MOST_VARIABLES: Final = 256
_TARGET_HINT: Final = 'write it like `target-refs = [{kind = "Gateway", name = "front"}]`'
_MATCH_HINT: Final = 'write it like `match = [{mode = "SERVER", ports = [8080]}]`'


def plan_deployment(
    settings: DeploySettings,
    *,
    name: str,
    namespace: str,
    image: Reference,
    config: Mapping[str, JSONValue] | None,
    place: Place,
) -> Deployment:
    """Return what is to be deployed.

    Args:
        settings: how.
        name: the object's name.
        namespace: the object's namespace.
        image: the image, with its digest.
        config: the plug-in's configuration.
        place: says where a setting was given.

    Raises:
        UsageError: the settings do not go together, or a mesh would not take them.
    """
    if settings.selector and settings.target_refs:
        message = f"{place('selector')} and {place('target_refs')} at once: a mesh takes one"
        hint = "keep `selector` for sidecars and gateways, `target-refs` for waypoints"
        raise UsageError("bad-config", message, hint=hint)
    if len(settings.selector) > _MOST_LABELS:
        message = (
            f"{place('selector')}: {len(settings.selector)} labels, and {_MOST_LABELS} are the"
        )
        raise UsageError("bad-config", f"{message} most", hint="a few labels tell workloads apart")
    _check_variables(settings, place)
    if image.digest is None:
        raise AssertionError("an image without a digest is not deployed")
    return Deployment(
        name=name,
        namespace=namespace,
        url=f"oci://{image}",
        sha256=image.digest.removeprefix("sha256:") if settings.sha256 else None,
        selector=settings.selector,
        target_refs=tuple(_target_refs(settings.target_refs, place("target_refs"))),
        phase=settings.phase,
        priority=settings.priority,
        match=tuple(_matches(settings.match, place("match"))),
        fail_strategy=settings.fail_strategy,
        type=settings.type,
        plugin_name=settings.plugin_name,
        env=settings.env,
        host_env=settings.host_env,
        pull_policy=settings.pull_policy,
        pull_secret=settings.pull_secret,
        config=config,
    )


def object_name(plugin: str) -> str:
    """Return the name of a plug-in's object: its own, in the letters that Kubernetes takes.

    Raises:
        UsageError: it has none of these.
    """
    name = plugin.lower().replace("_", "-")
    if OBJECT_NAME.allows(name):
        return name
    message = f"the plug-in's name, `{plugin}`, is none for an object of Kubernetes"
    raise UsageError("bad-name", message, hint="name the object: `--name`, or `[deploy] name`")


def _check_variables(settings: DeploySettings, place: Place) -> None:
    names = [*settings.env, *settings.host_env]
    if len(names) > _MOST_VARIABLES:
        message = f"{place('env')}: {len(names)} variables, and {_MOST_VARIABLES} are the most"
        raise UsageError("bad-config", message, hint="hand them over in the configuration")
    for index, name in enumerate(settings.host_env):
        if name in settings.env:
            message = f"{place('host_env')}: `{name}` has a value of its own in {place('env')}"
            raise UsageError("bad-config", message, hint="keep one of the two")
        if name in settings.host_env[:index]:
            message = f"{place('host_env')}: `{name}` stands there twice"
            raise UsageError("bad-config", message, hint="keep one of the two")


def _target_refs(refs: Sequence[Mapping[str, str]], place: str) -> Iterator[TargetRef]:
    if len(refs) > _MOST_TARGETS:
        message = f"{place}: {len(refs)} objects, and {_MOST_TARGETS} are the most"
        raise UsageError("bad-config", message, hint="write a second object for the rest")
    for index, ref in enumerate(refs):
        yield _target_ref(ref, f"{place}, number {index + 1}")


def _target_ref(ref: Mapping[str, str], where: str) -> TargetRef:
    _check_keys(ref, ("kind", "name", "group", "namespace"), where, _TARGET_HINT)
    kind, name = ref.get("kind", ""), ref.get("name", "")
    if not kind or not name:
        missing = "name" if kind else "kind"
        raise UsageError("bad-config", f"{where}: no `{missing}`", hint=_TARGET_HINT)
    if ref.get("namespace"):
        message = f"{where}: `namespace` has to be the object's own"
        raise UsageError("bad-config", message, hint="leave it out, and set `--namespace`")
    if kind not in TARGET_GROUPS:
        close = difflib.get_close_matches(kind.lower(), [k.lower() for k in TARGET_GROUPS], n=1)
        meant = [known for known in TARGET_GROUPS if known.lower() in close]
        listed = ", ".join(f"`{known}`" for known in TARGET_GROUPS)
        hint = f"did you mean `{meant[0]}`?" if meant else f"it can be {listed}"
        message = f"{where}: `{kind}` is no kind that a plug-in attaches to"
        raise UsageError("bad-config", message, hint=hint)
    group = TARGET_GROUPS[kind]
    given = ref.get("group", group)
    if given != group and (group or given != "core"):
        message = f"{where}: `{kind}` is of the group `{group or 'core'}`, not `{given}`"
        raise UsageError("bad-config", message, hint="leave `group` out")
    if not OBJECT_NAME.allows(name):
        raise UsageError(
            "bad-config", f"{where}: `{name}` is not {OBJECT_NAME.wanted}", hint=_TARGET_HINT
        )
    return TargetRef(group=group, kind=kind, name=name)


def _matches(matches: Sequence[Mapping[str, object]], place: str) -> Iterator[TrafficMatch]:
    for index, match in enumerate(matches):
        yield _match(match, f"{place}, number {index + 1}")


def _match(match: Mapping[str, object], where: str) -> TrafficMatch:
    _check_keys(match, ("mode", "ports"), where, _MATCH_HINT)
    mode, ports = match.get("mode"), match.get("ports", [])
    if mode is None and not ports:
        message = f"{where}: neither `mode` nor `ports`"
        raise UsageError("bad-config", message, hint=_MATCH_HINT)
    if mode is not None and mode not in _MODES:
        listed = f"`{_MODES[0]}`, `{_MODES[1]}` or `{_MODES[2]}`"
        close = difflib.get_close_matches(str(mode).upper(), _MODES, n=1)
        message = f"{where}: `mode` must be {listed}, not `{mode}`"
        hint = f"did you mean `{close[0]}`?" if close else _MATCH_HINT
        raise UsageError("bad-config", message, hint=hint)
    if not isinstance(ports, list):
        raise UsageError("bad-config", f"{where}: `ports` must be a list", hint=_MATCH_HINT)
    return TrafficMatch(mode=None if mode is None else str(mode), ports=_ports(ports, where))


def _ports(ports: Sequence[object], where: str) -> tuple[int, ...]:
    found: list[int] = []
    for port in ports:
        if not isinstance(port, int) or isinstance(port, bool) or not 0 < port < 65536:
            message = f"{where}: `{port}` is no port: 1 to 65535 are"
            raise UsageError("bad-config", message, hint=_MATCH_HINT)
        if port in found:
            message = f"{where}: the port {port} stands there twice"
            raise UsageError("bad-config", message, hint="keep one of the two")
        found.append(port)
    return tuple(found)


def _check_keys(given: Mapping[str, object], known: Sequence[str], where: str, hint: str) -> None:
    for key in given:
        if key not in known:
            close = difflib.get_close_matches(key, known, n=1)
            better = f"did you mean `{close[0]}`?" if close else hint
            raise UsageError("unknown-key", f"{where}: unknown key `{key}`", hint=better)
