"""What asks a process to end, at any moment of what asyncio runs in it."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

from tests.conftest import ROOT

BUSY = """
import asyncio, sys
from wasmctl.interruptions import interruptions_held, take_interruptions

async def work(name):
    try:
        while True:
            with interruptions_held():
                sum(range(1000))
            sum(range(1000))
            await asyncio.sleep(0)
    finally:
        print(name)

async def main():
    async with asyncio.TaskGroup() as group:
        for name in "abc":
            group.create_task(work(name))
        await asyncio.sleep(0)
        print("up", flush=True)

take_interruptions()
try:
    asyncio.run(main())
except KeyboardInterrupt:
    print("ended")
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_tasks_are_cancelled_and_no_traceback_is_shown(number: signal.Signals) -> None:
    for _ in range(5):
        program = subprocess.Popen(
            [sys.executable, "-c", BUSY],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert program.stdout is not None
        assert program.stdout.readline() == "up\n"
        program.send_signal(number)
        said, complaints = program.communicate(timeout=30)
        assert (said.split()[-1], sorted(said.split()[:-1])) == ("ended", ["a", "b", "c"])
        assert complaints == ""


PUTS_BACK = """
import sys, time
from wasmctl.interruptions import interrupted_once, take_interruptions

take_interruptions()
try:
    with interrupted_once():
        try:
            print("up", flush=True)
            time.sleep(60)
        finally:
            print("putting back", flush=True)
            end = time.monotonic() + 0.3
            while time.monotonic() < end:
                pass
            print("put back", flush=True)
except KeyboardInterrupt:
    pass
try:
    print("ended", flush=True)
    time.sleep(60)
except KeyboardInterrupt:
    print("again")
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_only_the_first_interrupts_what_has_something_to_put_back(number: signal.Signals) -> None:
    program = subprocess.Popen(
        [sys.executable, "-c", PUTS_BACK],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert program.stdout is not None
    assert program.stdout.readline() == "up\n"
    program.send_signal(number)
    assert program.stdout.readline() == "putting back\n"
    program.send_signal(number)
    program.send_signal(signal.SIGINT)
    assert program.stdout.readline() == "put back\n"
    assert program.stdout.readline() == "ended\n"
    # Afterwards all is as it was.
    program.send_signal(number)
    said, complaints = program.communicate(timeout=30)
    assert (said, complaints) == ("again\n", "")
