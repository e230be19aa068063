"""Several pieces of one transfer at once."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Sequence
from typing import Final, TypeVar

__all__ = ["THREADS", "in_parallel"]

# A registry is not to be flooded, and an image has few parts.
THREADS: Final = 4
T = TypeVar("T")


def in_parallel(jobs: Sequence[Callable[[], T]], *, stopped: threading.Event) -> list[T]:
    """Run jobs in a few threads and return what they returned, in their order.

    The threads are daemons: Ctrl-C leaves at once and does not wait for a slow registry.

    Args:
        jobs: what to do.
        stopped: set when a job fails or the caller is interrupted, for the others to see.

    Raises:
        BaseException: that of the first job, in time, that failed.
    """
    if len(jobs) == 1:
        return [jobs[0]()]
    waiting: queue.SimpleQueue[int] = queue.SimpleQueue()
    for index in range(len(jobs)):
        waiting.put(index)
    results: dict[int, T] = {}
    failures: list[BaseException] = []

    def work() -> None:
        while not stopped.is_set():
            try:
                index = waiting.get_nowait()
            except queue.Empty:
                return
            try:
                results[index] = jobs[index]()
            # Also what tells a thread to stop: nobody else would take it there.
            except BaseException as error:  # noqa: BLE001 - raised again by the caller's thread
                failures.append(error)
                stopped.set()

    threads = [threading.Thread(target=work, daemon=True) for _ in jobs[:THREADS]]
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    except BaseException:
        stopped.set()
        raise
    if failures:
        raise failures[0]
    return [results[index] for index in range(len(jobs))]
