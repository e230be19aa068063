"""What is read of cargo's own configuration."""

from __future__ import annotations

from pathlib import Path

import pytest

from wasmctl.errors import UsageError
from wasmctl.toolchain.cargo_config import read_cargo_config, workspace_root


def configure(folder: Path, text: str, name: str = "config.toml") -> None:
    (folder / ".cargo").mkdir(parents=True, exist_ok=True)
    (folder / ".cargo" / name).write_text(text)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "home/work/plug-in"
    folder.mkdir(parents=True)
    return folder


def env(tmp_path: Path, **variables: str) -> dict[str, str]:
    return {"HOME": str(tmp_path / "home"), **variables}


def test_nothing_is_configured(project: Path, tmp_path: Path) -> None:
    found = read_cargo_config(project, env(tmp_path))
    assert (found.target, found.rustc, found.rustc_wrapper, found.target_folder) == (None,) * 4


def test_the_nearest_file_wins_key_by_key(project: Path, tmp_path: Path) -> None:
    configure(tmp_path / "home", '[build]\ntarget = "wasm32-wasi"\nrustc-wrapper = "sccache"\n')
    configure(project.parent, '[build]\ntarget = "wasm32-unknown-unknown"\n')
    found = read_cargo_config(project, env(tmp_path))
    assert (found.target, found.rustc_wrapper) == ("wasm32-unknown-unknown", "sccache")


def test_the_user_s_file_counts_where_cargo_s_home_is_elsewhere(
    project: Path, tmp_path: Path
) -> None:
    home = tmp_path / "cargo"
    home.mkdir()
    (home / "config.toml").write_text('[build]\ntarget = "wasm32-wasip1"\n')
    assert read_cargo_config(project, env(tmp_path, CARGO_HOME=str(home))).target == "wasm32-wasip1"


def test_variables_win(project: Path, tmp_path: Path) -> None:
    configure(project, '[build]\ntarget = "a"\nrustc-wrapper = "b"\ntarget-dir = "c"\n')
    variables = env(
        tmp_path, CARGO_BUILD_TARGET="x", RUSTC_WRAPPER="", CARGO_TARGET_DIR="/var/target"
    )
    found = read_cargo_config(project, variables)
    assert (found.target, found.rustc_wrapper) == ("x", None)
    assert found.target_folder == Path("/var/target")


def test_paths_start_from_the_folder_of_the_file(project: Path, tmp_path: Path) -> None:
    configure(
        project.parent, '[build]\nrustc-wrapper = "tools/wrap"\ntarget-dir = "out"\n', "config"
    )
    found = read_cargo_config(project, env(tmp_path))
    assert found.rustc_wrapper == str(project.parent / "tools/wrap")
    assert found.target_folder == project.parent / "out"


def test_a_list_of_targets_is_none_that_is_meant(project: Path, tmp_path: Path) -> None:
    configure(project, '[build]\ntarget = ["wasm32-wasip1", "x86_64-unknown-linux-gnu"]\n')
    assert read_cargo_config(project, env(tmp_path)).target is None


def test_broken_toml_is_told_with_its_file(project: Path, tmp_path: Path) -> None:
    configure(project, "[build\n")
    with pytest.raises(UsageError, match=r"config\.toml` is not TOML"):
        read_cargo_config(project, env(tmp_path))


def test_the_workspace_lies_above(project: Path) -> None:
    (project / "Cargo.toml").write_text("[package]\nversion.workspace = true\n")
    assert workspace_root(project) == project
    (project.parent / "Cargo.toml").write_text('[workspace]\nmembers = ["plug-in"]\n')
    assert workspace_root(project) == project.parent
