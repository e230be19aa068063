"""`wasmctl manifest`: write the objects that deploy a plug-in."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from wasmctl.cli.deploy_options import (
    Environment,
    FailStrategy,
    HostEnvironment,
    Match,
    Name,
    Namespace,
    Phase,
    PluginName,
    PluginType,
    Priority,
    PullPolicy,
    PullSecret,
    Selector,
    Sha256,
    TargetRef,
    read_matches,
    read_pairs,
    read_target_refs,
)
from wasmctl.cli.options import CaFile, Insecure, Package, PasswordStdin, PlainHttp, Username
from wasmctl.errors import UsageError
from wasmctl.results import JSONValue, Result
from wasmctl.session import Session

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wasmctl.flow.manifest import Manifest, ManifestRequest
    from wasmctl.flow.subjects import Subject

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add the verb."""

    @app.command(
        epilog="What no flag says is [deploy]'s to say. Nothing is built or pushed, and with a "
        "digest nothing is asked for over the network."
    )
    def manifest(
        ctx: typer.Context,
        folders: Annotated[
            list[Path] | None,
            typer.Argument(metavar="DIR", help="Plug-ins' folders; else the one here or above."),
        ] = None,
        kinds: Annotated[
            list[str] | None,
            typer.Option(
                "--kind",
                metavar="KIND",
                help="wasmplugin (else), trafficextension, envoy or pull-secret; several times.",
            ),
        ] = None,
        image: Annotated[
            str | None,
            typer.Option(
                "--image",
                metavar="REF",
                help="The image, by digest or by a tag that is asked for; else the latest push.",
            ),
        ] = None,
        output: Annotated[
            Path | None,
            typer.Option("--output", metavar="FILE", help="Write it there; else to stdout."),
        ] = None,
        update: Annotated[
            Path | None,
            typer.Option(
                "--update", metavar="FILE", help="Change only the image of the object in this file."
            ),
        ] = None,
        name: Name = None,
        namespace: Namespace = None,
        selector: Selector = None,
        target_refs: TargetRef = None,
        phase: Phase = None,
        priority: Priority = None,
        match: Match = None,
        fail_strategy: FailStrategy = None,
        plugin_type: PluginType = None,
        plugin_name: PluginName = None,
        env: Environment = None,
        host_env: HostEnvironment = None,
        pull_policy: PullPolicy = None,
        pull_secret: PullSecret = None,
        sha256: Sha256 = None,
        config: Annotated[
            str | None,
            typer.Option("--config", metavar="TEXT", help="Its configuration; else [deploy]'s."),
        ] = None,
        config_file: Annotated[
            Path | None,
            typer.Option("--config-file", metavar="FILE", help="The same from a file."),
        ] = None,
        module: Annotated[
            Path | None,
            typer.Option(
                "--module", metavar="FILE", help="envoy: where it finds the module; else dist/."
            ),
        ] = None,
        upstream: Annotated[
            str | None,
            typer.Option(
                "--upstream", metavar="URL", help="envoy: the server behind it; else [run]'s."
            ),
        ] = None,
        port: Annotated[
            int | None,
            typer.Option(
                "--port",
                min=1,
                max=65535,
                help="envoy: where it listens; else [run]'s, else 18000.",
            ),
        ] = None,
        allow_temporary: Annotated[
            bool,
            typer.Option(
                "--allow-temporary", help="pull-secret: take credentials that end by themselves."
            ),
        ] = False,
        package: Package = None,
        username: Username = None,
        password_stdin: PasswordStdin = False,
        plain_http: PlainHttp = None,
        ca_file: CaFile = None,
        insecure: Insecure = False,
    ) -> Result:
        """Write the object that deploys the image, pinned by its digest."""
        from wasmctl.cli.registry import registry_options
        from wasmctl.flow.manifest import ManifestRequest
        from wasmctl.flow.subjects import find_subjects

        session: Session = ctx.obj
        flags = {
            "deploy.name": name,
            "deploy.namespace": namespace,
            "deploy.selector": read_pairs("--selector", selector),
            "deploy.target_refs": read_target_refs(target_refs),
            "deploy.phase": phase,
            "deploy.priority": priority,
            "deploy.match": read_matches(match),
            "deploy.fail_strategy": fail_strategy,
            "deploy.type": plugin_type,
            "deploy.plugin_name": plugin_name,
            "deploy.env": read_pairs("--env", env),
            "deploy.host_env": host_env,
            "deploy.pull_policy": pull_policy,
            "deploy.pull_secret": pull_secret,
            "deploy.sha256": sha256,
            "run.upstream": upstream,
            "run.port": port,
        }
        others = {
            "config": config,
            "config_file": config_file,
            "module": module,
            "allow_temporary": allow_temporary or None,
        }
        _check_flags(config, config_file, output, update)
        request = ManifestRequest(
            kinds=tuple(kinds or ()),
            given=frozenset(
                flag for flag, value in {**flags, **others}.items() if value is not None
            ),
            text=config,
            file=None if config_file is None else Path(session.cwd, config_file),
            options=registry_options(
                session,
                username=username,
                password_stdin=password_stdin,
                plain_http=plain_http,
                ca_file=ca_file,
                insecure=insecure,
            ),
            allow_temporary=allow_temporary,
            module=module,
        )
        places: list[Path | None] = [*folders] if folders else [None]
        subjects = find_subjects(places, session, package=package, flags=flags, image=image)
        if update is not None:
            return _update(subjects, session, request, update)
        return _write(subjects, session, request, output)


