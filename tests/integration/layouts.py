"""Layouts of images, right and wrong, as files and as what a registry is given."""

from __future__ import annotations

import contextlib
import gzip
import http.client
import io
import json
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tests.unit.oci.sources import MODULE, descriptor, packed, special, tar
from wasmctl.oci.image import MediaType, digest_of

OCI = MediaType.OCI_LAYER
DOCKER = MediaType.DOCKER_LAYER
PLAIN = MediaType.OCI_LAYER_PLAIN
README = ("application/vnd.module.wasm.doc.v1+markdown", b"# read me")
SPEC = ("application/vnd.module.wasm.spec.v1+yaml", b"name: x")
GOOD = packed(("plugin.wasm", MODULE))
AMD64 = {"os": "linux", "architecture": "amd64"}
ARM64 = {"os": "linux", "architecture": "arm64"}


@dataclass(frozen=True)
class Layout:
    """What a registry is given: blobs, the manifests of an index, and the manifest.

    `pin` is which digest the name has in it: none, the manifest's, or that of a child.
    """

    manifest: bytes
    media_type: str
    blobs: Sequence[bytes] = ()
    children: Sequence[Layout] = ()
    pin: str = ""

    def pinned(self, digest: str = "") -> Layout:
        return Layout(
            self.manifest, self.media_type, self.blobs, self.children, digest or self.digest
        )

    @property
    def digest(self) -> str:
        return digest_of(self.manifest)


def layout(
    *layers: tuple[str, bytes],
    kind: str = MediaType.OCI_MANIFEST,
    config: tuple[str, bytes] = (MediaType.OCI_CONFIG, b"{}"),
    **document: object,
) -> Layout:
    """Return the layout of an image of layers, each (media type, content)."""
    whole = {
        "schemaVersion": 2,
        "mediaType": kind,
        "config": descriptor(*config),
        "layers": [descriptor(media_type, content) for media_type, content in layers],
        **document,
    }
    manifest = json.dumps({key: value for key, value in whole.items() if value is not None})
    blobs = [config[1], *(content for _, content in layers)]
    return Layout(manifest.encode(), kind, blobs)


def docker(*layers: tuple[str, bytes]) -> Layout:
    return layout(*layers, kind=MediaType.DOCKER_MANIFEST, config=(MediaType.DOCKER_CONFIG, b"{}"))


def index(
    *entries: tuple[Layout, Mapping[str, str] | None],
    kind: str = MediaType.OCI_INDEX,
    annotations: Mapping[str, str] | None = None,
) -> Layout:
    """Return the layout of an index: each entry (image, platform)."""
    manifests = []
    for child, platform in entries:
        entry = descriptor(child.media_type, child.manifest)
        if platform is not None:
            entry["platform"] = platform
        if annotations and platform and platform["os"] == "unknown":
            entry["annotations"] = annotations
        manifests.append(entry)
    document = {"schemaVersion": 2, "mediaType": kind, "manifests": manifests}
    return Layout(json.dumps(document).encode(), kind, (), [child for child, _ in entries])


def put(name: str, tag: str, given: Layout) -> str:
    """Put a layout into a plain registry as it stands; return what it is called."""
    host, _, repository = name.partition("/")
    with contextlib.closing(http.client.HTTPConnection(host, timeout=20)) as connection:
        _put(connection, repository, tag, given)
    return f"{name}@{given.pin}" if given.pin else f"{name}:{tag}"


def _put(connection: http.client.HTTPConnection, repository: str, tag: str, given: Layout) -> None:
    def ask(method: str, path: str, body: bytes = b"", media_type: str = "") -> str:
        connection.request(method, path, body, {"Content-Type": media_type})
        response = connection.getresponse()
        said = response.read()
        assert response.status < 300, said
        return response.getheader("Location", "")

    for child in given.children:
        _put(connection, repository, child.digest, child)
    for content in given.blobs:
        start = f"/v2/{repository}/blobs/uploads/"
        place = ask("POST", start)
        place = place[place.index("/v2/") :]
        ask("PUT", f"{place}&digest={digest_of(content)}", content, "application/octet-stream")
    ask("PUT", f"/v2/{repository}/manifests/{tag}", given.manifest, given.media_type)


def sized(name: str, kind: bytes, size: int) -> bytes:
    """Return the tar of an entry that is no file and whose header tells of a size."""
    info = special(name, kind, "main.wasm")
    info.size = size
    return info.tobuf(tarfile.USTAR_FORMAT) + bytes(1024)


