"""Everything a registry and the network can do wrong, each really done to us."""

from __future__ import annotations

import re
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.integration.faults import (
    FaultHandler,
    FaultyRegistry,
    answering,
    cutting,
    dripping,
    dripping_head,
    hanging,
)
from tests.integration.images import make_image
from tests.integration.registries import RunningRegistry, make_certificate
from wasmctl.errors import ExitCode, RegistryError, Unreadable, WasmctlError
from wasmctl.oci import pace, transport
from wasmctl.oci.image import Image
from wasmctl.oci.options import RegistryOptions
from wasmctl.oci.push import push_image
from wasmctl.oci.reference import parse_reference
from wasmctl.oci.registry import fetch_image

pytestmark = pytest.mark.registry


def push(
    image: Image,
    name: str,
    options: RegistryOptions | None = None,
    advance: Callable[[int], None] = lambda _count: None,
) -> bool:
    done = push_image(
        image,
        parse_reference(name, require_registry=True),
        tags=["1.0.0"],
        move_tag=False,
        options=options or RegistryOptions(env={"HOME": "/"}),
        advance=advance,
    )
    return done.pushed


def failure(image: Image, name: str, options: RegistryOptions | None = None) -> WasmctlError:
    with pytest.raises(WasmctlError) as caught:
        push(image, name, options)
    assert caught.value.hint
    return caught.value


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two seconds instead of half a minute."""
    monkeypatch.setattr(transport, "_READ", 2.0)
    monkeypatch.setattr(transport, "_PAUSES", (0.05, 0.05))


def test_nothing_listens(tmp_path: Path) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        host = f"127.0.0.1:{probe.getsockname()[1]}"
        started = time.monotonic()
        error = failure(make_image(tmp_path), f"{host}/acme/x")
    assert time.monotonic() - started < 2
    assert error.code == "registry-refused"
    assert error.exit_code == ExitCode.REGISTRY
    assert host in error.message


def test_a_host_that_does_not_exist_is_said_within_ten_seconds(tmp_path: Path) -> None:
    started = time.monotonic()
    error = failure(make_image(tmp_path), "registry.example.invalid/acme/x")
    assert time.monotonic() - started < 10
    assert error.code == "unknown-host"
    assert error.exit_code == ExitCode.REGISTRY
    assert "`registry.example.invalid`" in error.message


def test_a_resolver_that_hangs_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A name server that does not answer holds getaddrinfo up for a minute."""
    over = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_a, **_k: over.wait(30))
    monkeypatch.setattr(transport, "_CONNECT", 0.3)
    started = time.monotonic()
    error = failure(make_image(tmp_path), "registry.example.com/acme/x")
    over.set()
    assert time.monotonic() - started < 5
    assert error.code == "unknown-host"


@pytest.mark.parametrize(
    "pattern", ["HEAD .*/manifests/", "POST ", "PUT .*/blobs/", "PUT .*/manifests/"]
)
@pytest.mark.usefixtures("impatient")
def test_a_registry_that_hangs(
    faulty_registry: FaultyRegistry, tmp_path: Path, pattern: str
) -> None:
    faulty_registry.fault(pattern, hanging)
    started = time.monotonic()
    error = failure(make_image(tmp_path), faulty_registry.new_name())
    assert time.monotonic() - started < 10
    assert error.code == "registry-timeout"
    assert error.exit_code == ExitCode.REGISTRY


@pytest.mark.usefixtures("impatient")
def test_a_registry_that_stops_reading_a_blob(
    faulty_registry: FaultyRegistry, tmp_path: Path
) -> None:
    def stop_reading(handler: FaultHandler) -> None:
        handler.rfile.read(1000)
        hanging(handler)

    image = make_image(tmp_path, size=20_000_000)
    faulty_registry.fault(f"PUT .*{image.layers[0].digest}", stop_reading)
    error = failure(image, faulty_registry.new_name())
    assert error.code == "registry-timeout"
    assert "took nothing of what is sent for 2 s" in error.message


