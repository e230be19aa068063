"""dist/plugin.json: what is read back, and what is left alone."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from wasmctl.project.record import (
    ensure_dist,
    note_image,
    note_test,
    read_record,
    untested,
    write_record,
)
from wasmctl.results import JSONValue

NOTE = {"reference": "r", "digest": "sha256:1", "module_sha256": "2", "format": "oci"}


def test_a_stage_changes_its_own_keys_only(tmp_path: Path) -> None:
    write_record(tmp_path, {"module": {"size": 1}, "inputs": ["ä"]})
    write_record(tmp_path, {"module": {"size": 2}})
    assert read_record(tmp_path) == {
        "schema": "wasmctl-record/1",
        "module": {"size": 2},
        "inputs": ["ä"],
    }


def test_the_latest_image_is_the_last_and_noted_once(tmp_path: Path) -> None:
    other = {**NOTE, "digest": "sha256:2"}
    for note in (NOTE, other, NOTE):
        note_image(tmp_path, note)
    assert read_record(tmp_path)["images"] == [other, NOTE]


def test_images_of_another_shape_are_replaced(tmp_path: Path) -> None:
    write_record(tmp_path, {"images": "nonsense", "module": {}})
    note_image(tmp_path, NOTE)
    assert read_record(tmp_path)["images"] == [NOTE]
    assert read_record(tmp_path)["module"] == {}


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b"null", b"\xff\xfe", b'{"schema": "other/1"}', b"[" * 100_000, b"\0" * 99],
)
def test_what_is_no_record_of_ours_is_as_none(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "plugin.json").write_bytes(content)
    assert read_record(tmp_path) == {}
    write_record(tmp_path, {"module": {}})
    assert read_record(tmp_path) == {"schema": "wasmctl-record/1", "module": {}}


def test_no_record_is_empty(tmp_path: Path) -> None:
    assert read_record(tmp_path) == {}
    assert read_record(tmp_path / "nowhere") == {}


def test_a_record_that_cannot_be_written_leaves_the_old_one(tmp_path: Path) -> None:
    write_record(tmp_path, {"module": {"size": 1}})
    with pytest.raises(TypeError):
        write_record(tmp_path, {"module": object()})  # type: ignore[dict-item]
    assert read_record(tmp_path)["module"] == {"size": 1}
    assert [path.name for path in tmp_path.iterdir()] == ["plugin.json"]


def test_results_are_ignored_by_git_and_an_ignore_file_is_left_alone(tmp_path: Path) -> None:
    ensure_dist(tmp_path / "dist")
    ensure_dist(tmp_path / "dist")
    assert (tmp_path / "dist/.gitignore").read_text() == "*\n"
    (tmp_path / "dist/.gitignore").write_text("mine\n")
    ensure_dist(tmp_path / "dist")
    assert (tmp_path / "dist/.gitignore").read_text() == "mine\n"


def test_the_record_is_json_that_people_can_read(tmp_path: Path) -> None:
    write_record(tmp_path, {"module": {"size": 1}})
    text = (tmp_path / "plugin.json").read_text()
    assert json.loads(text)
    assert len(text.splitlines()) > 3


def noted(
    envoy: str, *, module: str = "m1", cases: str = "c1", **more: object
) -> dict[str, JSONValue]:
    note = {"module_sha256": module, "cases": cases, "envoy": envoy, "asked": None}
    return {**note, "passed": 3, "failed": 0, **more}  # type: ignore[dict-item]


def lacks(
    dist: Path, *wanted: str, module: str = "m1", cases: str = "c1"
) -> tuple[str, ...] | None:
    return untested(read_record(dist), module_sha256=module, cases=cases, wanted=wanted)


def test_a_module_is_tested_by_cases_that_passed_and_are_the_same(tmp_path: Path) -> None:
    assert lacks(tmp_path) == ()
    note_test(tmp_path, noted("1.40.0"))
    assert lacks(tmp_path) is None
    assert lacks(tmp_path, module="m2") == ()
    assert lacks(tmp_path, cases="c2") == ()


def test_a_failure_takes_the_place_of_an_earlier_success(tmp_path: Path) -> None:
    note_test(tmp_path, noted("1.40.0"))
    note_test(tmp_path, noted("1.40.0", failed=1))
    assert lacks(tmp_path) == ()
    assert len(read_record(tmp_path)["tests"]) == 1  # type: ignore[arg-type]


def test_each_release_that_is_wanted_has_to_be_there(tmp_path: Path) -> None:
    note_test(tmp_path, noted("1.36.2"))
    note_test(tmp_path, noted("1.40.0", asked="docker:envoy"))
    assert lacks(tmp_path, "1.36", "1.40.0", "v1.40", "docker:envoy") is None
    # 1.3 is no prefix of 1.36 as releases go.
    assert lacks(tmp_path, "1.36", "1.3", "1.39", "1.36.1") == ("1.3", "1.39", "1.36.1")


def test_tests_of_another_module_are_forgotten_and_their_number_is_bounded(tmp_path: Path) -> None:
    note_test(tmp_path, noted("1.40.0", module="old"))
    for number in range(60):
        note_test(tmp_path, noted(f"1.{number}.0"))
    tests = read_record(tmp_path)["tests"]
    assert isinstance(tests, list)
    assert [item["envoy"] for item in tests] == [f"1.{number}.0" for number in range(10, 60)]


def test_tests_of_another_shape_count_for_nothing(tmp_path: Path) -> None:
    for nonsense in ("x", {"a": 1}, [1, None, {"module_sha256": "m1"}]):
        write_record(tmp_path, {"tests": nonsense})
        assert lacks(tmp_path) == ()
    note_test(tmp_path, noted("1.40.0"))
    assert lacks(tmp_path) is None
