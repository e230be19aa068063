"""Plug-ins → the objects that deploy them."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

from wasmctl.deploy.kinds import (
    DEFAULT_KIND,
    ENVOY,
    KIND_NAMES,
    OBJECT_KINDS,
    PULL_SECRET,
    check_kinds,
)
from wasmctl.errors import RegistryError, UsageError
from wasmctl.flow.subjects import Subject, image_of, repository_of
from wasmctl.project.configuration import (
    configuration_text,
    read_configuration,
    settings_configuration,
)
from wasmctl.project.configuration_schema import check_configuration
from wasmctl.project.layers import setting_place
from wasmctl.session import Session

if TYPE_CHECKING:
    from wasmctl.deploy.kind import ObjectKind
    from wasmctl.deploy.update import Updated
    from wasmctl.oci.credentials import Credentials
    from wasmctl.oci.options import RegistryOptions
    from wasmctl.oci.reference import Reference
    from wasmctl.results import JSONValue

__all__ = ["Manifest", "ManifestRequest", "make_manifests", "plan_update"]


# Flags that kinds have a use for, besides those of every object: settings by dotted name, others as
# they are.
_CONFIG: Final = frozenset({"config", "config_file"})
_OF_SECRET: Final = frozenset(
    {"deploy.name", "deploy.namespace", "deploy.pull_secret", "allow_temporary"}
)
_OF_ENVOY: Final = _CONFIG | {
    *("deploy.fail_strategy", "deploy.type", "deploy.plugin_name", "deploy.env", "deploy.host_env"),
    *("run.upstream", "run.port", "module"),
}
_OF_UPDATE: Final = frozenset({"deploy.name", "deploy.namespace"})


@dataclass(frozen=True, slots=True, kw_only=True)
class ManifestRequest:
    """What is to be written.

    Args:
        kinds: those of the command line; empty: `[deploy] kind` of each plug-in.
        given: the flags that were given, settings by dotted name.
        text: the plug-in's configuration; None: that of `file`, else the settings'.
        file: an absolute file with the plug-in's configuration.
        options: how a registry is spoken to, and as whom.
        allow_temporary: whether a Secret may hold credentials that end by themselves.
        module: where Envoy finds the module; None: where it was built.
    """

    kinds: tuple[str, ...] = ()
    given: frozenset[str] = frozenset()
    text: str | None = None
    file: Path | None = None
    options: RegistryOptions
    allow_temporary: bool = False
    module: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """One document.

    Args:
        kind: its kind, as people give it.
        name: the object's name, or the plug-in's.
        namespace: the object's; None for a file of Envoy.
        document: the content.
        image: the image that it deploys.
    """

    kind: str
    name: str
    namespace: str | None
    document: Mapping[str, JSONValue]
    image: str | None = None

    @property
    def is_secret(self) -> bool:
        """Whether nobody else shall read it."""
        return self.kind == PULL_SECRET


def make_manifests(
    subjects: Sequence[Subject], session: Session, request: ManifestRequest
) -> tuple[Manifest, ...]:
    """Return the documents, kind by kind, each kind in the order of the plug-ins.

    Raises:
        WasmctlError: settings that a mesh would not take, no digest, no credentials.
    """
    kinds = {subject: _kinds(subject, request) for subject in subjects}
    asked = {kind for names in kinds.values() for kind in names}
    if ENVOY in asked and len(subjects) > 1:
        message = f"`{ENVOY}` is one file for one plug-in, and not for {len(subjects)}"
        raise UsageError("usage", message, hint="write them in several runs")
    _check_given(request.given, asked)
    made = [
        manifest
        for subject, names in kinds.items()
        for manifest in _make(names, subject, session, request)
    ]
    ordered = sorted(made, key=lambda manifest: KIND_NAMES.index(manifest.kind))
    return tuple(_unique(ordered))


def _kinds(subject: Subject, request: ManifestRequest) -> tuple[str, ...]:
    if request.kinds:
        return check_kinds(request.kinds, "`--kind`")
    kind = subject.settings.deploy.kind
    return check_kinds([kind or DEFAULT_KIND], setting_place("deploy.kind", flags=request.given))


def _check_given(given: Collection[str], kinds: Collection[str]) -> None:
    """Refuse flags that none of the kinds has a use for.

    Raises:
        UsageError: the first of them.
    """
    objects = frozenset(name for name in given if name.startswith("deploy.")) | _CONFIG
    uses = dict.fromkeys(OBJECT_KINDS, objects) | {PULL_SECRET: _OF_SECRET, ENVOY: _OF_ENVOY}
    useless = set(given).difference(*(uses[kind] for kind in kinds))
    for name in sorted(useless):
        listed = " and ".join(f"`{kind}`" for kind in KIND_NAMES if kind in kinds)
        message = f"{_flag(name)} means nothing to {listed}"
        hint = f"leave it out; it is for `--kind {ENVOY}`" if name in _OF_ENVOY else "leave it out"
        raise UsageError("usage", message, hint=hint)


def _make(
    kinds: Sequence[str], subject: Subject, session: Session, request: ManifestRequest
) -> Iterator[Manifest]:
    # Once for all kinds: a tag may move meanwhile.
    image = cache(lambda: image_of(subject, session, request.options))
    for kind in kinds:
        if kind == PULL_SECRET:
            yield _secret(subject, session, request)
        elif kind == ENVOY:
            yield _plain_envoy(subject, request)
        else:
            yield _object(OBJECT_KINDS[kind], image(), subject, session, request)


def _unique(manifests: Sequence[Manifest]) -> Iterator[Manifest]:
    """Yield each object once: several plug-ins may share a Secret, and nothing else."""
    seen: dict[tuple[str, str | None, str], Manifest] = {}
    for manifest in manifests:
        known = seen.setdefault((manifest.kind, manifest.namespace, manifest.name), manifest)
        if known is manifest:
            yield manifest
        elif known.document != manifest.document or not manifest.is_secret:
            what = "Secrets" if manifest.is_secret else "objects"
            message = f"two different {what} would be called `{manifest.name}`"
            hint = "give them names, `[deploy] name` or `pull-secret`, or write them in two runs"
            raise UsageError("same-name", message, hint=hint)


def _object(
    kind: ObjectKind,
    image: Reference,
    subject: Subject,
    session: Session,
    request: ManifestRequest,
) -> Manifest:
    from wasmctl.deploy.notices import notices_of
    from wasmctl.deploy.plan import object_name, plan_deployment

    settings = subject.settings.deploy
    deployment = plan_deployment(
        settings,
        name=settings.name or object_name(subject.name),
        namespace=settings.namespace or kind.namespace,
        image=image,
        config=_config(subject, request),
        place=lambda key: setting_place(f"deploy.{key}", flags=request.given),
    )
    for notice in notices_of(deployment, kind, image, subject.settings.plugin.targets):
        session.console.warn(f"{kind.kind} {deployment.name}: {notice}")
    return Manifest(
        kind=kind.name,
        name=deployment.name,
        namespace=deployment.namespace,
        document=kind.make(deployment),
        image=str(image),
    )


def _flag(name: str) -> str:
    """Return how a flag is typed, be it a setting's or not."""
    return setting_place(name, flags={name}) if "." in name else f"`--{name.replace('_', '-')}`"


