"""The pages of docs/ and the README: their dialogues come true, and their links lead somewhere."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.integration.apiservers import ApiServer
from tests.integration.pages import WRITES, Story, Teller, agree, read_stories
from tests.integration.picture import PICTURE, words_of
from tests.integration.registries import PASSWORD, USER, RunningRegistry, free_port

PAGES = sorted([*(ROOT / "docs").glob("*.md"), ROOT / "README.md"])
STORIES = [story for page in PAGES for story in read_stories(page)]
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_FENCE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)


@pytest.fixture
def teller(
    request: pytest.FixtureRequest,
    pytestconfig: pytest.Config,
    user_env: dict[str, str],
    tmp_path: Path,
) -> Teller:
    """Who types the story that the test was given, with the services it needs."""
    needs = request.getfixturevalue("story").needs
    port, admin, behind = (str(free_port()) for _ in range(3))
    # Envoy's own way to say one thing more than the file does: where its admin interface is.
    admin_yaml = f"{{admin: {{address: {{socket_address: {{port_value: {admin}}}}}}}}}"
    places = {
        "18000": port,
        "envoy -c": f"envoy --config-yaml '{admin_yaml}' -c",
        "9901": admin,
        "8080": behind,
    }
    bin_folder = os.environ.get(WRITES) or str(Path(sys.executable).parent)
    folder = tmp_path / "you"
    folder.mkdir()
    env = {
        **user_env,
        "HOME": str(folder),
        "PATH": f"{bin_folder}:{user_env['PATH']}",
        "WASMCTL_RUN_PORT": port,
        "XDG_CACHE_HOME": str(Path.home() / ".cache"),
        "CARGO_TARGET_DIR": str(pytestconfig.cache.mkdir("pages-target")),
        "COLUMNS": "100",
    }
    if "registry" in needs:
        plain: RunningRegistry = request.getfixturevalue("plain_registry")
        guarded: RunningRegistry = request.getfixturevalue("password_registry")
        places["localhost:5000"] = plain.host
        places["localhost:5001"] = guarded.host
        env |= {"REGISTRY_USER": USER, "REGISTRY_PASSWORD": PASSWORD}
    if "apiserver" in needs:
        server: ApiServer = request.getfixturevalue("api_server")
        server.kubectl("create", "namespace", "istio-system")
        env["KUBECONFIG"] = str(server.kubeconfig)
    return Teller(folder=folder, env=env, places=places)


@pytest.mark.parametrize(
    "story",
    [
        pytest.param(
            story,
            id=story.name,
            marks=[getattr(pytest.mark, need) for need in story.needs],
        )
        for story in STORIES
    ],
)
def test_the_story_comes_true(story: Story, teller: Teller) -> None:
    teller.tell(story)


def test_every_link_leads_somewhere() -> None:
    lost = [
        f"{page.relative_to(ROOT)}: {link}"
        for page in PAGES
        for link in _LINK.findall(_FENCE.sub("", page.read_text(encoding="utf-8")))
        if not link.startswith(("http://", "https://")) and not _is_there(page, link)
    ]
    assert not lost


def test_every_page_is_in_the_index() -> None:
    index = ROOT / "docs/README.md"
    listed = {index.parent / link for link in _LINK.findall(index.read_text(encoding="utf-8"))}
    assert {page for page in PAGES if page.parent == index.parent} - {index} <= listed


def test_what_how_it_is_built_names_is_there() -> None:
    page = (ROOT / "docs/how-it-is-built.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`((?:[\w-]+/)+[\w.*-]*)`", page))
    assert len(named) > 40
    lost = [
        name
        for name in named
        if not any([*base.glob(name)] for base in (ROOT, ROOT / "wasmctl", ROOT / "tests"))
    ]
    assert not lost


def test_the_picture_shows_what_the_page_says() -> None:
    page = (ROOT / "docs/quickstart.md").read_text(encoding="utf-8")
    dialogue = page.partition("```console\n")[2].partition("```")[0]
    assert agree(dialogue, words_of(PICTURE.read_text(encoding="utf-8")))


def _is_there(page: Path, link: str) -> bool:
    name, _, anchor = link.partition("#")
    target = page.parent / name if name else page
    return target.exists() and (not anchor or anchor in _anchors(target))


def _anchors(page: Path) -> Iterator[str]:
    """Yield what GitHub makes of a page's headings."""
    for heading in re.findall(r"(?m)^#+ (.*)$", _FENCE.sub("", page.read_text(encoding="utf-8"))):
        yield re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
