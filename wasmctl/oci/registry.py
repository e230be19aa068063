"""Images over the OCI distribution API, one request at a time. The only importer of oras.

`oras` supplies names and URLs. Its provider is left alone: it sends without timeouts, retries for
two minutes, reads one credentials file and prints, and its imports (requests, a JSON Schema
validator) take longer than a whole push. Packages nothing and prints nothing.

https://github.com/opencontainers/distribution-spec/blob/main/spec.md
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from threading import Event
from typing import BinaryIO, Final, Literal
from urllib.parse import urljoin

import oras.container

from wasmctl.errors import Unreadable, WasmctlError
from wasmctl.oci.auth import Authorizer
from wasmctl.oci.credentials import Credentials, find_credentials
from wasmctl.oci.download import Download
from wasmctl.oci.image import Blob, Image, MediaType, digest_of
from wasmctl.oci.manifest import Descriptor
from wasmctl.oci.options import RegistryOptions
from wasmctl.oci.reference import Reference
from wasmctl.oci.transport import Answer, Reply, Transport, check_redirect, same_origin
from wasmctl.oci.upload import Upload

__all__ = ["Registry", "RemoteImage", "check_login", "fetch_image"]

_MANIFESTS: Final = (
    f"{MediaType.OCI_MANIFEST}, {MediaType.OCI_INDEX},"
    f" {MediaType.DOCKER_MANIFEST}, {MediaType.DOCKER_INDEX}"
)
_DIGEST_HEADER: Final = "Docker-Content-Digest"
# Bytes from which on it pays to ask first whether a blob is there.
_LARGE: Final = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteImage:
    """A manifest, or an index, in a registry, and the way to its blobs."""

    manifest: bytes
    media_type: str
    digest: str
    registry: Registry = field(repr=False, compare=False)

    @contextlib.contextmanager
    def open_blob(self, digest: str, size: int) -> Iterator[BinaryIO]:
        """Open a blob for reading, up to `size` bytes; a connection that is cut is taken up again.

        Raises:
            RegistryError: the registry refuses or fails, also while reading.
        """
        stream = Download(partial(self.registry.start_download, digest), size)
        with io.BufferedReader(stream, 256 * 1024) as reader:
            yield reader

    def child(self, descriptor: Descriptor) -> RemoteImage:
        """Return the manifest that this index names, of the type that the index gives it.

        Raises:
            Unreadable: what came is not what the digest says.
            RegistryError: the registry refuses or fails.
        """
        manifest, media_type = self.registry.manifest(descriptor.digest)
        self.registry.check_manifest(descriptor.digest, digest_of(manifest))
        return RemoteImage(
            manifest=manifest,
            media_type=descriptor.media_type or media_type,
            digest=descriptor.digest,
            registry=self.registry,
        )


def fetch_image(reference: Reference, options: RegistryOptions) -> RemoteImage:
    """Return the manifest, or index, that a reference names; its blobs are fetched when opened.

    Raises:
        Unreadable: what came is not what the digest says.
        RegistryError: the registry cannot be reached or refuses.
    """
    registry = Registry(reference, options, doing="pull")
    manifest, media_type = registry.manifest(reference.digest or reference.tag or "latest")
    digest = digest_of(manifest)
    if reference.digest is not None:
        registry.check_manifest(reference.digest, digest)
    return RemoteImage(manifest=manifest, media_type=media_type, digest=digest, registry=registry)


def check_login(registry: str, username: str, password: str, options: RegistryOptions) -> bool:
    """Show credentials to a registry; return whether it asked for any, and so looked at them.

    Raises:
        RegistryError: it refuses them, or cannot be reached.
    """
    by_hand = replace(options, username=username, password=password)
    session = Registry(Reference(registry=registry, repository=""), by_hand, doing="login")
    with contextlib.closing(session):
        return session.log_in()


class Registry:
    """One repository of a registry, reached within bounds; threads may share it.

    `stopped` is set where uploads that are going on are not wanted any more.

    Args:
        reference: the repository; its tag and digest do not count.
        options: how the registry is reached.
        doing: what for: what a token must allow, and what errors speak of.
    """

    def __init__(
        self,
        reference: Reference,
        options: RegistryOptions,
        *,
        doing: Literal["push", "pull", "login"],
    ) -> None:
        host = reference.api_host
        self._reference = reference
        self._options = options
        self._doing = doing
        self.stopped = Event()
        self._transport = Transport(options)
        self._authorizer = Authorizer(
            scope=_scope(reference.repository, doing), find=self._find, transport=self._transport
        )
        # oras guesses what is a host by its dots and colons; it is told.
        self._names = oras.container.Container(f"host.invalid/{reference.repository or '_'}")
        self._names.registry = host
        self._root = f"{options.scheme(host)}://"
        self._base = f"{self._root}{host}/v2/"

    def close(self) -> None:
        """End transfers that are still going on, and every connection."""
        self.stopped.set()
        self._transport.close()

    @property
    def challenge(self) -> str:
        """The `WWW-Authenticate` with which credentials were asked for; empty: they were not."""
        return self._authorizer.challenge

    @property
    def credentials(self) -> Credentials | None:
        """What was shown when credentials were asked for."""
        return self._authorizer.credentials

    def _ask(
        self,
        url: str,
        method: str = "GET",
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
    ) -> Answer:
        return self._transport.persist(
            lambda: self._exchange(method, url, headers or {}, body).read_all()
        )

    def _exchange(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        body: Upload | bytes | None = None,
    ) -> Reply:
        """Send a request, and once more with what a 401 asks for."""
        ours = same_origin(url, self._base)
        authorization = self._authorizer.header if ours else {}
        reply = self._transport.send(method, url, headers={**headers, **authorization}, body=body)
        if reply.status != 401 or not same_origin(reply.url, self._base):
            return reply
        try:
            if not self._authorizer.renew(reply):
                return reply
            reply.read_all()
        except WasmctlError:
            reply.close()
            raise
        authorization = self._authorizer.header
        return self._transport.send(method, url, headers={**headers, **authorization}, body=body)

    def _find(self) -> Credentials | None:
        options, reference = self._options, self._reference
        if options.username and options.password:
            return Credentials(
                username=options.username, password=options.password, origin="the command line"
            )
        return find_credentials(reference.registry, options.env, repository=reference.repository)

    def _refused(self, answer: Answer, image: str = "") -> WasmctlError:
        """Return the error that an answer means; `image` is the tag or digest asked for."""
        from wasmctl.oci.answers import Asked, explain_answer

        if answer.status == 401 and self._authorizer.refusal is not None:
            # The token server's reasons are better than the registry's.
            answer = self._authorizer.refusal
        asked = Asked(
            registry=self._reference.registry,
            repository=self._reference.repository,
            doing=self._doing,
            credentials=self._authorizer.credentials,
            image=image,
        )
        return explain_answer(answer, asked)

    def log_in(self) -> bool:
        """Show the credentials; return whether the registry asked for them."""
        answer = self._ask(self._base)
        if answer.status != 200:
            raise self._refused(answer)
        return self._authorizer.was_asked

    def warm_up(self) -> None:
        """Open a connection, whatever the registry says."""
        self._ask(self._base)

    def _head(self, url: str, headers: Mapping[str, str] | None = None) -> Answer | None:
        """Return the answer to HEAD, or None for a 404."""
        answer = self._ask(url, "HEAD", headers=headers)
        if answer.status == 404:
            return None
        if answer.status != 200:
            # An answer to HEAD has no words, the one to GET says why.
            raise self._refused(self._ask(url, headers=headers))
        return answer

    def held(self, tag: str) -> str | None:
        """Return the digest that a tag holds, or None where there is no such tag."""
        answer = self._head(self._manifest_url(tag), {"Accept": _MANIFESTS})
        if answer is None:
            return None
        return answer.headers.get(_DIGEST_HEADER) or digest_of(self.manifest(tag)[0])

    def _has(self, blob: Blob) -> bool:
        answer = self._head(self._blob_url(blob.digest))
        if answer is None:
            return False
        self._check(blob.digest, answer, "a blob")
        # A size of its own opinion is no sign of the same bytes: the blob is sent anew.
        return answer.headers.get("Content-Length", str(blob.size)) == str(blob.size)

    def size_of(self, digest: str) -> int | None:
        """Return how many bytes a blob has, where the registry has it and says so."""
        answer = self._head(self._blob_url(digest))
        length = "" if answer is None else answer.headers.get("Content-Length", "")
        return int(length) if length.isdigit() else None

    def upload(self, blob: Blob, advance: Callable[[int], None]) -> None:
        """Send a blob, unless it is there."""
        large = blob.size > _LARGE
        if large and self._has(blob):
            advance(blob.size)
            return
        body = Upload(blob.open, size=blob.size, advance=advance, stopped=self.stopped)
        # What was cut in the middle starts with a new session: the old one is in an unknown state.
        answer = self._transport.persist(
            lambda: self._upload_once(blob, body, mount=not large).read_all()
        )
        if answer.status != 201:
            raise self._refused(answer)
        self._check(blob.digest, answer, "a blob")

    def _upload_once(self, blob: Blob, body: Upload, *, mount: bool) -> Reply:
        """POST, then PUT all of it (distribution-spec, "Pushing a blob monolithically").

        `mount` mounts the blob from its own repository: a registry that has it says so (201), any
        other begins an upload (202). That spares the round trip of asking first; a registry that
        mounts nothing gets a small blob once more.
        """
        begin = f"{self._root}{self._names.upload_blob_url()}"
        place = f"?mount={blob.digest}&from={self._names.api_prefix}" if mount else ""
        started = self._exchange("POST", f"{begin}{place}", {})
        if started.status == 201:
            body.skip()
        if mount and started.status in {400, 404, 405}:
            started.read_all()  # never heard of mounting
            return self._upload_once(blob, body, mount=False)
        location = started.headers.get("Location")
        if started.status != 202 or location is None:
            return started
        started.read_all()
        target = urljoin(started.url, location)
        check_redirect(begin, target)
        joint = "&" if "?" in target else "?"
        return self._exchange(
            "PUT",
            f"{target}{joint}digest={blob.digest}",
            {"Content-Type": "application/octet-stream"},
            body,
        )

    def publish(self, image: Image, name: str) -> None:
        """Put the manifest under a tag or its digest, and read it back from there."""
        kind = {"Content-Type": image.media_type}
        answer = self._ask(self._manifest_url(name), "PUT", headers=kind, body=image.manifest)
        if answer.status != 201:
            raise self._refused(answer)
        self._check(image.digest, answer, "the manifest")
        self.read_back(image, name)

    def read_back(self, image: Image, name: str) -> None:
        """Check that the registry gives the manifest out as it was put in."""
        self.check_manifest(image.digest, digest_of(self.manifest(name)[0]))

    def check_manifest(self, expected: str, got: str) -> None:
        """Check that a manifest is the one it should be."""
        if got != expected:
            raise self._contradicts("the manifest", expected, got)

    def manifest(self, name: str) -> tuple[bytes, str]:
        """Return the bytes and the media type of what a tag or a digest names."""
        answer = self._ask(self._manifest_url(name), headers={"Accept": _MANIFESTS})
        if answer.status != 200:
            raise self._refused(answer, name)
        self._check(digest_of(answer.body), answer, "the manifest")
        if not answer.body.lstrip().startswith(b"{"):
            raise self._refused(answer)  # a page for browsers
        return answer.body, answer.headers.get("Content-Type", "").partition(";")[0].strip()

    def start_download(self, digest: str, position: int) -> Reply:
        """Ask for a blob from `position` on."""
        headers = {"Range": f"bytes={position}-"} if position else {}
        url = self._blob_url(digest)
        reply = self._transport.persist(lambda: self._exchange("GET", url, headers))
        if reply.status not in {200, 206}:
            raise self._refused(reply.read_all(), digest)
        return reply

    def _manifest_url(self, name: str) -> str:
        return f"{self._root}{self._names.manifest_url(name)}"

    def _blob_url(self, digest: str) -> str:
        return f"{self._root}{self._names.get_blob_url(digest)}"

    def _check(self, digest: str, answer: Answer, what: str) -> None:
        said = answer.headers.get(_DIGEST_HEADER, digest)
        # A registry may know the same bytes by another algorithm (distribution-spec, "Digests").
        if said != digest and said.startswith("sha256:"):
            raise self._contradicts(what, digest, said)

    def _contradicts(self, what: str, expected: str, got: str) -> Unreadable:
        return Unreadable(
            "digest-mismatch",
            f"`{self._reference.registry}` contradicts itself: {what} is `{expected}` and it says"
            f" `{got}`",
            hint="do not deploy it; look at what stands between here and the registry",
        )


def _scope(repository: str, doing: Literal["push", "pull", "login"]) -> str:
    if doing == "login":
        return ""
    return f"repository:{repository}:{'pull,push' if doing == 'push' else 'pull'}"
