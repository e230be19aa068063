"""The probe's own cases, in a real Envoy: every part of the case file at work."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.integration.case_runs import CaseRunner

CASES = ROOT / "tests/modules/probe/tests/probe.cases.yaml"


@pytest.mark.cargo
@pytest.mark.envoy
def test_every_command_of_the_probe_does_what_its_case_says(
    run_file: CaseRunner, probe_module: Path
) -> None:
    results = run_file(probe_module, CASES.read_text(encoding="utf-8"))
    assert len(results) == 16
    failed = {name: item.differences for name, item in results.items() if item.outcome != "passed"}
    assert failed == {}
