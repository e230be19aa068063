"""Settings from files, environment and flags: which one wins, and what is said of wrong ones."""

from __future__ import annotations

import functools
import json
import re
from pathlib import Path

import jsonschema
import pytest

from tests.unit.project.files import write_files
from wasmctl.errors import UsageError
from wasmctl.project.layers import (
    environment_layer,
    file_layer,
    flag_layer,
    merge,
    unknown_variables,
    user_layer,
)
from wasmctl.project.schema import settings_schema
from wasmctl.project.settings import Settings
from wasmctl.project.toml import read_toml


@functools.cache
def schema() -> jsonschema.Draft202012Validator:
    return jsonschema.Draft202012Validator(json.loads(settings_schema()))


def settings_of(folder: Path, text: str) -> Settings:
    write_files(folder, {"wasmctl.toml": text})
    return merge([file_layer(folder / "wasmctl.toml")]).settings


def refusal(folder: Path, text: str) -> tuple[str, str | None]:
    """Return what is said of a file, without its path, and the hint."""
    with pytest.raises(UsageError) as caught:
        settings_of(folder, text)
    message = caught.value.message
    assert message.startswith(f"`{folder}/wasmctl.toml`")
    for jargon in ("Input should", "str_", "string", "dict", "tuple", "NoneType", "int_", "valid"):
        assert jargon not in f"{message} {caught.value.hint}"
    return message.removeprefix(f"`{folder}/wasmctl.toml`, "), caught.value.hint


def test_no_file_gives_the_defaults(tmp_path: Path) -> None:
    assert merge([file_layer(tmp_path / "wasmctl.toml")]).settings == Settings()


def test_every_kind_of_value_is_taken(tmp_path: Path) -> None:
    settings = settings_of(
        tmp_path,
        """
        required-version = ">=0.1"
        image.tag = "1.0"
        [plugin]
        targets = [
          "istio-1.27",
          "gcp",
        ]
        config = {header = "allow", limits = [1, 2.5, true, {deep = "x"}]}
        [build]
        toolchain = "tinygo"
        env = {GOFLAGS = "-v"}
        [run]
        port = 0x10
        [deploy]
        priority = -5
        [[deploy.target-refs]]
        kind = "Gateway"
        name = "front"
        [deploy.selector]
        "app.kubernetes.io/name" = "front"
        """,
    )
    assert settings.required_version == ">=0.1"
    assert settings.image.tag == "1.0"
    assert settings.plugin.targets == ("istio-1.27", "gcp")
    assert settings.plugin.config == {"header": "allow", "limits": [1, 2.5, True, {"deep": "x"}]}
    assert settings.build.env == {"GOFLAGS": "-v"}
    assert (settings.run.port, settings.deploy.priority) == (16, -5)
    assert settings.deploy.target_refs == ({"kind": "Gateway", "name": "front"},)
    assert settings.deploy.selector == {"app.kubernetes.io/name": "front"}


def test_configuration_may_be_text(tmp_path: Path) -> None:
    assert settings_of(tmp_path, "plugin.config = 'a: 1'").plugin.config == "a: 1"


@pytest.mark.parametrize(
    ("text", "said", "hint"),
    [
        (
            "[image]\ntag = 1.0",
            "line 2: `image.tag` must be text, not `1.0`",
            'put it in quotes: `"1.0"`',
        ),
        ("image.tag = true", "line 1: `image.tag` must be text, not `true`", '`"true"`'),
        (
            "plugin.version = 2024-01-02",
            "`plugin.version` must be text, not `2024-01-02`",
            'put it in quotes: `"2024-01-02"`',
        ),
        (
            "[build]\n\ntoolchain = 'rust'",
            'line 3: `build.toolchain` must be one of `cargo`, `tinygo` or `go`, not `"rust"`',
            "did you mean `cargo`?",
        ),
        ("image.format = 3", "`image.format` must be one of `oci`, `docker` or `artifact`", None),
        (
            "[plugin]\ntargets = 'gcp'",
            'line 2: `plugin.targets` must be a list, not `"gcp"`',
            'make it a list: `["gcp"]`',
        ),
        ("build.args = [\n'a',\n3]", "line 1: `build.args[1]` must be text, not `3`", "put it"),
        ("[build.env]\nA = 1", "line 2: `build.env.A` must be text, not `1`", "put it in quotes"),
        ("build.env = 'A=1'", '`build.env` must be a table, not `"A=1"`', None),
        (
            "run = {port = '80'}",
            'line 1: `run.port` must be a whole number, not `"80"`',
            "leave out the quotes: `80`",
        ),
        ("run.port = 80.0", "`run.port` must be a whole number, not `80.0`", "fraction: `80`"),
        ("run.port = true", "`run.port` must be a whole number, not `true`", None),
        (
            "plugin.config = 3",
            "`plugin.config` must be text or a table, not `3`",
            "put it in quotes",
        ),
        ("plugin.config = [1]", "`plugin.config` must be text or a table, not a list", None),
        (
            "[plugin.config]\nday = [2024-01-02]",
            "line 2: `plugin.config.day[0]` must be text, since JSON has no dates, not",
            'put it in quotes: `"2024-01-02"`',
        ),
        ("plugin.config.x = nan", "`plugin.config.x` must be a number that JSON knows", None),
        (
            "deploy.target-refs = {kind = 'x'}",
            "`deploy.target-refs` must be a list, not a ta",
            None,
        ),
        (
            "[[deploy.target-refs]]\nkind = 'a'\n[[deploy.target-refs]]\nkind = 3",
            "`deploy.target-refs[1].kind` must be text, not `3`",
            "put it in quotes",
        ),
        ("plugin = 'x'", 'line 1: `plugin` must be a table, not `"x"`', "begin it with `[pl"),
        ("[[plugin]]", "line 1: `plugin` must be a table, not a list", "begin it with `[plugin]`"),
        (
            "required-version = 1",
            "line 1: `required-version` must be text, not `1`",
            "put it in quotes",
        ),
        (f"image.format = '{'x' * 50}'", "not this text", None),
    ],
)
def test_a_value_of_the_wrong_kind_is_told_in_plain_words(
    tmp_path: Path, text: str, said: str, hint: str | None
) -> None:
    message, advice = refusal(tmp_path, text)
    assert said in message
    assert (hint or "`wasmctl config schema` says what each setting takes") in str(advice)