def _configuration(subject: Subject, request: ManifestRequest) -> tuple[str | None, str]:
    """Return the plug-in's configuration as a proxy hands it over, and where it was given.

    Raises:
        UsageError: it cannot be read, or the plug-in's schema does not take it.
    """
    text, place = _given_configuration(subject, request)
    check_configuration(subject.settings.plugin, subject.folder, text, place=place)
    return text, place


def _given_configuration(subject: Subject, request: ManifestRequest) -> tuple[str | None, str]:
    if request.text is not None:
        return request.text, "`--config`"
    if request.file is not None:
        return read_configuration(request.file), f"`{request.file}`"
    if subject.settings.deploy.config is not None:
        return configuration_text(subject.settings.deploy.config), "`[deploy] config`"
    plugin = subject.settings.plugin
    key = "config" if plugin.config_file is None else "config-file"
    return settings_configuration(plugin, subject.folder), f"`[plugin] {key}`"


def _config(subject: Subject, request: ManifestRequest) -> Mapping[str, JSONValue] | None:
    from wasmctl.deploy.config import read_object

    text, place = _configuration(subject, request)
    # A proxy hands over nothing where there is nothing, and no object can say more.
    return read_object(text, place) if text else None


def _plain_envoy(subject: Subject, request: ManifestRequest) -> Manifest:
    from wasmctl.deploy.plain_envoy import PlainEnvoy, make_plain_envoy
    from wasmctl.envoy.upstream import parse_upstream
    from wasmctl.project.settings import DEFAULT_PORT

    module, upstream = request.module, subject.settings.run.upstream
    if module is None:
        if subject.project is None or not subject.project.module.is_file():
            message = f"there is no module of `{subject.name}` for Envoy to load"
            hint = "build it: `wasmctl build`; or say where Envoy will find it: `--module FILE`"
            raise UsageError("no-module", message, hint=hint)
        module = subject.project.module
    wanted = PlainEnvoy(
        name=subject.name,
        module=module,
        settings=subject.settings.deploy,
        configuration=_configuration(subject, request)[0],
        upstream=None if upstream is None else parse_upstream(upstream),
        port=subject.settings.run.port or DEFAULT_PORT,
    )
    return Manifest(
        kind=ENVOY, name=subject.name, namespace=None, document=make_plain_envoy(wanted)
    )


