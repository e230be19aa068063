"""A file under GitOps, with the image of one of its objects changed, and nothing else of it.

The text is changed where the two values stand: comments, order, quotes and line ends are not
written anew and so stay. Reads with PyYAML, which says where in the text a value stands.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import yaml

from wasmctl.deploy.kind import ObjectKind
from wasmctl.deploy.kinds import OBJECT_KINDS
from wasmctl.errors import UsageError
from wasmctl.oci.reference import Reference, parse_reference
from wasmctl.yaml_text import reads_as_other

__all__ = ["Updated", "Wanted", "update_image"]

# What may stand between a key and the text of its value: an anchor, a tag.
_PROPERTIES: Final = re.compile(r"(?:[&!]\S*[ \t]+)+")
# Text that needs no quotes, within brackets either.
_PLAIN: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_./:@-]*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which object of a file is meant; None: any.

    Args:
        name: its name, where it was said.
        namespace: its namespace, where it was said.
        kinds: the kinds that were said; empty: all.
        usual_name: the name that our own object would have.
    """

    name: str | None
    namespace: str | None
    kinds: Sequence[str]
    usual_name: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Updated:
    """A file's new text.

    Args:
        text: the whole.
        shown: the object, for people: `WasmPlugin header-auth`.
        before: the url that it had.
        url: the url that it has.
        changed: whether anything is another than before.
    """

    text: str
    shown: str
    before: str
    url: str
    changed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class _Object:
    """An object of a file that has a plug-in's image."""

    kind: ObjectKind
    name: str
    namespace: str | None
    image: yaml.MappingNode

    @property
    def shown(self) -> str:
        return f"{self.kind.kind} {self.name}"


def update_image(text: str, image: Reference, wanted: Wanted, *, file: str) -> Updated:
    """Return the text with the url, and the sha256 where it has one, of the image.

    Args:
        text: the file's: YAML of any number of documents, or JSON.
        image: the image, with its digest.
        wanted: which object.
        file: its name, for people.

    Raises:
        UsageError: it is no YAML, the object is not there, or its url cannot be changed in place.
    """
    found = _choose(list(_objects(text, file)), image, wanted, file)
    digest = (image.digest or "").removeprefix("sha256:")
    url = _value(found, "url", file)
    if url is None:
        message = f"`{found.shown}` in `{file}` has no `url`"
        raise UsageError("no-url", message, hint="write one there: `wasmctl manifest` shows it")
    changes = [(url, f"oci://{image}")]
    checksum = _value(found, "sha256", file)
    # An empty one is none, to Istio too.
    if checksum is not None and checksum.value:
        changes.append((checksum, digest))
    new = text
    for node, value in sorted(changes, key=lambda change: -change[0].start_mark.index):
        if node.value != value:
            new = _replaced(new, node, value)
    return Updated(
        text=new, shown=found.shown, before=url.value, url=f"oci://{image}", changed=new != text
    )


def _objects(text: str, file: str) -> Iterator[_Object]:
    try:
        # Not libyaml's parser: it counts bytes or characters as it was built.
        documents = [*yaml.compose_all(text, yaml.SafeLoader)]
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        line = "" if mark is None else f", line {mark.line + 1}"
        message = f"`{file}`{line} is not YAML: {error.problem}"
        hint = "name a file of plain YAML: one with `{{ }}` is a template of something else"
        raise UsageError("bad-yaml", message, hint=hint) from None
    except (yaml.YAMLError, RecursionError):
        message = f"`{file}` is not YAML"
        raise UsageError("bad-yaml", message, hint="name a file of plain YAML") from None
    for document in documents:
        yield from _objects_of(document)


def _objects_of(node: yaml.Node | None) -> Iterator[_Object]:
    if not isinstance(node, yaml.MappingNode):
        return
    group = _text(node, "apiVersion").partition("/")[0]
    if _text(node, "kind") == "List":  # what `kubectl get -o yaml` prints
        items = _child(node, "items")
        for item in items.value if isinstance(items, yaml.SequenceNode) else ():
            yield from _objects_of(item)
    for kind in OBJECT_KINDS.values():
        if (group, _text(node, "kind")) != (kind.group, kind.kind):
            continue
        image: yaml.Node | None = node
        for key in kind.image:
            image = _child(image, key)
        metadata = _child(node, "metadata")
        if isinstance(image, yaml.MappingNode):
            yield _Object(
                kind=kind,
                name=_text(metadata, "name"),
                namespace=_text(metadata, "namespace") or None,
                image=image,
            )


