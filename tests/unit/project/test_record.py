"""dist/plugin.json: what is read back, and what is left alone."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from wasmctl.project.record import ensure_dist, note_image, read_record, write_record

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
