"""What git tells of a project, on real repositories."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from wasmctl.errors import UsageError
from wasmctl.project.git import find_commit, find_source, find_version
from wasmctl.project.project import Project
from wasmctl.project.settings import Settings

ENV = {
    "PATH": os.environ["PATH"],
    "HOME": "/nowhere",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_AUTHOR_NAME": "a",
    "GIT_AUTHOR_EMAIL": "a@example.com",
    "GIT_COMMITTER_NAME": "a",
    "GIT_COMMITTER_EMAIL": "a@example.com",
    "GIT_AUTHOR_DATE": "1700000000 +0000",
    "GIT_COMMITTER_DATE": "1700000000 +0000",
}


def git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        ["git", *arguments], cwd=folder, env=ENV, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository with one commit and a file."""
    folder = tmp_path / "repo"
    folder.mkdir()
    git(folder, "init", "--quiet", "--initial-branch=main")
    commit(folder)
    return folder


def commit(folder: Path, *tags: str) -> str:
    with (folder / "file").open("a") as stream:
        stream.write("line\n")
    git(folder, "add", "file")
    git(folder, "commit", "--quiet", "--message=x")
    for tag in tags:
        git(folder, "tag", tag)
    return git(folder, "rev-parse", "HEAD")


def version_of(folder: Path, known: str | None = None, **env: str) -> str | None:
    project = Project(folder=folder, name="x", settings=Settings(), toolchain="go", version=known)
    return find_version(project, {**ENV, **env})


def test_a_version_that_is_known_needs_no_git(repository: Path) -> None:
    commit(repository, "v1.0.0")
    assert version_of(repository, "2.0", PATH="") == "2.0"


def test_a_tag_is_the_version(repository: Path) -> None:
    commit(repository, "v1.2.3")
    assert version_of(repository) == "v1.2.3"


def test_a_tag_is_found_from_a_folder_below(repository: Path) -> None:
    commit(repository, "1.2")
    (repository / "plugins/auth").mkdir(parents=True)
    assert version_of(repository / "plugins/auth") == "1.2"


def test_commits_since_the_tag_are_told(repository: Path) -> None:
    commit(repository, "v1.2.3")
    head = commit(repository)
    assert version_of(repository) == f"v1.2.3-1-g{head[:7]}"


def test_changes_since_the_tag_are_told(repository: Path) -> None:
    commit(repository, "v1.2.3")
    (repository / "untracked").touch()
    assert version_of(repository) == "v1.2.3"
    (repository / "file").write_text("changed")
    assert version_of(repository) == "v1.2.3-dirty"


@pytest.mark.parametrize("tag", ["latest", "nightly-20240101", "plugins/auth/v2.0.0", "stable"])
def test_a_tag_that_is_no_version_of_all_is_passed_over(repository: Path, tag: str) -> None:
    commit(repository, "v1.2.3", tag)
    assert version_of(repository) == "v1.2.3"
    git(repository, "tag", "--delete", "v1.2.3")
    assert version_of(repository) is None


def test_a_tag_that_no_image_can_have_is_none(repository: Path) -> None:
    commit(repository, "v1.2.3+build.1")
    assert version_of(repository) is None


def test_a_repository_without_tags_has_no_version(repository: Path) -> None:
    assert version_of(repository) is None


def test_an_empty_repository_has_no_version_and_no_commit(tmp_path: Path) -> None:
    git(tmp_path, "init", "--quiet")
    assert version_of(tmp_path) is None
    with pytest.raises(UsageError, match="is in no git repository with a commit"):
        find_commit(tmp_path, ENV)


def test_no_repository_has_nothing(tmp_path: Path) -> None:
    assert version_of(tmp_path) is None
    assert find_source(tmp_path, ENV) is None
    with pytest.raises(UsageError, match="is in no git repository") as caught:
        find_commit(tmp_path, ENV)
    assert caught.value.hint == "leave out `--annotate-git`, or commit first"


def test_without_git_nothing_is_known(repository: Path) -> None:
    commit(repository, "v1.2.3")
    assert version_of(repository, PATH="/nowhere") is None
    assert find_source(repository, {**ENV, "PATH": ""}) is None


def test_a_git_that_does_not_run_is_as_none(repository: Path, tmp_path: Path) -> None:
    commit(repository, "v1.2.3")
    broken = tmp_path / "bin/git"
    broken.parent.mkdir()
    broken.write_text("#!/nowhere/sh\n")
    broken.chmod(0o755)
    assert version_of(repository, PATH=str(broken.parent)) is None


@pytest.mark.root
def test_a_repository_that_git_does_not_trust_tells_nothing(repository: Path) -> None:
    commit(repository, "v1.2.3")
    for path in (repository, repository / ".git"):
        os.chown(path, 12345, 12345)
    assert version_of(repository) is None
    assert find_source(repository, ENV) is None


