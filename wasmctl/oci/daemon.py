"""Module → image → registry, all by the Docker engine. The only importer of docker.

The engine lays the image out its own way and gives it a digest of its own. It gets the module, the
labels and the credentials of the one registry it pushes to, and nothing else of this machine.

https://docs.docker.com/reference/api/engine/version/v1.41/
"""

from __future__ import annotations

import contextlib
import socket
import tarfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final, TypedDict, cast

import docker.errors
import requests
from docker.api.client import APIClient
from docker.tls import TLSConfig

from wasmctl.errors import Refused, RegistryError, ToolFailed, ToolMissing, WasmctlError
from wasmctl.oci.answers import Asked, explain_answer
from wasmctl.oci.credentials import Credentials, find_credentials
from wasmctl.oci.docker_endpoint import Endpoint, find_endpoint
from wasmctl.oci.image import MODULE_NAME
from wasmctl.oci.module import check_module
from wasmctl.oci.options import RegistryOptions
from wasmctl.oci.reference import DOCKER_HUB, Reference, reads_as_version
from wasmctl.oci.transport import Answer

__all__ = ["build_and_push"]

_DOCKERFILE: Final = f"FROM scratch\nCOPY {MODULE_NAME} /{MODULE_NAME}\n".encode()
# What go-containerregistry, and so Istio's fetcher, picks by default; an engine on an arm64 machine
# would write its own.
_PLATFORM: Final = "linux/amd64"
_UNIX: Final = "unix://"
_CONNECT_SECONDS: Final = 8
# The engine says nothing while a slow registry answers.
_SILENCE_SECONDS: Final = 300
_CHUNK: Final = 256 * 1024
# How the engine's words begin that pass on what a registry said (distribution's
# registry/api/errcode/register.go), and the status these came with.
_STATUSES: Final[Mapping[str, int]] = {
    "unauthorized": 401,
    "no basic auth credentials": 401,
    "denied": 403,
    "name unknown": 404,
    "toomanyrequests": 429,
}


class _Progress(TypedDict, total=False):
    current: int


class _Aux(TypedDict, total=False):
    ID: str
    Digest: str


class _Line(TypedDict, total=False):
    """One object of the stream in which the engine tells what it does."""

    stream: str
    status: str
    id: str
    progressDetail: _Progress
    aux: _Aux
    error: str


def build_and_push(
    module: Path,
    reference: Reference,
    *,
    tags: Sequence[str],
    annotations: Mapping[str, str],
    options: RegistryOptions,
    advance: Callable[[int], None],
    move_tag: bool = False,
) -> str:
    """Have the engine build the module's image and push it; return the digest it gave.

    The image stays in the engine under each of its names, as after `docker build`.

    Args:
        module: the WebAssembly module.
        reference: the repository.
        tags: its tags, at least one.
        annotations: become labels of the image.
        options: environment and credentials; how the registry is spoken to is the engine's affair.
        advance: called with the bytes of the module that went to the registry.
        move_tag: whether a tag that reads as a version may be taken from another image.

    Raises:
        Refused: `tag-exists`: a version's tag already holds another image. Nothing was pushed.
        Unreadable: the module is not WebAssembly.
        ToolMissing: `docker-unavailable`: no engine answers.
        ToolFailed: the engine could not build.
        RegistryError: the registry refused the engine.
    """
    size = check_module(module)
    endpoint = find_endpoint(options.env)
    credentials = _credentials(reference, options)
    with contextlib.closing(_connect(endpoint)) as engine:
        image = _build(engine, module, size, annotations)
        if not move_tag:
            _keep_versions(engine, image, reference, tags, credentials)
        digests = set()
        for number, tag in enumerate(tags):
            engine.tag(image, reference.name, tag)
            # The first push carries the bytes.
            told = advance if number == 0 else _nothing
            digests.add(_push(engine, reference.with_tag(tag), credentials, told))
    if len(digests) != 1:
        raise ToolFailed(
            "engine-digests",
            f"the Docker engine gave one image {len(digests)} digests",
            hint="push without it: `--via registry`",
        )
    return digests.pop()