@pytest.mark.parametrize("drip", [dripping, dripping_head])
@pytest.mark.parametrize("pattern", ["GET /v2/$", "GET .*/manifests/", "PUT .*/blobs/"])
def test_a_registry_that_answers_a_byte_now_and_then(
    faulty_registry: FaultyRegistry,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    pattern: str,
    drip: Callable[[FaultHandler], None],
) -> None:
    """Each byte comes soon enough, the whole never does."""
    monkeypatch.setattr(pace, "_GRACE", 1.0)
    faulty_registry.fault(pattern, drip)
    started = time.monotonic()
    error = failure(make_image(tmp_path), faulty_registry.new_name())
    assert time.monotonic() - started < 5
    assert error.code == "registry-timeout"
    assert re.search(r"` answers too slowly: \d+ bytes within 1 s", error.message)


@pytest.mark.usefixtures("impatient")
def test_a_registry_that_stops_in_the_middle_of_an_answer(
    faulty_registry: FaultyRegistry, tmp_path: Path
) -> None:
    def stop(handler: FaultHandler) -> None:
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{")
        hanging(handler)

    faulty_registry.fault("GET .*/manifests/", stop)
    error = failure(make_image(tmp_path), faulty_registry.new_name())
    assert error.code == "registry-timeout"
    assert "stopped in the middle of its answer: nothing came for 2 s" in error.message


def test_a_host_that_takes_the_connection_and_no_tls(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        host = f"127.0.0.1:{silent.getsockname()[1]}"
        error = failure(
            make_image(tmp_path), f"{host}/acme/x", RegistryOptions(env={}, plain_http=False)
        )
    assert error.message == f"`{host}` said nothing for 5 s"


def test_something_that_speaks_another_protocol(tmp_path: Path) -> None:
    def greet(listening: socket.socket) -> None:
        while True:
            try:
                taken, _ = listening.accept()
            except OSError:
                return
            with taken:
                taken.recv(4096)
                taken.sendall(b"SSH-2.0-OpenSSH_9.2p1\r\n")

    with socket.create_server(("127.0.0.1", 0)) as listening:
        threading.Thread(target=greet, args=[listening], daemon=True).start()
        host = f"127.0.0.1:{listening.getsockname()[1]}"
        error = failure(make_image(tmp_path), f"{host}/acme/x")
        listening.shutdown(socket.SHUT_RDWR)
    assert error.code == "no-http"
    assert error.message == f"`{host}` does not speak HTTP: it says `SSH-2.0-OpenSSH_9.2p1`"


def test_credentials_are_wanted_and_none_are_there(
    faulty_registry: FaultyRegistry, tmp_path: Path
) -> None:
    faulty_registry.fault(".", answering(401, WWW_Authenticate='Basic realm="here"'))
    error = failure(make_image(tmp_path), faulty_registry.new_name())
    assert (error.code, error.exit_code) == ("unauthorized", ExitCode.REGISTRY)
    assert "none were found" in error.message
    assert f"`wasmctl login {faulty_registry.host}`" in str(error.hint)


def test_forbidden(faulty_registry: FaultyRegistry, tmp_path: Path) -> None:
    body = '{"errors":[{"code":"DENIED","message":"quota of the team is used up"}]}'
    faulty_registry.fault("POST ", answering(403, body))
    error = failure(make_image(tmp_path), faulty_registry.new_name())
    assert (error.code, error.exit_code) == ("denied", ExitCode.REGISTRY)
    assert "quota of the team is used up" in error.message
    assert faulty_registry.count("POST ") <= 2, "a 403 is tried once for each blob"


def test_a_refused_look_is_explained_in_the_registry_s_words(
    faulty_registry: FaultyRegistry, tmp_path: Path
) -> None:
    """An answer to HEAD has no body: the reason is asked for."""
    body = '{"errors":[{"code":"DENIED","message":"not from this address"}]}'
    faulty_registry.fault("manifests", answering(403, body))
    error = failure(make_image(tmp_path), faulty_registry.new_name())
    assert "not from this address" in error.message


def test_a_repository_that_does_not_exist(faulty_registry: FaultyRegistry, tmp_path: Path) -> None:
    body = '{"errors":[{"code":"NAME_UNKNOWN","message":"repository name not known"}]}'
    faulty_registry.fault(".", answering(404, body))
    error = failure(make_image(tmp_path), faulty_registry.new_name())
    assert (error.code, error.exit_code) == ("repository-not-found", ExitCode.REGISTRY)
    assert "repository name not known" in error.message


def test_too_many_requests_are_waited_for_when_it_is_soon(
    faulty_registry: FaultyRegistry, tmp_path: Path
) -> None:
    faulty_registry.fault("POST ", answering(429, Retry_After="1"), times=1)
    started = time.monotonic()
    assert push(make_image(tmp_path), faulty_registry.new_name())
    assert time.monotonic() - started >= 1


def test_too_many_requests_are_not_waited_for_when_it_is_late(
    faulty_registry: FaultyRegistry, tmp_path: Path
) -> None:
    faulty_registry.fault("POST ", answering(429, Retry_After="3600"))
    started = time.monotonic()
    error = failure(make_image(tmp_path), faulty_registry.new_name())
    assert time.monotonic() - started < 5
    assert (error.code, error.exit_code) == ("too-many-requests", ExitCode.REGISTRY)
    assert "3600 s" in str(error.hint)


@pytest.mark.parametrize("status", [500, 502, 503, 504])
@pytest.mark.parametrize("pattern", ["HEAD .*/manifests/", "PUT .*/blobs/", "PUT .*/manifests/"])
@pytest.mark.usefixtures("impatient")
def test_a_server_s_failure_that_passes(
    faulty_registry: FaultyRegistry, tmp_path: Path, status: int, pattern: str
) -> None:
    faulty_registry.fault(pattern, answering(status, "<html>oops</html>"), times=2)
    assert push(make_image(tmp_path), faulty_registry.new_name())


@pytest.mark.usefixtures("impatient")
def test_a_server_s_failure_that_stays(faulty_registry: FaultyRegistry, tmp_path: Path) -> None:
    faulty_registry.fault("PUT .*/manifests/", answering(500, "<html>oops</html>"))
    error = failure(make_image(tmp_path), faulty_registry.new_name())
    assert (error.code, error.exit_code) == ("registry-failed", ExitCode.REGISTRY)
    assert "500" in error.message
    assert "html" not in error.message
    assert faulty_registry.count("PUT .*/manifests/") == 3


def test_the_waits_of_one_push_are_bounded() -> None:
    """Three attempts at everything, and half a minute of waiting in all."""
    assert len(transport._PAUSES) == 2
    assert transport._PATIENCE <= 30


@pytest.mark.usefixtures("impatient")
def test_a_connection_cut_in_a_blob_is_sent_again_from_its_start(
    faulty_registry: FaultyRegistry, tmp_path: Path
) -> None:
    image = make_image(tmp_path, size=3_000_000)
    faulty_registry.fault(f"PUT .*{image.layers[0].digest}", cutting(after=200_000), times=2)
    advanced: list[int] = []
    assert push(image, faulty_registry.new_name(), advance=advanced.append)
    assert sum(advanced) == image.size
    assert min(advanced) < 0


@pytest.mark.usefixtures("impatient")
def test_a_connection_that_is_always_cut(faulty_registry: FaultyRegistry, tmp_path: Path) -> None:
    image = make_image(tmp_path, size=3_000_000)
    faulty_registry.fault(f"PUT .*{image.layers[0].digest}", cutting(after=200_000))
    error = failure(image, faulty_registry.new_name())
    assert (error.code, error.exit_code) == ("registry-cut", ExitCode.REGISTRY)


@pytest.mark.parametrize("pattern", ["HEAD .*/manifests/", "POST ", "PUT .*/manifests/"])
@pytest.mark.usefixtures("impatient")
def test_a_connection_cut_elsewhere(
    faulty_registry: FaultyRegistry, tmp_path: Path, pattern: str
) -> None:
    faulty_registry.fault(pattern, FaultHandler.cut, times=1)
    assert push(make_image(tmp_path), faulty_registry.new_name())


@pytest.mark.usefixtures("impatient")
def test_a_connection_cut_under_tls(
    plain_registry: RunningRegistry, tls_registry: RunningRegistry, tmp_path: Path
) -> None:
    assert tls_registry.ca_file is not None
    with FaultyRegistry(plain_registry.host, certificates=tls_registry.ca_file.parent) as cutter:
        cutter.fault("HEAD .*/manifests/", FaultHandler.cut, times=1)
        cutter.fault("POST ", answering(403, "as far as this goes"))
        options = RegistryOptions(env={}, ca_file=tls_registry.ca_file)
        error = failure(make_image(tmp_path), cutter.new_name(), options)
        assert cutter.count("HEAD .*/manifests/") == 2
    assert error.code == "denied"


def test_a_blob_that_cannot_be_read_is_not_the_registry_s_fault(
    plain_registry: RunningRegistry, tmp_path: Path
) -> None:
    image = make_image(tmp_path)
    source = image.layers[0].source
    assert isinstance(source, Path)
    source.unlink()
    error = failure(image, plain_registry.new_name())
    assert (error.code, error.exit_code) == ("cannot-read", ExitCode.USAGE)


def test_the_first_failure_is_the_one_that_is_told(
    faulty_registry: FaultyRegistry, tmp_path: Path
) -> None:
    """And the other blob is not sent to its end."""
    image = make_image(tmp_path, size=20_000_000)
    faulty_registry.fault(f"(POST|PUT) .*{image.config.digest}", answering(403, "no room"))
    assert "no room" in failure(image, faulty_registry.new_name()).message


_LIE = f"sha256:{'0' * 64}"


def lying(handler: FaultHandler) -> None:
    handler.pass_on(lambda _response, content: ({"Docker-Content-Digest": _LIE}, content))


@pytest.mark.parametrize("pattern", ["PUT .*/blobs/", "PUT .*/manifests/", "GET .*/manifests/"])
def test_a_registry_that_lies_about_a_digest(
    faulty_registry: FaultyRegistry, tmp_path: Path, pattern: str
) -> None:
    faulty_registry.fault(pattern, lying)
    error = failure(make_image(tmp_path), faulty_registry.new_name())
    assert isinstance(error, Unreadable)
    assert error.code == "digest-mismatch"
    assert _LIE in error.message


def test_a_manifest_that_reads_back_changed(
    faulty_registry: FaultyRegistry, tmp_path: Path
) -> None:
    """Changed, with headers to match: only its bytes tell."""

    def rewrite(handler: FaultHandler) -> None:
        handler.pass_on(lambda _r, content: ({"Docker-Content-Digest": ""}, content + b" "))

    faulty_registry.fault("GET .*/manifests/", rewrite)
    assert failure(make_image(tmp_path), faulty_registry.new_name()).code == "digest-mismatch"


def test_a_blob_that_is_changed_on_its_way(faulty_registry: FaultyRegistry, tmp_path: Path) -> None:
    """The registry itself sees it, by the digest it was told."""

    def garble(handler: FaultHandler) -> None:
        original = handler.body
        handler.body = lambda: original()[:-1] + b"!"  # type: ignore[method-assign]
        handler.pass_on()

    faulty_registry.fault("PUT .*/blobs/", garble)
    error = failure(make_image(tmp_path), faulty_registry.new_name())
    assert isinstance(error, Unreadable)
    assert error.code == "digest-mismatch"


def test_a_blob_of_another_size_is_sent_anew(
    faulty_registry: FaultyRegistry, tmp_path: Path
) -> None:
    image, name = make_image(tmp_path, size=5_000_000), faulty_registry.new_name()
    faulty_registry.fault("HEAD .*/blobs/", lambda handler: handler.answer(200, {}, b"abc"))
    assert push(image, name)
    assert faulty_registry.count("PUT .*/blobs/") == len(image.blobs)


def test_a_registry_that_redirects_is_followed_where_http_allows(
    faulty_registry: FaultyRegistry, tmp_path: Path
) -> None:
    with FaultyRegistry(faulty_registry.upstream) as moved:

        def redirect(handler: FaultHandler) -> None:
            handler.body()
            handler.answer(307, {"Location": f"http://{moved.host}{handler.path}"})

        faulty_registry.fault(".", redirect)
        assert push(make_image(tmp_path), faulty_registry.new_name())
        assert moved.count("PUT .*/manifests/") == 1


def test_an_upload_that_is_redirected_as_a_page_is_an_error(
    faulty_registry: FaultyRegistry, tmp_path: Path
) -> None:
    """A log-in page before the registry: 302, which turns a POST into a GET."""
    faulty_registry.fault("POST ", answering(302, Location="https://login.example.com/?next=x"))
    error = failure(make_image(tmp_path), faulty_registry.new_name())
    assert error.code == "registry-redirects"
    assert "https://login.example.com/" in error.message


def test_a_registry_that_redirects_from_http_to_https(
    faulty_registry: FaultyRegistry, tmp_path: Path
) -> None:
    target = f"https://{faulty_registry.host}/v2/"
    faulty_registry.fault("POST ", answering(301, Location=target))
    error = failure(make_image(tmp_path), faulty_registry.new_name())
    assert error.code == "registry-redirects"
    assert "`--https`" in str(error.hint)


def test_a_registry_that_redirects_in_circles(
    faulty_registry: FaultyRegistry, tmp_path: Path
) -> None:
    faulty_registry.fault("HEAD ", lambda handler: handler.answer(307, {"Location": handler.path}))
    assert failure(make_image(tmp_path), faulty_registry.new_name()).code == "registry-redirects"


@pytest.mark.parametrize("location", ["file:///etc/passwd", "http://:80/x"])
@pytest.mark.parametrize(("pattern", "status"), [("HEAD .*/manifests/", 307), ("POST ", 202)])
def test_a_registry_that_sends_us_to_no_web_address(
    faulty_registry: FaultyRegistry, tmp_path: Path, pattern: str, status: int, location: str
) -> None:
    faulty_registry.fault(pattern, answering(status, Location=location))
    error = failure(make_image(tmp_path), faulty_registry.new_name())
    assert error.code == "registry-redirects"
    assert f"sends us on to `{location}`, which is no address" in error.message


def test_relative_locations_with_queries(faulty_registry: FaultyRegistry, tmp_path: Path) -> None:
    def shorten(handler: FaultHandler) -> None:
        handler.pass_on(
            lambda response, content: (
                {"Location": re.sub(r"^https?://[^/]+", "", str(response.getheader("Location")))},
                content,
            )
        )

    faulty_registry.fault("POST ", shorten)
    assert push(make_image(tmp_path), faulty_registry.new_name())


def test_something_that_is_no_registry(faulty_registry: FaultyRegistry, tmp_path: Path) -> None:
    faulty_registry.fault(".", answering(200, "<html>hello</html>"))
    error = failure(make_image(tmp_path), faulty_registry.new_name())
    assert (error.code, error.exit_code) == ("registry-answer", ExitCode.REGISTRY)


def test_an_endless_answer_is_not_read_to_its_end(
    faulty_registry: FaultyRegistry, tmp_path: Path
) -> None:
    image, name = make_image(tmp_path), faulty_registry.new_name()
    push(image, name)
    faulty_registry.fault(
        "GET .*/manifests/", lambda handler: handler.answer(200, {}, b" " * 5_000_000)
    )
    with pytest.raises(RegistryError) as caught:
        fetch_image(
            parse_reference(f"{name}:1.0.0", require_registry=True), RegistryOptions(env={})
        )
    assert caught.value.code == "registry-answer"


def test_an_immutable_tag_of_the_registry(faulty_registry: FaultyRegistry, tmp_path: Path) -> None:
    words = "Failed to process request due to 'acme/x:1.0.0' configured as immutable."
    body = f'{{"errors":[{{"code":"PRECONDITION","message":"{words}"}}]}}'
    faulty_registry.fault("PUT .*/manifests/", answering(412, body))
    error = failure(make_image(tmp_path), faulty_registry.new_name())
    assert error.code == "tag-immutable"
    assert "another tag" in str(error.hint)


def test_tls_with_an_unknown_authority(tls_registry: RunningRegistry, tmp_path: Path) -> None:
    options = RegistryOptions(env={}, plain_http=False)
    error = failure(make_image(tmp_path), tls_registry.new_name(), options)
    assert (error.code, error.exit_code) == ("unknown-ca", ExitCode.REGISTRY)
    assert "--ca-file" in str(error.hint)


def test_tls_with_an_authority_given_by_hand(tls_registry: RunningRegistry, tmp_path: Path) -> None:
    """On loopback too, where plain HTTP is the rule: who names an authority means TLS."""
    options = RegistryOptions(env={}, ca_file=tls_registry.ca_file)
    assert push(make_image(tmp_path), tls_registry.new_name(), options)


@pytest.mark.parametrize("variable", ["SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"])
def test_tls_with_an_authority_of_the_environment(
    tls_registry: RunningRegistry, tmp_path: Path, variable: str
) -> None:
    options = RegistryOptions(env={variable: str(tls_registry.ca_file)}, plain_http=False)
    assert push(make_image(tmp_path), tls_registry.new_name(), options)


def test_tls_unverified(tls_registry: RunningRegistry, tmp_path: Path) -> None:
    """And no library warns about what was asked for."""
    options = RegistryOptions(env={}, insecure_skip_tls_verify=True)
    assert push(make_image(tmp_path), tls_registry.new_name(), options)


def test_tls_by_another_name(tls_registry: RunningRegistry, tmp_path: Path) -> None:
    name = tls_registry.new_name().replace("127.0.0.1", "localhost")
    error = failure(
        make_image(tmp_path), name, RegistryOptions(env={}, ca_file=tls_registry.ca_file)
    )
    assert error.code == "certificate-name"


def test_tls_where_none_is_spoken(plain_registry: RunningRegistry, tmp_path: Path) -> None:
    options = RegistryOptions(env={}, plain_http=False)
    error = failure(make_image(tmp_path), plain_registry.new_name(), options)
    assert (error.code, error.exit_code) == ("no-tls", ExitCode.REGISTRY)
    assert "--plain-http" in str(error.hint)


def test_plain_http_where_tls_is_spoken(tls_registry: RunningRegistry, tmp_path: Path) -> None:
    error = failure(make_image(tmp_path), tls_registry.new_name())
    assert error.code == "tls-needed"
    assert "--https" in str(error.hint)


@pytest.mark.parametrize("content", [None, "not a certificate"])
def test_a_ca_file_that_is_none(tmp_path: Path, content: str | None) -> None:
    path = tmp_path / "ca.pem"
    if content is not None:
        path.write_text(content)
    options = RegistryOptions(env={}, ca_file=path)
    error = failure(make_image(tmp_path), "127.0.0.1:1/acme/x", options)
    assert (error.code, error.exit_code) == ("bad-ca-file", ExitCode.USAGE)


def test_a_proxy_is_used(faulty_registry: FaultyRegistry, tmp_path: Path) -> None:
    """The proxy alone knows the host: it is asked, with its own credentials, and never resolved."""

    def forward(handler: FaultHandler) -> None:
        handler.path = re.sub(r"^http://[^/]+", "", handler.path)
        handler.pass_on()

    faulty_registry.fault("http://registry.internal.invalid/v2/", forward)
    env = {"HTTP_PROXY": f"http://user:secret@{faulty_registry.host}"}
    options = RegistryOptions(env=env, plain_http=True)
    assert push(make_image(tmp_path), "registry.internal.invalid/acme/proxied", options)
    shown = {seen.headers.get("proxy-authorization") for seen in faulty_registry.seen}
    assert shown == {"Basic dXNlcjpzZWNyZXQ="}


def test_a_proxy_that_fails_is_named_without_its_password(tmp_path: Path) -> None:
    env = {"HTTPS_PROXY": "http://user:hunter2@127.0.0.1:1"}
    error = failure(make_image(tmp_path), "ghcr.io/acme/x", RegistryOptions(env=env))
    assert error.code == "proxy-failed"
    assert "`127.0.0.1:1`" in error.message
    assert "hunter2" not in f"{error.message}{error.hint}"


def test_loopback_is_never_proxied(plain_registry: RunningRegistry, tmp_path: Path) -> None:
    options = RegistryOptions(env={"HTTP_PROXY": "http://127.0.0.1:1"})
    assert push(make_image(tmp_path), plain_registry.new_name(), options)


def test_the_process_s_own_environment_does_not_count(
    plain_registry: RunningRegistry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:1")
    options = RegistryOptions(env={})
    assert push(make_image(tmp_path), plain_registry.new_name(), options)


def test_an_expired_certificate(tmp_path: Path) -> None:
    make_certificate(tmp_path, name="127.0.0.1", days=-1)
    options = RegistryOptions(env={}, ca_file=tmp_path / "ca.pem")
    with FaultyRegistry("", certificates=tmp_path) as listening:
        error = failure(make_image(tmp_path), listening.new_name(), options)
    assert error.code == "certificate-expired"


def test_an_upload_is_not_led_from_https_to_http(
    tls_registry: RunningRegistry, plain_registry: RunningRegistry, tmp_path: Path
) -> None:
    """A registry behind a proxy that ends TLS, which takes itself for a plain one."""
    assert tls_registry.ca_file is not None
    with FaultyRegistry(plain_registry.host, certificates=tls_registry.ca_file.parent) as behind:
        error = failure(
            make_image(tmp_path),
            behind.new_name(),
            RegistryOptions(env={}, ca_file=tls_registry.ca_file),
        )
        assert behind.count("PUT ") == 0
    assert error.code == "insecure-redirect"
    assert "X-Forwarded-Proto" in str(error.hint)