def _secret(subject: Subject, session: Session, request: ManifestRequest) -> Manifest:
    from wasmctl.deploy.pull_secret import make_pull_secret
    from wasmctl.deploy.temporary import why_temporary

    name = _secret_name(subject, request)
    namespace = subject.settings.deploy.namespace or _object_namespace(subject, request)
    image = repository_of(subject, session)
    credentials = _credentials(image, request)
    temporary = why_temporary(image.registry, credentials)
    if temporary is not None and not request.allow_temporary:
        message = f"the credentials {credentials} are {temporary.what}: proxies that start later"
        hint = f"{temporary.instead}; or `--allow-temporary`"
        raise UsageError("temporary-credentials", f"{message} could not pull", hint=hint)
    if temporary is not None:
        session.console.warn(f"Secret {name}: it holds {temporary.what}")
    session.console.say(f"Secret {name}: for `{image.registry}`, the credentials {credentials}")
    document = make_pull_secret(name, namespace, image.registry, credentials)
    return Manifest(kind=PULL_SECRET, name=name, namespace=namespace, document=document)


def _object_namespace(subject: Subject, request: ManifestRequest) -> str:
    """Return where the plug-in's object goes: that is where its Secret is looked for."""
    kinds = [*request.kinds, subject.settings.deploy.kind or "", DEFAULT_KIND]
    return next(OBJECT_KINDS[kind].namespace for kind in kinds if kind in OBJECT_KINDS)


def _secret_name(subject: Subject, request: ManifestRequest) -> str:
    settings = subject.settings.deploy
    alone = _kinds(subject, request) == (PULL_SECRET,)
    if alone and "deploy.name" in request.given:
        return str(settings.name)
    if settings.pull_secret is None:
        flag = "--name" if alone else "--pull-secret"
        hint = f"name it: `{flag} NAME`, or `[deploy] pull-secret` in wasmctl.toml"
        raise UsageError("no-name", "the Secret has no name", hint=hint)
    return settings.pull_secret


def _credentials(image: Reference, request: ManifestRequest) -> Credentials:
    from wasmctl.oci.credentials import Credentials, find_credentials

    options = request.options
    if options.username is not None and options.password is not None:
        return Credentials(
            username=options.username, password=options.password, origin="the command line"
        )
    found = find_credentials(image.registry, options.env, repository=image.repository)
    if found is None:
        message = f"there are no credentials of `{image.registry}` to make a Secret of"
        hint = f"`wasmctl login {image.registry}`; or `-u USER --password-stdin`"
        raise RegistryError("no-credentials", message, hint=hint)
    return found


def plan_update(
    subject: Subject, session: Session, request: ManifestRequest, *, path: Path, shown: str
) -> Updated:
    """Return what becomes of a file under GitOps.

    Args:
        subject: whose image is written.
        session: the world.
        request: how the image is found, and which object is meant.
        path: the absolute file.
        shown: its name, for people.

    Raises:
        WasmctlError: it cannot be read, the object is not there, there is no digest.
    """
    from wasmctl.deploy.notices import image_notices
    from wasmctl.deploy.plan import object_name
    from wasmctl.deploy.update import Wanted, update_image

    settings = subject.settings.deploy
    for kind in check_kinds(request.kinds, "`--kind`"):
        if kind not in OBJECT_KINDS:
            message = f"`--update` changes the image of an object, and `{kind}` has none"
            raise UsageError("usage", message, hint="leave out `--kind`, or `--update`")
    for name in sorted(request.given - _OF_UPDATE):
        message = f"`--update` changes the image alone, and not what {_flag(name)} says"
        raise UsageError("usage", message, hint="change that in the file itself")
    text = _read_text(path, shown)
    image = image_of(subject, session, request.options)
    usual = settings.name or object_name(subject.name)
    wanted = Wanted(
        name=settings.name if "deploy.name" in request.given else None,
        namespace=settings.namespace if "deploy.namespace" in request.given else None,
        kinds=request.kinds,
        usual_name=usual,
    )
    updated = update_image(text, image, wanted, file=shown)
    for notice in image_notices(image):
        session.console.warn(f"{updated.shown}: {notice}")
    return updated


def _read_text(path: Path, shown: str) -> str:
    """Return a file's text with its line ends as they are."""
    try:
        return path.read_bytes().decode("utf-8")
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
    except UnicodeDecodeError:
        reason = "it is not UTF-8"
    message = f"`{shown}` cannot be read: {reason}"
    raise UsageError("unreadable-file", message, hint="name a file of YAML")
