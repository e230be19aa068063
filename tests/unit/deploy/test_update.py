"""The image of an object in a file is changed, and not a byte besides."""

from __future__ import annotations

import pytest
import yaml

from wasmctl.deploy.update import Updated, Wanted, update_image
from wasmctl.errors import UsageError
from wasmctl.oci.reference import parse_reference

HEX = "0123456789abcdef" * 4
IMAGE = parse_reference(f"ghcr.io/acme/x:2.0@sha256:{HEX}", require_registry=True)
NEW = f"oci://{IMAGE}"
OLD = "oci://ghcr.io/acme/x:1.0@sha256:" + "a" * 64
ANY = Wanted(name=None, namespace=None, kinds=(), usual_name="x")

PLUGIN = """\
# The gateway's authorization.
apiVersion: extensions.istio.io/v1alpha1
kind: WasmPlugin

metadata: {name: x, namespace: istio-system}   # flow, with a comment
spec:
      phase:   AUTHN
      url: @URL@   # the image
      pluginConfig: {url: "mine", sha256: mine}   # not ours
"""


def plugin(url: str = OLD, *, name: str = "x", namespace: str = "istio-system") -> str:
    text = PLUGIN.replace("@URL@", url).replace("name: x,", f"name: {name},")
    return text.replace("namespace: istio-system", f"namespace: {namespace}")


def update(text: str, wanted: Wanted = ANY) -> Updated:
    return update_image(text, IMAGE, wanted, file="gitops.yaml")


def refusal(text: str, wanted: Wanted = ANY) -> tuple[str, str]:
    with pytest.raises(UsageError) as caught:
        update(text, wanted)
    return caught.value.message, caught.value.hint or ""


def test_nothing_but_the_url_changes() -> None:
    updated = update(plugin())
    assert updated.text == plugin(NEW)
    assert (updated.shown, updated.before, updated.url) == ("WasmPlugin x", OLD, NEW)
    assert updated.changed


def test_what_is_so_already_is_not_changed() -> None:
    updated = update(plugin(NEW))
    assert (updated.text, updated.changed) == (plugin(NEW), False)


@pytest.mark.parametrize("quote", ["", "'", '"'])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize(
    "start", ["", "\ufeff", "---\n", "%YAML 1.1\n---\n", "# ü 日本 \U0001f600\n"]
)
def test_quotes_line_ends_and_what_is_before_stay(quote: str, end: str, start: str) -> None:
    def made(url: str) -> str:
        return (start + plugin(f"{quote}{url}{quote}")).replace("\n", end)

    assert update(made(OLD)).text == made(NEW)


@pytest.mark.parametrize("properties", ["&image ", "!!str ", "&image !!str ", "!!str   &image "])
def test_anchors_and_tags_stay(properties: str) -> None:
    assert update(plugin(f"{properties}{OLD}")).text == plugin(f"{properties}{NEW}")


@pytest.mark.parametrize("digest", ["a" * 64, f"'{'a' * 64}'", "old"])
def test_a_sha256_follows(digest: str) -> None:
    quote = "'" if digest.startswith("'") else ""
    text = plugin(f"{OLD}\n      sha256: {digest}")
    assert update(text).text == plugin(f"{NEW}\n      sha256: {quote}{HEX}{quote}")


@pytest.mark.parametrize("digits", ["1" * 64, "1" * 31 + "e" + "2" * 32, "0b" + "1" * 62])
def test_a_sha256_that_reads_as_a_number_is_quoted(digits: str) -> None:
    image = IMAGE.with_digest(f"sha256:{digits}")
    text = plugin(f"{OLD}\n      sha256: {HEX}")
    updated = update_image(text, image, ANY, file="gitops.yaml")
    assert f"sha256: '{digits}'" in updated.text or digits.startswith("0b")
    assert yaml.safe_load(updated.text)["spec"]["sha256"] == digits


def test_an_empty_sha256_stays_and_none_is_added() -> None:
    text = plugin(f'{OLD}\n      sha256: ""')
    assert update(text).text == plugin(f'{NEW}\n      sha256: ""')
    assert "sha256: mine" in update(plugin()).text
    assert update(plugin()).text.count("sha256:") == 2  # the digest, and the configuration's own


def test_a_value_on_a_line_of_its_own_stays_there() -> None:
    assert update(plugin(f"\n        {OLD}")).text == plugin(f"\n        {NEW}")


def test_a_sha256_before_the_url_follows_too() -> None:
    text = plugin().replace("phase:   AUTHN", "sha256: aa")
    expected = plugin(NEW).replace("phase:   AUTHN", f"sha256: {HEX}")
    assert update(text).text == expected


def test_json_stays_json() -> None:
    text = '{"apiVersion": "extensions.istio.io/v1alpha1", "kind": "TrafficExtension",\n'
    text += ' "metadata": {"name": "x"}, "spec": {"wasm": {"url": "@"}}}\n'
    assert update(text.replace("@", OLD)).text == text.replace("@", NEW)


