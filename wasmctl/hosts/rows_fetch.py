"""Rows of the table of explanations: an image that an agent or controller did not fetch. Data.

The words are those of Istio's fetcher and of its forks in Envoy Gateway and Higress ("fetcher" in
the sources: istio, pkg/wasm/imagefetcher.go and cache.go), and of their library,
google/go-containerregistry ("ggcr"). `check` of an image predicts the same words and has them
explained here. `REF` in a hint is the image, `REF2` a new name.
"""

from __future__ import annotations

from typing import Final

from wasmctl.hosts.rows import Fault, Row, Words

__all__ = ["ROWS"]

_FETCHER: Final = "istio, pkg/wasm/imagefetcher.go"
_CACHE: Final = "istio, pkg/wasm/cache.go"
_GGCR: Final = "google/go-containerregistry, pkg/v1/remote"
_REPACK: Final = "`wasmctl push --from REF REF2 --format oci` packs its module anew"
_NEITHER: Final = (
    r"could not parse as compat variant: invalid media type {type} \(expect \S+\)"
    r"[\s\S]*could not parse as oci variant: {artifact}"
)
_COUNT: Final = r"number of layers must be 2 but got (?P<count>\d+)"
_ANY_ARTIFACT: Final = r"(?:number of layers|could not find)"
_DOCKER: Final = r"as Docker container invalid media type {type} \(expect"


def _neither(type_: str, artifact: str = _ANY_ARTIFACT) -> Words:
    return Words(_NEITHER.format(type=type_, artifact=artifact))


def _either(type_: str) -> Words:
    return Words(rf"(?:as Docker container|as compat variant:) invalid media type {type_} ")


_MANIFEST: Final = (
    Row(
        id="image-not-for-platform",
        pattern=Words(r"no child with platform (?P<platform>\S+) in index (?P<ref>\S+)"),
        message="the image is an index without an image for {platform}, the only platform that"
        " meshes look for, whatever their nodes are",
        hint=f"{_REPACK}; or build with `--platform linux/amd64`: the module is the same for all",
        fault=Fault.IMAGE,
        source=f"{_GGCR}/index.go, childByPlatform",
    ),
    Row(
        id="image-of-schema-1",
        pattern=Words(r'unsupported MediaType: "(?P<type>[^"]+)", see \S+/issues/377'),
        message="the image's manifest is of Docker's schema 1 (`{type}`), which no mesh reads",
        hint="push it again with a Docker of this decade, or with `wasmctl push`",
        fault=Fault.IMAGE,
        source=f"{_GGCR}/descriptor.go, ErrSchema1",
    ),
    Row(
        id="image-digest-not-its-own",
        pattern=Words(
            r"module downloaded from (?P<url>\S+) has checksum (?P<has>\w+), which does not match:"
            r" (?P<want>\w+)"
        ),
        message="the image's digest is sha256:{has}, and the one it is pinned to is sha256:{want}",
        hint="pin the digest of the image itself: neither that of an index, nor the hash of the"
        " .wasm file; `wasmctl push` prints it, and `sha256` of an OCI image is the same",
        fault=Fault.IMAGE,
        source=f"{_CACHE}, Get",
    ),
    Row(
        id="image-moved-digest",
        pattern=Words(
            r'manifest digest: "(?P<has>\S+)" does not match requested digest: "(?P<want>\S+)"'
        ),
        message="the registry answers with `{has}` where `{want}` was asked for",
        hint="do not deploy it; look at what stands between the mesh and the registry",
        fault=Fault.IMAGE,
        source=f"{_GGCR}/fetcher.go, fetchManifest",
    ),
)