@pytest.mark.parametrize(
    ("text", "said", "hint"),
    [
        ("run.port = 99999", "line 1: `run.port` must be a port, 1 to 65535, not `99999`", "18000"),
        ("run.port = 0", "`run.port` must be a port, 1 to 65535, not `0`", "18000"),
        (
            "[image]\nrepository = 'http://x/y'",
            "line 2: `image.repository` must be a repository, in which nothing but `{name}` and"
            ' `{version}` is filled in, not `"http://x/y"`',
            "without `https://`",
        ),
        ("image.repository = 'ghcr.io/{foo}/x'", "nothing but `{name}`", "`ghcr.io/acme/{name}`"),
        ("image.repository = 'a:SECRET@b.io/x'", "filled in, not this text", "and password"),
        ("image.tag = 'a b'", "`image.tag` must be a tag of letters, digits", "`1.0.0`"),
        ("build.env = {'A=B' = 'x'}", "`build.env.A=B` must be the name of a variable", "NAME ="),
        ("[build.env]\n\n'' = 'x'", "line 3: `build.env.` must be the name of a variable", "NAM"),
        ("plugin.name = 'A b/../x'", "`plugin.name` must be a name of letters, digits", "like"),
        ("plugin.version = '..-x y'", "`plugin.version` must be a version that can be", "`1.0.0`"),
    ],
)
def test_a_value_that_cannot_be_is_told_where_it_stands(
    tmp_path: Path, text: str, said: str, hint: str
) -> None:
    message, advice = refusal(tmp_path, text)
    assert said in message
    assert hint in str(advice)
    assert "SECRET" not in f"{message}{advice}"


@pytest.mark.parametrize(
    "text",
    [
        "run.port = 65535",
        "image.repository = 'localhost:5000/a/{name}:{version}'",
        "image.repository = 'oci://[::1]:5000/x'",
        "image.repository = 'acme/x'",
        "image.tag = '1.0.0+build'",
        "plugin.name = 'Header_Auth.v2-x'",
        "plugin.version = '1.0.0-rc.1+build.5'",
        "build.env = {'X-y.z' = 'A=B'}",
    ],
)
def test_a_value_that_can_be_is_taken(tmp_path: Path, text: str) -> None:
    settings_of(tmp_path, text)


@pytest.mark.parametrize(
    ("text", "said", "hint"),
    [
        ("[image]\ntags = 'x'", "line 2: unknown key `tags` in `[image]`", "did you mean `tag`?"),
        ("[imgae]\ntag = 'x'", "line 1: unknown key `imgae`", "did you mean `image`?"),
        ("[plugin]\nconfig_file = 'x'", "unknown key `config_file`", "did you mean `config-file`?"),
        ("requiredversion = '1'", "unknown key `requiredversion`", "did you mean `required-ver"),
        ("name = 'x'", "line 1: unknown key `name`", "`name` belongs to `[plugin]`"),
        ("[build]\nrepository = 'x'", "`repository` in `[build]`", "belongs to `[image]`"),
        ("[run]\nzzz = 1", "unknown key `zzz` in `[run]`", "known here: port, upstream"),
        ("zzz = 1", "unknown key `zzz`", "known here: build, deploy, image, plugin, required-ver"),
        ('"image.tag" = "x"', "line 1: unknown key `image.tag`", "`image`?"),
        ("image.\"a.b\" = 'x'", "line 1: unknown key `a.b` in `[image]`", "known here"),
        ("[build]\nenv-x.y = 1", "line 2: unknown key `env-x` in `[build]`", "did you mean `env`"),
    ],
)
def test_an_unknown_key_is_told_with_its_line_and_what_was_meant(
    tmp_path: Path, text: str, said: str, hint: str
) -> None:
    message, advice = refusal(tmp_path, text)
    assert said in message
    assert hint in str(advice)


