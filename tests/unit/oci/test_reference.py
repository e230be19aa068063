"""What people type for an image, and what it means."""

from __future__ import annotations

import pytest

from wasmctl.errors import UsageError
from wasmctl.oci.reference import Reference, check_tag, parse_reference, reads_as_version

DIGEST = "sha256:" + "0a" * 32


def parse(text: str) -> Reference:
    return parse_reference(text, require_registry=True)


def refusal(text: str) -> UsageError:
    with pytest.raises(UsageError) as caught:
        parse(text)
    return caught.value


@pytest.mark.parametrize(
    ("text", "registry", "repository", "tag", "digest"),
    [
        ("ghcr.io/acme/plugin", "ghcr.io", "acme/plugin", None, None),
        ("ghcr.io/acme/plugin:1.0", "ghcr.io", "acme/plugin", "1.0", None),
        (f"ghcr.io/acme/plugin@{DIGEST}", "ghcr.io", "acme/plugin", None, DIGEST),
        (f"ghcr.io/acme/plugin:1@{DIGEST}", "ghcr.io", "acme/plugin", "1", DIGEST),
        ("oci://ghcr.io/acme/plugin:1", "ghcr.io", "acme/plugin", "1", None),
        ("localhost/x", "localhost", "x", None, None),
        ("localhost:5000/x:1", "localhost:5000", "x", "1", None),
        ("registry:5000/x", "registry:5000", "x", None, None),
        ("10.0.0.1:5000/a/b/c:1", "10.0.0.1:5000", "a/b/c", "1", None),
        ("[::1]:5000/x:1", "[::1]:5000", "x", "1", None),
        ("[fe80::1]/x", "[fe80::1]", "x", None, None),
        ("GHCR.io/acme/x", "ghcr.io", "acme/x", None, None),
        ("r.io/a__b/c-d/e---f/g.h_i", "r.io", "a__b/c-d/e---f/g.h_i", None, None),
        ("r.io/" + "a" * 255, "r.io", "a" * 255, None, None),
        ("r.io/x:" + "t" * 128, "r.io", "x", "t" * 128, None),
        ("r.io/x:_Tag.1-2", "r.io", "x", "_Tag.1-2", None),
    ],
)
def test_parts_of_a_reference(
    text: str, registry: str, repository: str, tag: str | None, digest: str | None
) -> None:
    expected = Reference(registry=registry, repository=repository, tag=tag, digest=digest)
    assert expected == parse(text)
    assert parse(text).read_as == ""


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("acme/x", "docker.io/acme/x"),
        ("acme/x:1", "docker.io/acme/x:1"),
        ("docker.io/acme/x", "docker.io/acme/x"),
        ("index.docker.io/acme/x", "docker.io/acme/x"),
        ("registry-1.docker.io/acme/x", "docker.io/acme/x"),
    ],
)
def test_forms_of_docker_hub(text: str, meant: str) -> None:
    assert meant == str(parse(text))
    assert parse(text).api_host == "registry-1.docker.io"


def test_says_how_a_name_without_registry_was_read() -> None:
    expected = "`acme/x:1` names no registry and is read as Docker Hub's `docker.io/acme/x:1`"
    assert expected == parse("acme/x:1").read_as


def test_a_bare_name_is_an_official_image_where_one_may_be_meant() -> None:
    assert str(parse_reference("nginx:1", require_registry=False)) == "docker.io/library/nginx:1"