def _credentials(reference: Reference, options: RegistryOptions) -> Credentials | None:
    if options.username is not None and options.password is not None:
        return Credentials(
            username=options.username, password=options.password, origin="the command line"
        )
    return find_credentials(reference.registry, options.env, repository=reference.repository)


class _Engine(APIClient):
    """The engine, told what it needs and nothing more."""

    def _set_auth_headers(self, headers: dict[str, str]) -> None:
        """Send no credentials to build: docker-py would ask every helper and send all there are."""

    def _retrieve_server_version(self) -> str:
        # The first request. REQUESTS_CA_BUNDLE would win over the engine's own authority.
        self.trust_env = False
        return cast("str", super()._retrieve_server_version())  # type: ignore[misc]  # no stub


def _connect(endpoint: Endpoint) -> _Engine:
    try:
        if endpoint.host.startswith(_UNIX):
            with socket.socket(socket.AF_UNIX) as probe:
                probe.settimeout(_CONNECT_SECONDS)
                probe.connect(endpoint.host.removeprefix(_UNIX))
        engine = _Engine(
            base_url=endpoint.host,
            version="auto",
            timeout=_CONNECT_SECONDS,
            tls=_tls(endpoint),
            use_ssh_client=endpoint.host.startswith("ssh://"),
        )
    except PermissionError as error:
        raise ToolMissing(
            "docker-unavailable",
            f"the Docker engine at `{endpoint.host}` ({endpoint.origin}) is not yours to use",
            hint="join the group `docker`, or push without it: `--via registry`",
        ) from error
    except (docker.errors.DockerException, requests.RequestException, OSError) as error:
        # docker-py wants this library for `ssh://`, though it does without most of it.
        first = "`pip install paramiko`" if "paramiko" in str(error) else "start it"
        raise ToolMissing(
            "docker-unavailable",
            f"no Docker engine answers at `{endpoint.host}` ({endpoint.origin}): {_reason(error)}",
            hint=f"{first}, or push without it: `--via registry`",
        ) from error
    engine.timeout = _SILENCE_SECONDS
    return engine


def _reason(error: BaseException) -> str:
    """Return what the operating system said, under all that libraries wrap around it."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, OSError) and cause.strerror:
            return cause.strerror.lower()
        cause = cause.__cause__ or cause.__context__
    return str(error)


def _tls(endpoint: Endpoint) -> TLSConfig | bool:
    folder = endpoint.certificates
    if folder is None:
        return False
    pair = (str(folder / "cert.pem"), str(folder / "key.pem"))
    authority = folder / "ca.pem"
    return TLSConfig(
        client_cert=pair if Path(pair[0]).is_file() else None,
        ca_cert=str(authority) if authority.is_file() else None,
        verify=endpoint.verify,
    )


def _build(engine: _Engine, module: Path, size: int, labels: Mapping[str, str]) -> str:
    """Return the identity of the image that the engine built."""
    said: list[str] = []
    identity = failure = ""
    try:
        lines = engine.build(
            # Streamed: a large module is never in memory.
            fileobj=_context(module, size),  # type: ignore[arg-type]
            custom_context=True,
            labels=dict(labels),
            platform=_PLATFORM,
            rm=True,
            forcerm=True,
            decode=True,
        )
        for line in cast("Iterator[_Line]", lines):
            said.append(line.get("stream", ""))
            failure = line.get("error", failure)
            identity = line.get("aux", {}).get("ID", identity)
    except (docker.errors.DockerException, requests.RequestException) as error:
        raise _build_failed(_words(error), said) from error
    if failure or not identity:
        raise _build_failed(failure or "it named no image", said)
    return identity


def _context(module: Path, size: int) -> Iterator[bytes]:
    """Yield the tar of a Dockerfile and the module."""
    yield _entry("Dockerfile", len(_DOCKERFILE)) + _DOCKERFILE + _padding(len(_DOCKERFILE))
    yield _entry(MODULE_NAME, size)
    with module.open("rb") as content:
        while chunk := content.read(_CHUNK):
            yield chunk
    yield _padding(size) + bytes(2 * tarfile.BLOCKSIZE)


def _entry(name: str, size: int) -> bytes:
    # A new entry has no times, no owner and mode 0644: the engine's build cache finds it again.
    entry = tarfile.TarInfo(name)
    entry.size = size
    return entry.tobuf(tarfile.USTAR_FORMAT)


def _padding(size: int) -> bytes:
    return bytes(-size % tarfile.BLOCKSIZE)


def _build_failed(words: str, said: Sequence[str]) -> ToolFailed:
    return ToolFailed(
        "engine-build-failed",
        f"the Docker engine could not build the image: {words}",
        hint="look at the engine's log, or push without it: `--via registry`",
        output="".join(said),
    )


def _keep_versions(
    engine: _Engine,
    image: str,
    reference: Reference,
    tags: Sequence[str],
    credentials: Credentials | None,
) -> None:
    """Refuse to move a version's tag; what digest the push will give is known from earlier ones."""
    earlier = {name.rpartition("@")[2] for name in engine.inspect_image(image)["RepoDigests"]}  # type: ignore[no-untyped-call]
    for tag in filter(reads_as_version, tags):
        name = str(reference.with_tag(tag))
        # Where the registry will not say, the push itself will tell why.
        with contextlib.suppress(docker.errors.DockerException, requests.RequestException):
            answer = engine.inspect_distribution(name, _auth_config(reference, credentials))  # type: ignore[no-untyped-call]
            held = answer["Descriptor"]["digest"]
            if held not in earlier:
                raise Refused(
                    "tag-exists",
                    f"`{name}` already holds another image, `{held}`",
                    hint="push under a new version, or move the tag with `--move-tag`",
                )