def _in_format(form: int, name: str) -> bytes:
    sink = io.BytesIO()
    with tarfile.open(fileobj=sink, mode="w", format=form) as archive:
        info = tarfile.TarInfo(name)
        info.size, info.uname = len(MODULE), "ü"
        archive.addfile(info, io.BytesIO(MODULE))
    return sink.getvalue()


def _old(name: str, content: bytes, kind: bytes = b"\0") -> bytes:
    """Return a tar of the seventh edition: no magic, no type."""
    info = tarfile.TarInfo(name)
    info.size = len(content)
    block = bytearray(info.tobuf(tarfile.USTAR_FORMAT)[:512])
    block[156:157] = kind
    block[257:345] = bytes(88)
    block[148:156] = b"%06o\0 " % (sum(block[:148]) + 32 * 8 + sum(block[156:]))
    return bytes(block) + content + bytes(-len(content) % 512 + 1024)


def _base256() -> bytes:
    """Return a tar whose size is written as GNU tar writes what is too large for octal."""
    block = bytearray(_old("plugin.wasm", MODULE))
    block[124:136] = b"\x80" + len(MODULE).to_bytes(11)
    block[148:156] = b"%06o\0 " % (sum(block[:148]) + 32 * 8 + sum(block[156:512]))
    return bytes(block)


def _with(content: bytes, position: int, byte: int) -> bytes:
    changed = bytearray(content)
    changed[position] ^= byte
    return bytes(changed)


def _sized(more: int) -> Layout:
    """Return an image whose manifest gives its layer another size than it has."""
    document = json.loads(_compat(GOOD).manifest)
    document["layers"][0]["size"] += more
    return Layout(json.dumps(document).encode(), MediaType.OCI_MANIFEST, [b"{}", GOOD])


def _compat(content: bytes) -> Layout:
    return layout((OCI, content))


_LONG = "a/" * 80 + "plugin.wasm"
_CONFIG = b'{"type":"envoy_proxy","abiVersions":["v0.2.1"],"config":{}}'
_ONE = _compat(GOOD)
_NOISE = bytes(range(256)) * 40
_BIG = packed(("noise", _NOISE), ("plugin.wasm", MODULE))
_ATTESTATION = layout(("application/vnd.in-toto+json", b"{}"))
_EMPTY_CONFIG = ("application/vnd.oci.empty.v1+json", b"{}")
_SOLO = (MediaType.SOLO_MODULE, MODULE)