def _check_flags(
    config: str | None, config_file: Path | None, output: Path | None, update: Path | None
) -> None:
    for first, second, both in (
        ("--config", "--config-file", config is not None and config_file is not None),
        ("--output", "--update", output is not None and update is not None),
    ):
        if both:
            message = f"both `{first}` and `{second}`"
            raise UsageError("usage", message, hint="leave one of them out")


def _write(
    subjects: Sequence[Subject], session: Session, request: ManifestRequest, output: Path | None
) -> Result:
    from wasmctl.flow.manifest import make_manifests
    from wasmctl.paths import relative, replacing
    from wasmctl.yaml_text import dump_documents

    manifests = make_manifests(subjects, session, request)
    secret = any(manifest.is_secret for manifest in manifests)
    text = dump_documents(manifest.document for manifest in manifests)
    documents = [_data(manifest) for manifest in manifests]
    if output is None:
        if secret and session.console.is_seen:
            # Base64 hides nothing from a shared screen, a recording or a scrollback.
            message = "a Secret is not shown on a terminal, where others may read it"
            hint = "pipe it, `… | kubectl apply -f -`, or write it: `--output FILE`"
            raise UsageError("secret-on-terminal", message, hint=hint)
        return Result(
            data={"manifests": documents, "output": None}, lines=(text.removesuffix("\n"),)
        )
    path = Path(session.cwd, output)
    with replacing(path, mode=0o600 if secret else None) as stream:
        stream.write(text.encode())
    for manifest in manifests:
        session.console.say(f"wrote {manifest.kind} {manifest.name}")
    return Result(
        data={
            # What is in the file is not told twice where it is a secret.
            "manifests": [
                {**document, "object": None} if manifest.is_secret else document
                for manifest, document in zip(manifests, documents, strict=True)
            ],
            "output": str(path),
        },
        lines=(str(relative(path, session.cwd)),),
    )


def _data(manifest: Manifest) -> dict[str, JSONValue]:
    return {
        "kind": manifest.kind,
        "name": manifest.name,
        "namespace": manifest.namespace,
        "image": manifest.image,
        "object": manifest.document,
    }


def _update(
    subjects: Sequence[Subject], session: Session, request: ManifestRequest, file: Path
) -> Result:
    from wasmctl.flow.manifest import plan_update
    from wasmctl.paths import replacing

    if len(subjects) > 1:
        message = f"one `--update` for {len(subjects)} plug-ins"
        raise UsageError("usage", message, hint="update the objects in several runs")
    path = Path(session.cwd, file)
    updated = plan_update(subjects[0], session, request, path=path, shown=str(file))
    if updated.changed:
        with replacing(path) as stream:
            stream.write(updated.text.encode())
        session.console.say(f"updated {updated.shown}, which had `{updated.before}`")
    else:
        session.console.say(f"nothing to change: {updated.shown} has this image already")
    return Result(
        data={
            "updated": updated.changed,
            "path": str(path),
            "object": updated.shown,
            "before": updated.before,
            "url": updated.url,
        },
        lines=(updated.url,),
    )