def _push(
    engine: _Engine,
    reference: Reference,
    credentials: Credentials | None,
    advance: Callable[[int], None],
) -> str:
    """Return the digest under which the engine pushed one tag."""
    digest = failure = ""
    done = 0
    try:
        lines = engine.push(
            reference.name,
            reference.tag,
            stream=True,
            decode=True,
            auth_config=_auth_config(reference, credentials),
        )
        for line in cast("Iterator[_Line]", lines):
            failure = line.get("error", failure)
            digest = line.get("aux", {}).get("Digest", digest)
            current = line.get("progressDetail", {}).get("current", done)
            advance(current - done)
            done = current
    except (docker.errors.DockerException, requests.RequestException) as error:
        raise _push_failed(_words(error), reference, credentials) from error
    if failure or not digest:
        raise _push_failed(failure or "it told no digest", reference, credentials)
    return digest


def _auth_config(reference: Reference, credentials: Credentials | None) -> dict[str, str]:
    """Return the engine's AuthConfig; an empty one, lest docker-py look for one itself."""
    if credentials is None:
        return {}
    hub = reference.registry == DOCKER_HUB
    told = {
        "username": credentials.username,
        "password": credentials.password,
        "identitytoken": credentials.identity_token,
        "registrytoken": credentials.registry_token,
        "serveraddress": "https://index.docker.io/v1/" if hub else reference.registry,
    }
    return {key: value for key, value in told.items() if value}


def _push_failed(words: str, reference: Reference, credentials: Credentials | None) -> WasmctlError:
    for start, status in _STATUSES.items():
        if words.startswith(start):
            asked = Asked(
                registry=reference.registry,
                repository=reference.repository,
                doing="push",
                credentials=credentials,
            )
            answer = Answer(host=reference.registry, status=status, headers={}, body=words.encode())
            return explain_answer(answer, asked)
    if credentials is not None:
        for secret in filter(None, (credentials.password, credentials.identity_token)):
            words = words.replace(secret, "***")
    return RegistryError(
        "engine-push-failed",
        f"the Docker engine could not push to `{reference}`: {words}",
        hint="the engine needs its own way to the registry (its proxy, `insecure-registries`, CA);"
        " `--via registry` takes ours",
    )


def _words(error: Exception) -> str:
    explanation = getattr(error, "explanation", None)
    return str(explanation or error)


def _nothing(_count: int) -> None:
    """Take no notice."""
