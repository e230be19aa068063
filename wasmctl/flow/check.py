"""The stretch of `check`: projects, files and images → what is wrong with them, and who takes them.

A module is read where it lies. How something that a target lacks came into it is looked for only
where there is such a thing.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from wasmctl.console import shown_size
from wasmctl.errors import RegistryError, Unreadable, UsageError
from wasmctl.hosts.check import check_module
from wasmctl.hosts.targets import Target, find_targets
from wasmctl.hosts.verdict import Checked, verdicts
from wasmctl.wasm.info import ModuleInfo
from wasmctl.wasm.reader import open_module, read_module

if TYPE_CHECKING:
    from collections.abc import Mapping
    from mmap import mmap

    from wasmctl.hosts.finding import Finding
    from wasmctl.oci.options import RegistryOptions
    from wasmctl.session import Session
    from wasmctl.wasm.blame import Blame

__all__ = ["check_file", "check_image_named", "module_facts", "refuse_missing_file"]

# What compilers call themselves in `producers`, best first.
_COMPILERS: Final = ("rustc", "TinyGo", "Go cmd/compile", "clang")


def check_file(
    path: Path, targets: Sequence[Target], *, subject: str, explained: bool = True
) -> Checked:
    """Say what is wrong with a module's file for these targets, and who loads it.

    Args:
        path: the module.
        targets: whose verdicts are wanted.
        subject: what the module is called.
        explained: whether it is looked for how what they lack came into it.

    Raises:
        Unreadable: it is no module.
        OSError: it cannot be read.
    """
    with open_module(path) as data:
        info = read_module(data, subject)
        findings = check_module(data, info, targets)
        if explained and any(_imported(finding, info) is not None for finding in findings):
            blames = _blames(findings, path, data, info)
            findings = tuple(replace(one, blame=blames.get(one.where)) for one in findings)
    return Checked(
        subject=subject,
        facts=module_facts(info),
        findings=findings,
        verdicts=verdicts([target.name for target in targets], findings),
    )


def refuse_missing_file(place: str, path: Path) -> None:
    """Refuse what is written as a file's path, and no image's reference, where it is not there.

    Raises:
        UsageError: it is so.
    """
    written = place.startswith((".", "/", "~")) or path.suffix in {".wasm", ".tar"}
    if written and not path.exists():
        raise UsageError("no-such-file", f"`{place}` does not exist", hint="correct the path")


def module_facts(info: ModuleInfo) -> str:
    """Return in a few words what a module is: `2.7 MB, ABI 0.2.0, Go cmd/compile go1.26`."""
    tools = info.producers.get("processed-by", {})
    # Behind rustc's version stands its commit.
    compiler = next(
        (f"{name} {tools[name].partition(' ')[0]}" for name in _COMPILERS if name in tools), ""
    )
    abi = f"ABI {info.abi_versions[0]}" if info.abi_versions else ""
    return ", ".join(filter(None, (shown_size(info.size), abi, compiler)))


def check_image_named(
    name: str,
    targets: Sequence[str],
    *,
    session: Session,
    options: RegistryOptions,
    pull_secret: Path | None = None,
) -> tuple[Checked, ...]:
    """Say what is wrong with an image, and with the module in it.

    Args:
        name: a REF, or the path of an OCI layout or of an archive of one.
        targets: names of those that have to take it; none: all that there are.
        session: the world.
        options: how a registry is reached.
        pull_secret: a cluster's, whose credentials alone are shown.

    Raises:
        Refused: the pull secret has no credentials for the registry.
        UsageError: the name is none, or a target's is not known.
        Unreadable: it is no image at all.
        RegistryError: the registry cannot be reached or refuses.
    """
    from wasmctl.consumers.consumer import CONSUMERS, find_consumer
    from wasmctl.consumers.examine import examine_image
    from wasmctl.flow.pull_secret import told_of_pull_secret, with_pull_secret

    wanted = find_targets(targets)
    readers = [one for one in map(find_consumer, [target.name for target in wanted]) if one]
    consumers = (readers or list(CONSUMERS)) if targets else list(CONSUMERS)
    with tempfile.TemporaryDirectory(prefix="wasmctl-", dir=session.env.get("TMPDIR")) as scratch:
        blobs, keys = Path(scratch, "blobs"), Path(scratch, "keys")
        blobs.mkdir()
        if pull_secret is not None:
            keys.mkdir()
            options = with_pull_secret(options, pull_secret, name=name, scratch=keys)
        try:
            with session.console.waiting(f"looking at {name}"):
                seen = examine_image(
                    name, folder=session.cwd, options=options, scratch=blobs, consumers=consumers
                )
        except RegistryError as error:
            if pull_secret is None:
                raise
            raise told_of_pull_secret(error, pull_secret, scratch=keys) from error
        for line in seen.assumed:
            session.console.say(line)
        image = Checked(
            subject=seen.view.name,
            facts=_image_facts(seen.view.image_digest or seen.view.digest, seen.unpacked),
            findings=seen.report.findings,
            verdicts=seen.report.verdicts,
        )
        if seen.module is None:
            return (image,)
        try:
            module = check_file(seen.module, wanted, subject=f"the module in {seen.view.name}")
        except Unreadable as error:
            session.console.warn(error.message)
            return (image,)
    return (image, module)


def _image_facts(digest: str, unpacked: object) -> str:
    layout = getattr(unpacked, "format", "")
    return ", ".join(filter(None, (layout, digest)))


def _imported(finding: Finding, info: ModuleInfo) -> int | None:
    """Return the index of the imported function that a finding is about."""
    if not finding.id.startswith("import"):
        return None  # of a call at the start, the way from a callback tells nothing
    for index, one in enumerate(info.imported_functions):
        if str(one) == finding.where:
            return index
    return None


def _blames(
    findings: Iterable[Finding], path: Path, data: mmap, info: ModuleInfo
) -> Mapping[str, Blame]:
    """Return how the imports that findings are about came into the module, as far as it tells."""
    from wasmctl.wasm.blame import find_blame
    from wasmctl.wasm.graph import Graph
    from wasmctl.wasm.program import Program
    from wasmctl.wasm.twin import open_twin

    wheres = {one.where: _imported(one, info) for one in findings}
    with open_twin(path, data, info) as twin:
        graph = Graph(Program(data=data, info=info, twin=twin))
        try:
            return {
                where: find_blame(graph, index)
                for where, index in wheres.items()
                if index is not None
            }
        except Unreadable:
            return {}  # its code is broken: nothing is known of calls