@pytest.mark.parametrize(
    "text",
    [
        "image.tag = 'x'",
        "image.tag = 1",
        "plugin.config = {a = [1, 'x', {b = 1.5}]}",
        "plugin.config = 'x'",
        "plugin.config = 1",
        "plugin.targets = ['a', 1]",
        "plugin.targets = []",
        "build.toolchain = 'go'",
        "build.toolchain = 'x'",
        "build.env = {A = 'x'}",
        "build.env = {A = 1}",
        "run.port = 1",
        "run.port = 0",
        "run.port = 65536",
        "image.repository = 'ghcr.io/acme/{name}'",
        "image.repository = 'https://ghcr.io/acme/x'",
        "image.repository = 'ghcr.io/{names}/x'",
        "image.tag = '-x'",
        "plugin.name = 'a b'",
        "plugin.version = '1 0'",
        "build.env = {'' = 'x'}",
        "build.env = {'A=B' = 'x'}",
        "run.port = '1'",
        "run.port = true",
        "deploy.target-refs = [{a = 'x'}]",
        "deploy.target-refs = [{a = 1}]",
        "deploy.selector = []",
        "image.tagg = 'x'",
        "nonsense = 1",
        "required-version = 1",
        "plugin = 1",
        "[workspace]\nmembers = ['a*']\nexclude = ['ab']",
    ],
)
def test_the_schema_says_the_same(tmp_path: Path, text: str) -> None:
    path = tmp_path / "wasmctl.toml"
    path.write_text(text)
    file = read_toml(path)
    assert file is not None
    by_schema = schema()
    try:
        file_layer(path)
    except UsageError:
        assert not by_schema.is_valid(file.document)
    else:
        by_schema.validate(file.document)


def test_the_strongest_layer_wins_key_by_key(tmp_path: Path) -> None:
    write_files(
        tmp_path,
        {
            "wasmctl.toml": "image = {tag = 'file', repository = 'file'}\nbuild.profile = 'file'",
            "home/.config/wasmctl/config.toml": "[image]\ntag = 'user'\nformat = 'docker'",
        },
    )
    env = {
        "HOME": str(tmp_path / "home"),
        "WASMCTL_IMAGE_TAG": "variable",
        "WASMCTL_BUILD_PROFILE": "variable",
    }
    merged = merge(
        [
            flag_layer({"image.tag": "flag", "build.target": None}),
            *environment_layer(env),
            file_layer(tmp_path / "wasmctl.toml"),
            user_layer(env),
        ]
    )
    image = merged.settings.image
    assert (image.tag, image.repository, image.format) == ("flag", "file", "docker")
    assert merged.settings.build.profile == "variable"
    assert merged.origins == {
        "image.tag": "flag",
        "build.profile": "WASMCTL_BUILD_PROFILE",
        "image.repository": str(tmp_path / "wasmctl.toml"),
        "image.format": str(tmp_path / "home/.config/wasmctl/config.toml"),
    }


def test_variables_are_texts_numbers_and_lists() -> None:
    env = {
        "WASMCTL_PLUGIN_TARGETS": "istio-1.27, gcp,",
        "WASMCTL_RUN_PORT": "18001",
        "WASMCTL_DEPLOY_PRIORITY": "-1",
        "WASMCTL_BUILD_TOOLCHAIN": "go",
        "WASMCTL_PLUGIN_CONFIG": '{"a": 1}',
        "WASMCTL_DEPLOY_FAIL_STRATEGY": "FAIL_OPEN",
        "WASMCTL_IMAGE_TAG": "",
    }
    settings = merge(environment_layer(env)).settings
    assert settings.plugin.targets == ("istio-1.27", "gcp")
    assert (settings.run.port, settings.deploy.priority) == (18001, -1)
    assert settings.build.toolchain == "go"
    assert settings.plugin.config == '{"a": 1}'
    assert settings.deploy.fail_strategy == "FAIL_OPEN"
    # As a pipeline leaves it that has nothing to say.
    assert settings.image.tag is None


@pytest.mark.parametrize(
    ("variable", "text", "said"),
    [
        ("WASMCTL_RUN_PORT", "99999", "`run.port` must be a port, 1 to 65535, not `99999`"),
        ("WASMCTL_RUN_PORT", "http", '`run.port` must be a whole number, not `"http"`'),
        ("WASMCTL_IMAGE_FORMAT", "oic", "`image.format` must be one of `oci`, `docker` or"),
    ],
)
def test_a_variable_of_the_wrong_kind_is_named(variable: str, text: str, said: str) -> None:
    with pytest.raises(UsageError, match=re.escape(f"`{variable}`: {said}")):
        environment_layer({variable: text})


def test_a_variable_that_was_meant_otherwise_is_warned_of() -> None:
    env = {"WASMCTL_IMAGE_TAGS": "x", "WASMCTL_WRAPPER": "x", "WASMCTL_GO": "x", "IMAGE_TAG": "x"}
    assert [*unknown_variables(env)] == [
        "`WASMCTL_IMAGE_TAGS` is not a variable of wasmctl; did you mean `WASMCTL_IMAGE_TAG`?"
    ]