@pytest.mark.parametrize(
    ("text", "why", "hint"),
    [
        ("", "empty", "`HOST/REPOSITORY:TAG`"),
        ("oci://", "empty", "`HOST/REPOSITORY:TAG`"),
        ("plugin", "names no registry", "`HOST/plugin`"),
        ("plugin:1", "names no registry", "`HOST/plugin`"),
        ("acme/team/plugin", "two parts", "`ghcr.io/acme/team/plugin`"),
        ("ghcr.io", "no repository", "`ghcr.io/NAME:TAG`"),
        ("ghcr.io/", "no repository", "`HOST/REPOSITORY:TAG`"),
        ("localhost:5000", "no repository", "`localhost:5000/NAME:TAG`"),
        ("ghcr.io/Acme/X:1", "lower case", "`ghcr.io/acme/x:1`"),
        ("Acme/x", "lower case", "`acme/x`"),
        ("https://ghcr.io/a/b", "`https://`", "write `ghcr.io/a/b`"),
        ("http://localhost/a", "`http://`", "`--plain-http`"),
        ("docker://ghcr.io/a/b", "`docker://`", "`ghcr.io/a/b`"),
        ("ghcr.io/a b", "space", "`ghcr.io/ab`"),
        ("ghcr.io/x:", "should follow", "`HOST/REPOSITORY:TAG`"),
        ("ghcr.io/x@", "should follow", "`HOST/REPOSITORY:TAG`"),
        ("ghcr.io/x@sha256:abc", "no digest", "`HOST/REPOSITORY:TAG`"),
        (f"ghcr.io/x@{DIGEST.upper()}", "no digest", "`HOST/REPOSITORY:TAG`"),
        ("ghcr.io:0/x", "no port", "`HOST/REPOSITORY:TAG`"),
        ("ghcr.io:65536/x", "no port", "`HOST/REPOSITORY:TAG`"),
        ("ghcr.io:/x", "no host", "`HOST/REPOSITORY:TAG`"),
        ("-ghcr.io/x", "no host", "`HOST/REPOSITORY:TAG`"),
        ("::1/x:1", "no host", "`[::1]/x:1`"),
        ("[::1/x", "no host", "`HOST/REPOSITORY:TAG`"),
        ("[1.2.3.4]/x", "no IPv6 address", "`HOST/REPOSITORY:TAG`"),
        ("ghcr.io//x", "no repository", "`HOST/REPOSITORY:TAG`"),
        ("ghcr.io/x/", "no repository", "`HOST/REPOSITORY:TAG`"),
        ("ghcr.io/a___b", "no repository", "`HOST/REPOSITORY:TAG`"),
        ("ghcr.io/../x", "no repository", "`HOST/REPOSITORY:TAG`"),
        ("ghcr.io/" + "a" * 256, "256 characters", "`HOST/REPOSITORY:TAG`"),
        ("ghcr.io/plugin\n", "space", "`ghcr.io/plugin`"),
    ],
)
def test_what_is_no_reference_is_refused_with_what_to_write(text: str, why: str, hint: str) -> None:
    error = refusal(text)
    assert error.code == "bad-reference"
    assert why in error.message
    assert hint in str(error.hint)


@pytest.mark.parametrize(
    ("text", "bare"),
    [
        ("https://alice:SECRET@localhost:5000/a/b:1", "localhost:5000/a/b:1"),
        ("alice:SECRET@host/x", "host/x"),
        ("oci://alice:SECRET@ghcr.io/acme/x", "ghcr.io/acme/x"),
        ("alice:p@SECRET@ghcr.io/acme/x:1", "ghcr.io/acme/x:1"),
        ("alice:p/SECRET@ghcr.io/acme/x:1", "ghcr.io/acme/x:1"),
        ("alice:p SECRET@ghcr.io/acme/x:1", "ghcr.io/acme/x:1"),
        (f"alice:SECRET@ghcr.io/acme/x:1@{DIGEST}", f"ghcr.io/acme/x:1@{DIGEST}"),
        ("https://SECRET@ghcr.io/acme/x", "ghcr.io/acme/x"),
        (":SECRET@ghcr.io/acme/x", "ghcr.io/acme/x"),
        ("alice:SECRET@localhost:5000", "localhost:5000"),
    ],
)
def test_a_password_is_refused_and_not_repeated(text: str, bare: str) -> None:
    error = refusal(text)
    assert error.code == "bad-reference"
    assert "SECRET" not in f"{error.message}{error.hint}"
    assert error.hint == f"write `{bare}`, and give the user with `-u USER --password-stdin`"


@pytest.mark.parametrize(
    ("tag", "hint"),
    [
        ("1.0+build", "`1.0_build`"),
        ("1:2", "`1_2`"),
        ("feature/x", "`feature_x`"),
        (".x", "`x`"),
        ("", "`1.0.0`"),
        ("t" * 129, "128 characters"),
        ("1.0\n", "`1.0_`"),
    ],
)
def test_what_cannot_be_a_tag(tag: str, hint: str) -> None:
    with pytest.raises(UsageError) as caught:
        check_tag(tag)
    assert caught.value.code == "bad-tag"
    assert hint in str(caught.value.hint)


def test_another_tag_forgets_the_digest_and_a_digest_keeps_the_tag() -> None:
    reference = parse(f"ghcr.io/acme/x:1@{DIGEST}")
    assert str(reference.with_tag("2")) == "ghcr.io/acme/x:2"
    assert str(parse("ghcr.io/acme/x:1").with_digest(DIGEST)) == f"ghcr.io/acme/x:1@{DIGEST}"


@pytest.mark.parametrize("tag", ["1.2", "v1.2.3", "2024.05.01", "1.2.3-rc.1"])
def test_tags_that_stay(tag: str) -> None:
    assert reads_as_version(tag)


@pytest.mark.parametrize("tag", ["latest", "1", "main", "v1", "1.x"])
def test_tags_that_move(tag: str) -> None:
    assert not reads_as_version(tag)