def _choose(objects: Sequence[_Object], image: Reference, wanted: Wanted, file: str) -> _Object:
    kinds = wanted.kinds or [*OBJECT_KINDS]
    known = [item for item in objects if item.kind.name in kinds]
    if not known:
        listed = " or ".join(f"a {OBJECT_KINDS[name].kind}" for name in kinds)
        message = f"`{file}` has no object with an image: {listed}"
        raise UsageError("no-object", message, hint="name the file that has it")
    fitting = [
        item
        for item in known
        if wanted.name in {None, item.name} and wanted.namespace in {None, item.namespace}
    ]
    for narrower in (
        lambda item: item.name == wanted.usual_name,
        lambda item: _repository(item) == image.name,
    ):
        if len(fitting) > 1 and any(narrower(item) for item in fitting):
            fitting = [item for item in fitting if narrower(item)]
    if len(fitting) == 1 and _is_meant(fitting[0], image, wanted):
        return fitting[0]
    names = ", ".join(f"`{item.shown}`" for item in known)
    what = "which object is meant is not plain" if len(fitting) > 1 else "the object is not there"
    hint = "name it: `--name NAME`" + (", or `--namespace NAME`" if len(fitting) > 1 else "")
    raise UsageError("no-object", f"`{file}` has {names}: {what}", hint=hint)


def _is_meant(item: _Object, image: Reference, wanted: Wanted) -> bool:
    """Return whether the only object left is this plug-in's, and not just any in the file."""
    named = wanted.name is not None or item.name == wanted.usual_name
    return named or _repository(item) == image.name


def _repository(item: _Object) -> str | None:
    url = _text(item.image, "url")
    try:
        return parse_reference(url, require_registry=False).name
    except UsageError:
        return None


def _value(item: _Object, key: str, file: str) -> yaml.ScalarNode | None:
    """Return the value of a key where it stands in the text.

    Raises:
        UsageError: it stands elsewhere, or over several lines.
    """
    pairs: Sequence[tuple[yaml.Node, yaml.Node]] = item.image.value
    places = [pair for pair in pairs if isinstance(pair[0], yaml.ScalarNode)]
    found = [(name, value) for name, value in places if name.value == key]
    if not found:
        return None
    name, value = found[0]
    line = name.start_mark.line + 1
    inside = name.end_mark.index <= value.start_mark.index < item.image.end_mark.index
    hint = f"write `{key}: TEXT` there, on a line of its own"
    if len(found) > 1:
        message = f"`{file}`, line {line}: `{item.shown}` has two `{key}`"
        raise UsageError("bad-yaml", message, hint="keep one of the two")
    if not isinstance(value, yaml.ScalarNode) or not inside:
        message = f"`{file}`, line {line}: the `{key}` of `{item.shown}` stands elsewhere"
        raise UsageError("not-in-place", message, hint=hint)
    if value.style in {"|", ">"} or value.start_mark.line != value.end_mark.line:
        message = f"`{file}`, line {line}: the `{key}` of `{item.shown}` goes over several lines"
        raise UsageError("not-in-place", message, hint=hint)
    return value


def _replaced(text: str, node: yaml.ScalarNode, value: str) -> str:
    start, end = node.start_mark.index, node.end_mark.index
    if properties := _PROPERTIES.match(text, start, end):
        start = properties.end()
    match node.style:
        case "'":
            written = f"'{value}'"
        case '"':
            written = json.dumps(value)
        case _:
            plain = _PLAIN.fullmatch(value) is not None and not reads_as_other(value)
            written = value if plain else f"'{value}'"
    return text[:start] + written + text[end:]


def _child(node: yaml.Node | None, key: str) -> yaml.Node | None:
    if not isinstance(node, yaml.MappingNode):
        return None
    pairs: Mapping[str, yaml.Node] = {
        name.value: value for name, value in node.value if isinstance(name, yaml.ScalarNode)
    }
    return pairs.get(key)


def _text(node: yaml.Node | None, key: str) -> str:
    child = _child(node, key)
    return str(child.value) if isinstance(child, yaml.ScalarNode) else ""