_LAYERS: Final = (
    Row(
        id="image-without-layers",
        pattern=Words(r"number of layers must be greater than zero"),
        message="the image has no layers, and so no module",
        hint="push the plug-in again, with `wasmctl push`; is it an attestation or a signature?",
        fault=Fault.IMAGE,
        source=f"{_FETCHER}, extractDockerImage and extractOCIStandardImage",
    ),
    Row(
        id="image-layer-zstd",
        pattern=_either(r"(?P<type>\S+\+zstd|\S+\.zstd)"),
        message="the last layer is compressed with zstd (`{type}`), and meshes unpack only gzip",
        hint=f"{_REPACK}; docker packs with gzip by `docker buildx build --output"
        " type=image,compression=gzip`",
        fault=Fault.IMAGE,
        source=_FETCHER,
    ),
    Row(
        id="image-types-mixed",
        pattern=Words(
            _NEITHER.format(type=r"(?P<type>application/vnd\.docker\.\S+)", artifact=_ANY_ARTIFACT)
            + "|"
            + _DOCKER.format(type=r"(?P<other>application/vnd\.oci\.\S+)")
        ),
        message="the manifest and its last layer are of two makes: `{type}{other}` is the layer's"
        " type, and the manifest is not of that kind; meshes do not convert",
        hint=_REPACK,
        fault=Fault.IMAGE,
        source=_FETCHER,
    ),
    Row(
        id="image-layer-plain",
        pattern=_either(r"(?P<type>\S+\.tar)"),
        message="the last layer says that it is not compressed (`{type}`), and meshes read only"
        " tar+gzip; it is what `oras push` calls any file",
        hint=f"{_REPACK}; oras wants a tar.gz with `plugin.wasm`, pushed as"
        " `FILE:application/vnd.oci.image.layer.v1.tar+gzip`",
        fault=Fault.IMAGE,
        source=_FETCHER,
    ),
    Row(
        id="image-of-cncf",
        pattern=_neither(
            r"(?P<type>application/wasm|application/vnd\.wasm\.content\.layer\.v1\+wasm)"
        ),
        message="the image is laid out for other readers of WebAssembly (`{type}`: wkg, wash,"
        " kwctl, wasm-to-oci), and no mesh reads that",
        hint=_REPACK,
        fault=Fault.IMAGE,
        source=f"{_FETCHER}; cncf/tag-runtime, wasm-oci-artifact",
    ),
    Row(
        id="image-artifact-layers",
        pattern=_neither(r"(?P<type>application/vnd\.module\.wasm\.(?:content|config)\S+)", _COUNT),
        message="the image has the module as a raw layer (`{type}` is its last), but {count}"
        " layer(s), and meshes take that layout with exactly two: configuration and module",
        hint=_REPACK,
        fault=Fault.IMAGE,
        source=f"{_FETCHER}, extractOCIArtifactImage",
    ),
    Row(
        id="image-module-not-last",
        pattern=_neither(r"(?P<type>\S+)", rf"(?:{_COUNT}|could not find)"),
        message="the last layer is `{type}`, and meshes look for the module in the last layer"
        " alone, as tar+gzip",
        hint=f"{_REPACK}; by oras, put README and specification before the tar.gz, which comes"
        " last",
        fault=Fault.IMAGE,
        source=f"{_FETCHER}, extractOCIStandardImage",
    ),
    Row(
        id="image-layer-type",
        pattern=Words(_DOCKER.format(type=r"(?P<type>\S*)")),
        message="the last layer is `{type}`, and of a Docker image meshes read the last layer"
        " alone, packed with gzip",
        hint=_REPACK,
        fault=Fault.IMAGE,
        source=f"{_FETCHER}, extractDockerImage",
    ),
)

