"""Our verdict on an image, against what really reads it, for every layout that people push."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.integration.fetchers import Answer, Fetcher
from tests.integration.layouts import LAYOUTS, put
from tests.integration.registries import RunningRegistry
from wasmctl.consumers.check import Verdict, check_image
from wasmctl.consumers.consumer import Outcome, find_consumer
from wasmctl.consumers.gather import gather_image
from wasmctl.errors import WasmctlError
from wasmctl.oci.options import RegistryOptions
from wasmctl.oci.source import find_image
from wasmctl.oci.unpack import unpack_module

# What a mesh takes and `pull` does not, which verifies a layer to its end.
WE_REFUSE = {"cut gzip, behind the module": "broken-layer"}

pytestmark = [pytest.mark.registry, pytest.mark.go]


@dataclass(frozen=True)
class Compared:
    """What both say of one image; `module` is the hash of what we took out of it."""

    ours: Verdict
    theirs: Answer
    module: str


def judge(ref: str, folder: Path) -> tuple[Verdict, str]:
    """Return our verdict for Istio, and the hash of the module that `check` would look at."""
    options = RegistryOptions(env={})
    istio = find_consumer("istio")
    assert istio is not None
    named = find_image(ref, folder=folder, options=options)
    gathered = gather_image(named, options=options, scratch=folder)
    module = ""
    if gathered.image is not None:
        try:
            module = unpack_module(gathered.image, folder / "plugin.wasm").sha256
        except WasmctlError as error:
            module = error.code
    (verdict,) = check_image(gathered.view, [istio]).verdicts
    return verdict, module


def plain(words: str) -> str:
    # Where deflate fails, Go counts in its own way.
    return re.sub(r"(corrupt input before offset) (?:\d+|…)", r"\1", words)


@pytest.fixture(scope="module")
def compared(
    plain_registry: RunningRegistry,
    istio_fetcher: Fetcher,
    tmp_path_factory: pytest.TempPathFactory,
) -> Mapping[str, Compared]:
    """Every layout, read back through a real registry by both."""
    refs = {what: put(plain_registry.new_name(), "1.0", given) for what, given in LAYOUTS.items()}
    answers = istio_fetcher.fetch([*refs.values()])
    folder = tmp_path_factory.mktemp("images")
    return {
        what: Compared(ours=verdict, theirs=answers[ref], module=module)
        for what, ref in refs.items()
        for verdict, module in [judge(ref, folder)]
    }


@pytest.mark.parametrize("what", LAYOUTS)
def test_verdict_and_words_are_those_of_the_fetcher(
    what: str, compared: Mapping[str, Compared]
) -> None:
    both = compared[what]
    assert plain(both.ours.words) == plain(both.theirs.error)
    assert both.ours.outcome is (Outcome.REFUSES if both.theirs.error else Outcome.ACCEPTS)


@pytest.mark.parametrize("what", LAYOUTS)
def test_the_module_that_is_checked_is_the_one_that_is_loaded(
    what: str, compared: Mapping[str, Compared]
) -> None:
    both = compared[what]
    if not both.theirs.error:
        assert both.module == WE_REFUSE.get(what, both.theirs.sha256)


def test_there_are_layouts_of_both_kinds(compared: Mapping[str, Compared]) -> None:
    accepted = [both for both in compared.values() if not both.theirs.error]
    assert len(accepted) >= 20
    assert len(compared) - len(accepted) >= 20
