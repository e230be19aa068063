"""`wasmctl run` as a process of its own, and clients of what it serves."""

from __future__ import annotations

import http.client
import json
import queue
import signal
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Self

import psutil

from tests.conftest import WASMCTL

__all__ = ["Run", "ask", "running"]

Event = dict[str, object]


class Run:
    """A `wasmctl run --json` that runs; its events are read as they come."""

    def __init__(self, arguments: list[str], *, cwd: Path, env: Mapping[str, str]) -> None:
        self.events: list[Event] = []
        self.err = ""
        self._queue: queue.Queue[Event | None] = queue.Queue()
        self.process = subprocess.Popen(
            [str(WASMCTL), "run", "--json", *arguments],
            cwd=cwd,
            env=dict(env),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        self._readers = [
            threading.Thread(target=self._read_events, daemon=True),
            threading.Thread(target=self._read_talk, daemon=True),
        ]
        for reader in self._readers:
            reader.start()

    def await_event(self, name: str, *, timeout: float = 60, **wanted: object) -> Event:
        """Return the next event of that name with these values; those before it are kept."""
        deadline = time.monotonic() + timeout
        while True:
            try:
                event = self._queue.get(timeout=max(0.01, deadline - time.monotonic()))
            except queue.Empty:
                raise AssertionError(f"no {name} in time: {self.events}\n{self.err}") from None
            if event is None:
                raise AssertionError(f"ended without {name}: {self.events}\n{self.err}")
            self.events.append(event)
            if event.get("event") == name and wanted.items() <= event.items():
                return event

    def listening(self) -> tuple[str, int]:
        """Wait for the plug-in to be served; return host and port."""
        address = str(self.await_event("listening")["address"])
        host, _, port = address.removeprefix("http://").rpartition(":")
        return host, int(port)

    def children(self) -> list[psutil.Process]:
        """Return every process that it has started."""
        return psutil.Process(self.process.pid).children(recursive=True)

    def ended(self, timeout: float = 30) -> tuple[int, Event]:
        """Wait for its end; return the exit code and the last line, the envelope ({}: none)."""
        code = self.process.wait(timeout)
        for reader in self._readers:
            reader.join(5)
        while (event := self._queue.get(timeout=5)) is not None:
            self.events.append(event)
        return code, self.events[-1] if self.events else {}

    def stop(self, number: signal.Signals = signal.SIGINT) -> tuple[int, Event]:
        """Interrupt it as a terminal does, and wait for its end."""
        self.process.send_signal(number)
        return self.ended()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        for reader in self._readers:
            reader.join(5)
        for stream in (self.process.stdout, self.process.stderr):
            if stream is not None:
                stream.close()

    def _read_events(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._queue.put(json.loads(line))
        self._queue.put(None)

    def _read_talk(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.err += line


@contextmanager
def running(*arguments: str | Path, cwd: Path, env: Mapping[str, str]) -> Iterator[Run]:
    """Run `wasmctl run --port 0` with further arguments."""
    with Run(["--port", "0", *map(str, arguments)], cwd=cwd, env=env) as run:
        yield run


def ask(
    place: tuple[str, int],
    path: str = "/",
    headers: Mapping[str, str] | None = None,
    *,
    method: str = "GET",
    body: str | None = None,
) -> tuple[int, str]:
    """Send a request on a connection of its own; return status and body."""
    connection = http.client.HTTPConnection(*place, timeout=20)
    try:
        connection.request(method, path, body=body, headers=dict(headers or {}))
        response = connection.getresponse()
        return response.status, response.read().decode()
    finally:
        connection.close()
