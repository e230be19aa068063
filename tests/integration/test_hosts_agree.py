"""What is known of hosts, and what check says of modules, held against real Envoys.

A sample of what `python -m tests.measure.hosts` and `python -m tests.measure.agreement` ask.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping, Sequence
from itertools import islice

import pytest

from tests.measure import questions
from tests.measure.agreement import compare
from tests.measure.generated import generated
from tests.measure.prober import Prober, envoy_of, probing
from tests.modules.assembler import Function
from tests.modules.binary import plain
from tests.modules.failing import BOTH
from tests.modules.features import FEATURES
from wasmctl.hosts.host import Host, releases

pytestmark = [pytest.mark.envoy, pytest.mark.parametrize("release", BOTH)]

Question = Callable[[Prober, Host, str], Coroutine[object, object, bool]]


def every(step: int, of: Sequence[str]) -> list[str]:
    return list(islice(of, step // 2, None, step))


def measured(release: str) -> Host:
    host = releases()[release].host
    assert host is not None
    return host


async def has_import(prober: Prober, host: Host, name: str) -> bool:
    found = questions.type_of_import(await prober.ask(questions.import_with(name, "0.2.1")))
    return found == host.imports["0.2.1"].get(name)


async def has_export(prober: Prober, host: Host, name: str) -> bool:
    found = questions.type_of_export(await prober.ask(questions.export_with(name, "0.2.1")))
    return found == host.exports["0.2.1"].get(name)


async def has_feature(prober: Prober, host: Host, name: str) -> bool:
    loaded = (await prober.ask(FEATURES[name])).loaded
    return loaded == (name.partition(":")[0] not in host.lacks)


async def takes_type(prober: Prober, host: Host, name: str) -> bool:
    answer = await prober.ask(plain(functions=[Function("own", f"{name} ->")]))
    return answer.loaded == (name in host.taken)


async def has_size(prober: Prober, host: Host, name: str) -> bool:
    make, _, _ = questions.SIZES[name]
    largest = host.sizes[name]
    allowed = (await prober.ask(make(largest))).loaded
    return allowed and not (await prober.ask(make(largest + 1))).loaded


async def is_callable(prober: Prober, host: Host, name: str) -> bool:
    module = questions.calling(name, "0.2.1", host.imports["0.2.1"][name])
    said = (await prober.ask(module)).words
    return (name in host.at_start) != any("restricted_callback" in words for words in said)


def test_a_host_has_what_was_measured(release: str) -> None:
    host = measured(release)
    sample: Mapping[Question, Sequence[str]] = {
        has_import: every(7, questions.IMPORTS),
        has_export: every(5, questions.CALLBACKS),
        has_feature: every(4, [*FEATURES]),
        takes_type: every(6, questions.TYPES),
        has_size: every(3, [*questions.SIZES]),
        is_callable: every(9, sorted(host.imports["0.2.1"])),
    }

    async def ask() -> list[str]:
        async with probing(envoy_of(release)) as prober:
            return [
                f"{question.__name__} {name}"
                for question, names in sample.items()
                for name in names
                if not await question(prober, host, name)
            ]

    assert asyncio.run(ask()) == []


def test_check_says_what_envoy_says(release: str) -> None:
    modules = generated()
    sample = {name: modules[name] for name in every(len(modules) // 60, [*modules])}
    assert len(sample) >= 60
    found = asyncio.run(compare(release, sample))
    assert [one for one in found if not one.reason] == []