LAYOUTS: Mapping[str, Layout] = {
    "docker": docker((DOCKER, GOOD)),
    "docker, module in the last of two": docker((DOCKER, packed(("etc/x", b"x"))), (DOCKER, GOOD)),
    "docker, module in the first of two": docker((DOCKER, GOOD), (DOCKER, packed(("x", b"x")))),
    "docker, layer of OCI": docker((OCI, GOOD)),
    "docker, plain tar": docker((MediaType.DOCKER_LAYER_PLAIN, tar(("plugin.wasm", MODULE)))),
    "docker, no layers": docker(),
    "docker, README last": docker((DOCKER, GOOD), README),
    "docker, another name": docker((DOCKER, packed(("main.wasm", MODULE)))),
    "docker, not gzip": docker((DOCKER, tar(("plugin.wasm", MODULE)))),
    "docker, artifact": docker((MediaType.SOLO_CONFIG, _CONFIG), _SOLO),
    "oci": _ONE,
    "oci, empty config": layout((OCI, GOOD), config=_EMPTY_CONFIG),
    "oci, no type of its own": layout((OCI, GOOD), mediaType=None),
    "oci, layer of docker": layout((DOCKER, GOOD)),
    "oci, no layers": layout(),
    "hgctl": layout(SPEC, README, (OCI, GOOD), config=_EMPTY_CONFIG),
    "README first": layout(README, (OCI, GOOD)),
    "README last": layout((OCI, GOOD), README),
    "specification and README last": layout((OCI, GOOD), SPEC, README),
    "plain tar": layout((PLAIN, tar(("plugin.wasm", MODULE)))),
    "zstd": layout((MediaType.OCI_LAYER_ZSTD, b"\x28\xb5\x2f\xfd" + bytes(40))),
    "zstd called gzip": _compat(b"\x28\xb5\x2f\xfd" + bytes(40)),
    "another name": _compat(packed(("main.wasm", MODULE))),
    "upper case": _compat(packed(("Plugin.wasm", MODULE))),
    "whiteout": layout((OCI, GOOD), (OCI, packed((".wh.plugin.wasm", b"")))),
    "deep": _compat(packed(("opt/x/plugin.wasm", MODULE))),
    "from here": _compat(packed(("./plugin.wasm", MODULE))),
    "from the root": _compat(packed(("/plugin.wasm", MODULE))),
    "folder": _compat(packed(special("plugin.wasm", tarfile.DIRTYPE))),
    "folder before the module": _compat(
        packed(special("plugin.wasm", tarfile.DIRTYPE), ("plugin.wasm/plugin.wasm", MODULE))
    ),
    "folder that tells of a size": _compat(gzip.compress(sized("plugin.wasm", b"5", 100))),
    "symbolic link": _compat(
        packed(("main.wasm", MODULE), special("plugin.wasm", tarfile.SYMTYPE, "main.wasm"))
    ),
    "hard link": _compat(
        packed(("main.wasm", MODULE), special("plugin.wasm", tarfile.LNKTYPE, "main.wasm"))
    ),
    "hard link that tells of a size": _compat(gzip.compress(sized("plugin.wasm", b"1", 700))),
    "pipe": _compat(packed(special("plugin.wasm", tarfile.FIFOTYPE))),
    "empty file": _compat(packed(("plugin.wasm", b""))),
    "seven bytes": _compat(packed(("plugin.wasm", MODULE[:7]))),
    "eight bytes": _compat(packed(("plugin.wasm", MODULE[:8]))),
    "no wasm": _compat(packed(("plugin.wasm", b"#!/bin/sh\nexit 1\n"))),
    "the first of two counts": _compat(packed(("plugin.wasm", b"none"), ("x/plugin.wasm", MODULE))),
    "two modules": _compat(packed(("plugin.wasm", MODULE), ("x/plugin.wasm", b"none"))),
    "module and its configuration": _compat(
        packed(("plugin.wasm", MODULE), ("runtime-config.json", b"{}"))
    ),
    "size too small": _sized(-50),
    "size too large": _sized(50),
    "empty layer": _compat(b""),
    "empty archive": _compat(packed()),
    "three bytes": _compat(b"abc"),
    "beginning of a gzip": _compat(GOOD[:6]),
    "module without an archive": _compat(MODULE),
    "module packed without an archive": _compat(gzip.compress(MODULE)),
    "module called gzip by oras": _compat(MODULE),
    "text in gzip": _compat(gzip.compress(b"x" * 5000)),
    "short text in gzip": _compat(gzip.compress(b"x" * 50)),
    "cut gzip": _compat(GOOD[: len(GOOD) // 2]),
    "cut gzip, behind the module": _compat(packed(("plugin.wasm", MODULE), ("x", _NOISE))[:-40]),
    "cut gzip, before the module": _compat(_BIG[:90]),
    "damaged gzip": _compat(_with(_BIG, 60, 0xFF)),
    "wrong checksum": _compat(_with(GOOD, -6, 0xFF)),
    "wrong checksum, nothing found": _compat(_with(packed(("x", b"x")), -6, 0xFF)),
    "two members": _compat(
        gzip.compress(tar(("plugin.wasm", MODULE))[:700])
        + gzip.compress(tar(("plugin.wasm", MODULE))[700:])
    ),
    "rubbish behind the gzip": _compat(GOOD + b"rubbish, more than ten bytes"),
    "rubbish behind a gzip without it": _compat(
        gzip.compress(tar(("x", b"x"))[:1024]) + b"rubbish, more than ten bytes"
    ),
    "no end of the archive": _compat(gzip.compress(tar(("plugin.wasm", MODULE))[:1536])),
    "cut archive": _compat(gzip.compress(tar(("plugin.wasm", MODULE))[:800])),
    "cut header": _compat(gzip.compress(tar(("x", b"x"), ("plugin.wasm", MODULE))[:1300])),
    "cut padding": _compat(gzip.compress(tar(("x", b"x"))[:600])),
    "damaged header": _compat(gzip.compress(_with(tar(("plugin.wasm", MODULE)), 3, 1))),
    "damaged second header": _compat(
        gzip.compress(_with(tar(("x", b"x"), ("plugin.wasm", MODULE)), 1027, 1))
    ),
    "zeros, then more": _compat(gzip.compress(bytes(512) + tar(("plugin.wasm", MODULE)))),
    "pax": _compat(gzip.compress(_in_format(tarfile.PAX_FORMAT, _LONG))),
    "GNU's long name": _compat(gzip.compress(_in_format(tarfile.GNU_FORMAT, _LONG))),
    "ustar's prefix": _compat(gzip.compress(_in_format(tarfile.USTAR_FORMAT, _LONG))),
    "the seventh edition": _compat(gzip.compress(_old("plugin.wasm", MODULE))),
    "the seventh edition, folder": _compat(gzip.compress(_old("plugin.wasm/", b""))),
    "the seventh edition, another type": _compat(gzip.compress(_old("plugin.wasm", MODULE, b"7"))),
    "size in base 256": _compat(gzip.compress(_base256())),
    "wasme": layout(
        (MediaType.SOLO_CONFIG, _CONFIG), _SOLO, config=(MediaType.SOLO_CONFIG, _CONFIG)
    ),
    "artifact, module first": layout(_SOLO, (MediaType.SOLO_CONFIG, _CONFIG)),
    "module and README": layout(_SOLO, README),
    "artifact and README": layout((MediaType.SOLO_CONFIG, _CONFIG), _SOLO, README),
    "artifact, no wasm": layout((MediaType.SOLO_CONFIG, _CONFIG), (_SOLO[0], b"x" * 9)),
    "artifact, packed": layout((MediaType.SOLO_CONFIG, _CONFIG), (MediaType.SOLO_MODULE, GOOD)),
    "getenvoy": layout(_SOLO, config=(MediaType.SOLO_CONFIG, b"{}")),
    "wasm-to-oci": layout(
        (MediaType.DEIS_MODULE, MODULE), config=("application/vnd.wasm.config.v1+json", b"{}")
    ),
    "cncf": layout(
        (MediaType.CNCF_MODULE, MODULE), config=("application/vnd.wasm.config.v0+json", b"{}")
    ),
    "cncf and README": layout(
        (MediaType.CNCF_MODULE, MODULE),
        README,
        config=("application/vnd.wasm.config.v0+json", b"{}"),
    ),
    "a file by oras": layout((PLAIN, MODULE), config=_EMPTY_CONFIG),
    "one blob under two types": layout((PLAIN, GOOD), (OCI, GOOD)),
    "one blob under two types, the right first": layout((OCI, GOOD), (PLAIN, GOOD)),
    "configuration that is the layer": layout((OCI, GOOD), config=("application/x", GOOD)),
    "index": index((_ONE, AMD64)),
    "index with an attestation": index(
        (_ONE, AMD64),
        (_ATTESTATION, {"os": "unknown", "architecture": "unknown"}),
        annotations={"vnd.docker.reference.type": "attestation-manifest"},
    ),
    "index, arm64 first": index((_compat(packed(("x", b"x"))), ARM64), (_ONE, AMD64)),
    "index, arm64 alone": index((_ONE, ARM64)),
    "index, arm64 and an attestation": index(
        (_ONE, ARM64),
        (_ATTESTATION, {"os": "unknown", "architecture": "unknown"}),
        annotations={"vnd.docker.reference.type": "attestation-manifest"},
    ),
    "index, arm64 and s390x": index((_ONE, ARM64), (_ONE, {**ARM64, "architecture": "s390x"})),
    "index, wasi/wasm": index((_ONE, {"os": "wasi", "architecture": "wasm"})),
    "index without platforms": index((_ONE, None)),
    "index with an empty platform": index((_ONE, {"os": "", "architecture": ""})),
    "index, a wrong image first": index((_compat(packed(("x", b"x"))), AMD64), (_ONE, AMD64)),
    "index of docker": index((docker((DOCKER, GOOD)), AMD64), kind=MediaType.DOCKER_INDEX),
    "index in an index": index((index((_ONE, AMD64)), AMD64)),
    "index in an index, arm64": index((index((_ONE, ARM64)), AMD64)),
    "empty index": index(),
    "index, pinned": index((_ONE, AMD64)).pinned(),
    "index, its image pinned": index((_ONE, AMD64)).pinned(_ONE.digest),
    "oci, pinned": _ONE.pinned(),
    "README last, pinned": layout((OCI, GOOD), README).pinned(),
}  # fmt: skip