_CONTENT: Final = (
    Row(
        id="image-without-plugin-wasm",
        pattern=Words(r"plugin\.wasm not found in the archive"),
        message="the last layer has no file called `plugin.wasm`, the only name that meshes look"
        " for",
        hint=f"{_REPACK}; in a Dockerfile: `COPY main.wasm /plugin.wasm`, as the last step",
        fault=Fault.IMAGE,
        source=f"{_FETCHER}, extractWasmPluginBinary",
    ),
    Row(
        id="image-layer-not-gzip",
        pattern=Words(r"failed to parse layer as tar\.gz: (?P<error>[^\n]*)"),
        message="the last layer says that it is a tar.gz and is none: {error}",
        hint=_REPACK,
        fault=Fault.IMAGE,
        source=f"{_FETCHER}, extractWasmPluginBinary",
    ),
    Row(
        id="image-too-large",
        pattern=Words(r"exceeds maximum size (?P<limit>\d+)|wasm cache size exceeded"),
        message="the module, or the layer it is in, is larger than what the mesh reads or keeps",
        hint="build it without debug information, and look for data embedded in it",
        fault=Fault.IMAGE,
        source="envoyproxy/gateway, internal/wasm/imagefetcher.go and cache.go",
    ),
    Row(
        id="image-bytes-differ",
        pattern=Words(r"error verifying (?P<what>size|sha256 checksum)[^\n]*"),
        message="a layer's bytes are not those that the manifest promises ({what})",
        hint="push it again; if it stays, the registry, or what stands before it, is broken",
        fault=Fault.IMAGE,
        source="google/go-containerregistry, internal/verify/verify.go",
    ),
    Row(
        id="image-module-cut",
        pattern=Words(r"failed to read plugin\.wasm: (?P<error>[^\n]*)"),
        message="`plugin.wasm` in the last layer ends too early ({error}): the layer is cut, it is"
        " no regular file, or it unpacks to more than 256 MiB",
        hint=f"push the plug-in again with `wasmctl push`; {_REPACK}",
        fault=Fault.IMAGE,
        source=f"{_FETCHER}, extractWasmPluginBinary",
    ),
    Row(
        id="image-layer-broken",
        pattern=Words(
            r"could not extract wasm binary: (?P<error>archive/tar: [^\n]*|gzip: [^\n]*"
            r"|flate: [^\n]*|unexpected EOF)"
        ),
        message="the last layer is damaged, or no tar inside: {error}",
        hint=f"push the plug-in again with `wasmctl push`; {_REPACK}",
        fault=Fault.IMAGE,
        source=f"{_FETCHER}, extractWasmPluginBinary",
    ),
    Row(
        id="image-not-wasm",
        pattern=Words(r"fetched Wasm binary from (?P<url>\S+) is invalid"),
        message="what the image has as `plugin.wasm` is no WebAssembly: another file of that name,"
        " an empty one, a folder or a link",
        hint="put the module itself there, as a regular file: `COPY main.wasm /plugin.wasm`;"
        " `wasmctl push` does",
        fault=Fault.IMAGE,
        source=f"{_CACHE}, isValidWasmBinary",
    ),
)

