"""What the wheel and the sdist hold, and that the road runs from an installed wheel."""

from __future__ import annotations

import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from tests.conftest import ROOT


@pytest.fixture(scope="session")
def distributions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the sdist of the checkout and the wheel built from that sdist."""
    folder = tmp_path_factory.mktemp("distributions")
    argv = [sys.executable, "-m", "build", "--outdir", str(folder), str(ROOT)]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


def tracked(*folders: str) -> set[str]:
    argv = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", *folders]
    listed = subprocess.run(argv, cwd=ROOT, capture_output=True, check=True).stdout.decode()
    return {name for name in listed.split("\0") if name}


def test_the_wheel_holds_the_package_and_the_templates(distributions: Path) -> None:
    with zipfile.ZipFile(next(distributions.glob("*.whl"))) as wheel:
        names = {name for name in wheel.namelist() if ".dist-info/" not in name}
    templates = {f"wasmctl/_{name}" for name in tracked("templates")}
    assert templates
    assert names == tracked("wasmctl") | templates


def test_the_sdist_holds_what_the_repository_holds(distributions: Path) -> None:
    with tarfile.open(next(distributions.glob("*.tar.gz"))) as sdist:
        names = {member.name.partition("/")[2] for member in sdist if member.isfile()}
    wanted = tracked("wasmctl", "templates", "tests", "docs", "Dockerfile", "README.md", "LICENSE")
    assert names - {"PKG-INFO", "pyproject.toml", ".gitignore", "CHANGELOG.md"} == wanted