def test_an_item_of_a_list_is_found() -> None:
    item = "".join(f"  {line}\n" for line in plugin().splitlines()).replace("  # The", "- # The", 1)
    text = f"apiVersion: v1\nkind: List\nitems:\n{item}"
    assert update(text).text == text.replace(OLD, NEW)


def test_plain_text_in_brackets_is_quoted_where_it_must_be() -> None:
    image = parse_reference(f"[::1]:5000/acme/x:2.0@sha256:{HEX}", require_registry=True)
    text = plugin().replace("spec:\n", "spec: {url: a}\nother:\n")
    updated = update_image(text, image, ANY, file="gitops.yaml")
    assert f"spec: {{url: 'oci://{image}'}}" in updated.text
    assert yaml.safe_load(updated.text)["spec"]["url"] == f"oci://{image}"


SERVICE = "apiVersion: v1\nkind: Service\nmetadata: {name: x}\nspec: {url: mine}\n"


def test_of_several_documents_the_one_of_our_name_is_taken() -> None:
    def made(url: str) -> str:
        return "---\n".join([SERVICE, plugin(name="y"), plugin(url), plugin(name="z"), SERVICE])

    assert update(made(OLD)).text == made(NEW)


def test_the_name_that_was_said_goes_before_ours() -> None:
    wanted = Wanted(name="y", namespace=None, kinds=(), usual_name="x")
    text = plugin(name="x") + "---\n" + plugin(name="y")
    assert update(text, wanted).text == plugin(name="x") + "---\n" + plugin(NEW, name="y")


def test_the_namespace_tells_two_of_one_name_apart() -> None:
    text = plugin(namespace="blue") + "---\n" + plugin(namespace="green")
    message, hint = refusal(text)
    assert "`WasmPlugin x`, `WasmPlugin x`: which object is meant is not plain" in message
    assert hint == "name it: `--name NAME`, or `--namespace NAME`"
    wanted = Wanted(name=None, namespace="green", kinds=(), usual_name="x")
    assert update(text, wanted).text == (
        plugin(namespace="blue") + "---\n" + plugin(NEW, namespace="green")
    )


def test_the_kind_tells_two_of_one_name_apart() -> None:
    extension = plugin().replace("WasmPlugin", "TrafficExtension")
    extension = extension.replace("spec:\n", "spec:\n     wasm:\n")
    wanted = Wanted(name=None, namespace=None, kinds=("trafficextension",), usual_name="x")
    text = f"{plugin()}---\n{extension}"
    assert update(text, wanted).text == f"{plugin()}---\n{extension.replace(OLD, NEW)}"


def test_the_only_one_with_our_image_is_taken_under_any_name() -> None:
    assert update(plugin(name="gateway-auth")).text == plugin(NEW, name="gateway-auth")
    other = plugin("oci://ghcr.io/acme/other:1.0", name="other")
    text = f"{other}---\n{plugin(name='gateway-auth')}"
    assert update(text).text == f"{other}---\n{plugin(NEW, name='gateway-auth')}"


def test_the_only_one_is_not_taken_for_being_alone() -> None:
    message, hint = refusal(plugin("oci://ghcr.io/acme/other:1.0", name="other"))
    assert message == "`gitops.yaml` has `WasmPlugin other`: the object is not there"
    assert hint == "name it: `--name NAME`"
    wanted = Wanted(name="other", namespace=None, kinds=(), usual_name="x")
    text = plugin("oci://ghcr.io/acme/other:1.0", name="other")
    assert update(text, wanted).text == plugin(NEW, name="other")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "has no object with an image: a WasmPlugin or a TrafficExtension"),
        (SERVICE, "has no object with an image"),
        ("[1, 2]", "has no object with an image"),
        ("{{- if .Values.on }}\nx: 1\n{{- end }}\n", "is not YAML"),
        ("a: b: c", "`gitops.yaml`, line 1 is not YAML: mapping values are not allowed here"),
        ("[" * 5000, "`gitops.yaml` is not YAML"),
        (plugin().replace("url: ", "uri: "), "`WasmPlugin x` in `gitops.yaml` has no `url`"),
        (plugin(f"{OLD}\n      url: {OLD}"), "line 8: `WasmPlugin x` has two `url`"),
        (
            plugin(f">-\n        {OLD}"),
            "line 8: the `url` of `WasmPlugin x` goes over several lines",
        ),
        (plugin("[a]"), "the `url` of `WasmPlugin x` stands elsewhere"),
        (
            plugin("*image").replace("name: x,", f"name: x, labels: {{a: &image '{OLD}'}},"),
            "line 8: the `url` of `WasmPlugin x` stands elsewhere",
        ),
    ],
)
def test_what_cannot_be_changed_in_place_is_refused(text: str, said: str) -> None:
    message, hint = refusal(text)
    assert said in message
    assert hint