_REGISTRY: Final = (
    Row(
        id="image-realm-refused",
        pattern=Words(r"rejected unsafe bearer realm: (?P<error>[^\n]*)"),
        message="Istio does not go to the registry's token server: {error}",
        hint="give the token server a host name (its `realm` in the registry's settings), not a"
        " private or loopback address; until then Istio 1.29 or older reads from it",
        fault=Fault.IMAGE,
        source=f"{_FETCHER}, validateRealmURL, from 1.30 on",
    ),
    Row(
        id="image-registry-blocked",
        pattern=Words(r"connection blocked: resolved IP (?P<error>[^\n]*)"),
        message="Istio does not connect to the registry's address: {error}",
        hint="serve it at another address, or take its network out of"
        " `BLOCKED_CIDRS_IN_WASM_FETCH`",
        fault=Fault.CONFIGURATION,
        source="istio, pkg/wasm/ssrf.go",
    ),
    Row(
        id="image-secret-missing",
        pattern=Words(r"missing image pulling secret"),
        message="the object names a pull secret that the proxy did not get",
        hint="create it in the namespace of the object, of type"
        " `kubernetes.io/dockerconfigjson`: `kubectl create secret docker-registry`",
        fault=Fault.CONFIGURATION,
        source="istio, pkg/wasm/convert.go",
    ),
    Row(
        id="image-secret-kind",
        pattern=Words(
            r"type of secret (?P<name>\S+) is not kubernetes\.io/dockerconfigjson"
            r"|missing \.dockerconfigjson key in secret (?P<other>\S+)"
        ),
        message="the pull secret `{name}{other}` is of another kind",
        hint="create it with `kubectl create secret docker-registry`; its key is"
        " `.dockerconfigjson`",
        fault=Fault.CONFIGURATION,
        source="istio, pilot/pkg/credentials/kube/secrets.go; envoyproxy/gateway,"
        " internal/gatewayapi/envoyextensionpolicy.go",
    ),
    Row(
        id="image-unauthorized",
        pattern=Words(
            r"could not fetch manifest: [\s\S]*(?P<error>UNAUTHORIZED|DENIED|401 Unauthorized"
            r"|403 Forbidden|failed to login to private registry)"
        ),
        message="the registry does not let the mesh in ({error})",
        hint="name a pull secret in the object's own namespace (`imagePullSecret`,"
        " `pullSecretRef`); of Docker Hub its key is `https://index.docker.io/v1/`",
        fault=Fault.CONFIGURATION,
        source=f"{_GGCR}/transport/error.go; pkg/authn/keychain.go",
    ),
    Row(
        id="image-not-there",
        pattern=Words(
            r"could not fetch manifest: [\s\S]*(?P<error>MANIFEST_UNKNOWN|NAME_UNKNOWN"
            r"|404 Not Found|NOT_FOUND)"
        ),
        message="the registry has no such image ({error})",
        hint="check name and tag in the object; some registries say so too of what the mesh has no"
        " right to see",
        fault=Fault.CONFIGURATION,
        source=f"{_GGCR}/transport/error.go",
    ),
    Row(
        id="image-rate-limited",
        pattern=Words(r"could not fetch manifest: [\s\S]*(?:TOOMANYREQUESTS|429 Too Many)"),
        message="the registry has had too many requests from there",
        hint="name a pull secret, whose limit is higher, or mirror the image",
        fault=Fault.CONFIGURATION,
        source=f"{_GGCR}/transport/error.go",
    ),
    Row(
        id="image-registry-untrusted",
        pattern=Words(r"could not fetch manifest: [\s\S]*(?P<error>(?:tls|x509): [^\n]*)"),
        message="the mesh does not trust the registry's certificate: {error}",
        hint="Istio: list the registry in the agent's `WASM_INSECURE_REGISTRIES`, or bring its CA"
        " into the proxy's image; Envoy Gateway: `tls.caCertificateRef` of the policy",
        fault=Fault.CONFIGURATION,
        source="istio, pilot/cmd/pilot-agent/options/options.go; envoyproxy/gateway,"
        " internal/wasm/options.go",
    ),
    Row(
        id="image-registry-unreachable",
        pattern=Words(
            r"could not fetch manifest: [\s\S]*(?P<error>no such host|connection refused"
            r"|i/o timeout|deadline exceeded|network is unreachable|no route to host)"
        ),
        message="the registry cannot be reached from where the mesh fetches ({error}): Istio's"
        " proxies, or Envoy Gateway's controller",
        hint="name it by an address that is valid in the cluster; `localhost` is the proxy's own",
        fault=Fault.CONFIGURATION,
        source=f"{_GGCR}/transport",
    ),
    Row(
        id="image-reference-bad",
        pattern=Words(
            r"could not parse url in image reference: (?P<error>[^\n]*)"
            r"|unsupported Wasm module downloading URL scheme: (?P<scheme>\S*)"
        ),
        message="the object's URL is no image's: {error}{scheme}",
        hint="write it as `oci://HOST/REPOSITORY@sha256:…`",
        fault=Fault.CONFIGURATION,
        source=f"{_FETCHER}, PrepareFetch; {_CACHE}, Get",
    ),
)

# Those that say more come first.
ROWS: Final = (*_MANIFEST, *_LAYERS, *_CONTENT, *_REGISTRY)
