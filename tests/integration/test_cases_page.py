"""docs/cases.md: each of its examples comes true."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.integration.case_runs import CaseRunner
from tests.unit.cases.page import page_examples

pytestmark = [pytest.mark.cargo, pytest.mark.envoy]


def test_every_example_passes(run_file: CaseRunner, probe_module: Path) -> None:
    (run_file.folder / "order.json").write_text('{"id": 7, "tags": ["a", "b"]}')
    results = run_file(probe_module, *page_examples(), jobs=2)
    failed = [
        f"{result.name}: {result.message}, {result.differences}"
        for result in run_file.told
        if result.outcome != "passed"
    ]
    assert not failed, "\n".join(failed)
    assert len(results) == sum(example.count("- name: ") for example in page_examples())