def test_a_shallow_clone_without_tags_has_no_version(repository: Path, tmp_path: Path) -> None:
    commit(repository, "v1.2.3")
    head = commit(repository)
    url = f"file://{repository}"
    git(tmp_path, "clone", "--quiet", "--depth=1", "--no-tags", url, "shallow")
    assert version_of(tmp_path / "shallow") is None
    assert find_commit(tmp_path / "shallow", ENV).revision == head


def test_a_bare_repository_has_no_version(repository: Path, tmp_path: Path) -> None:
    commit(repository, "v1.2.3")
    git(tmp_path, "clone", "--quiet", "--bare", str(repository), "bare")
    assert version_of(tmp_path / "bare", GIT_DIR=str(tmp_path / "bare")) is None


def test_a_worktree_is_a_repository_too(repository: Path, tmp_path: Path) -> None:
    commit(repository, "v1.2.3")
    git(repository, "worktree", "add", "--quiet", str(tmp_path / "tree"))
    assert version_of(tmp_path / "tree") == "v1.2.3"


def test_the_commit_and_its_time_are_told(repository: Path) -> None:
    head = commit(repository)
    found = find_commit(repository, ENV)
    assert (found.revision, found.seconds) == (head, 1_700_000_000)


def test_the_users_configuration_changes_nothing(repository: Path, tmp_path: Path) -> None:
    head = commit(repository, "v1.2.3")
    hook = tmp_path / "hook"
    hook.write_text(f"#!/bin/sh\ntouch {tmp_path}/ran\n")
    hook.chmod(0o755)
    for name, value in {
        "core.fsmonitor": str(hook),
        "core.pager": str(hook),
        "log.showSignature": "true",
        "color.ui": "always",
        "log.decorate": "full",
    }.items():
        git(repository, "config", name, value)
    assert version_of(repository) == "v1.2.3"
    assert find_commit(repository, ENV).revision == head
    assert not (tmp_path / "ran").exists()


def test_the_index_is_left_alone(repository: Path) -> None:
    commit(repository, "v1.2.3")
    index = repository / ".git/index"
    os.utime(repository / "file", (1, 1))  # what git would like to note in the index
    before = index.read_bytes()
    (repository / ".git/index.lock").touch()  # as while another git runs
    assert version_of(repository) == "v1.2.3"
    assert index.read_bytes() == before


@pytest.mark.parametrize(
    ("origin", "source"),
    [
        ("https://github.com/acme/filter.git", "https://github.com/acme/filter"),
        ("https://github.com/acme/filter/", "https://github.com/acme/filter"),
        ("https://user@github.com/acme/filter.git", "https://github.com/acme/filter"),
        ("https://user:s3cret@github.com/acme/filter.git", "https://github.com/acme/filter"),
        ("https://x:s3@cret@github.com/acme/filter", "https://github.com/acme/filter"),
        ("https://github.com:8443/acme/filter.git", "https://github.com:8443/acme/filter"),
        ("http://git.example.com:3000/acme/f.git", "http://git.example.com:3000/acme/f"),
        ("https://gitlab.com/a/b/c/d.git", "https://gitlab.com/a/b/c/d"),
        (
            "https://github.com/acme/filter.git?private_token=s3cret",
            "https://github.com/acme/filter",
        ),
        ("git@github.com:acme/filter.git", "https://github.com/acme/filter"),
        ("github.com:acme/filter.git", "https://github.com/acme/filter"),
        ("ssh://git@github.com/acme/filter.git", "https://github.com/acme/filter"),
        ("ssh://git:s3cret@github.com:2222/acme/filter.git", "https://github.com/acme/filter"),
        ("git://github.com/acme/filter.git", "https://github.com/acme/filter"),
        ("https://s3cret/part@github.com/acme/filter", None),
        ("work:acme/filter.git", None),
        ("git@work:acme/filter.git", None),
        ("/srv/git/filter.git", None),
        ("../filter", None),
        ("file:///srv/git/filter.git", None),
        ("C:\\repos\\filter", None),
        ("https://github.com/", None),
        ("ext::sh -c s3cret", None),
    ],
)
def test_the_source_is_the_origin_without_secrets(
    repository: Path, origin: str, source: str | None
) -> None:
    git(repository, "remote", "add", "origin", origin)
    found = find_source(repository, ENV)
    assert found == source
    assert "s3" not in str(found)


def test_the_source_is_what_git_makes_of_an_abbreviation(repository: Path) -> None:
    git(repository, "config", "url.https://me:s3cret@github.com/.insteadOf", "gh:")
    git(repository, "remote", "add", "origin", "gh:acme/filter")
    assert find_source(repository, ENV) == "https://github.com/acme/filter"


def test_a_repository_without_an_origin_has_no_source(repository: Path) -> None:
    assert find_source(repository, ENV) is None
