"""Pieces of a transfer at once."""

from __future__ import annotations

import threading
import time
from functools import partial

import pytest

from wasmctl.oci.parallel import THREADS, in_parallel


def test_results_keep_their_order() -> None:
    def late(number: int) -> int:
        time.sleep(0.02 * (5 - number))
        return number

    jobs = [partial(late, number) for number in range(5)]
    assert in_parallel(jobs, stopped=threading.Event()) == [0, 1, 2, 3, 4]


def test_no_jobs() -> None:
    assert in_parallel([], stopped=threading.Event()) == []


def test_no_more_threads_than_a_registry_bears() -> None:
    running: list[int] = []
    most: list[int] = []

    def job() -> None:
        running.append(1)
        most.append(len(running))
        time.sleep(0.01)
        running.pop()

    in_parallel([job] * 20, stopped=threading.Event())
    assert max(most) <= THREADS


def test_the_first_failure_is_raised_and_the_rest_not_begun() -> None:
    begun: list[int] = []
    stopped = threading.Event()

    def job(number: int) -> None:
        begun.append(number)
        if number == 0:
            raise ValueError("first")
        stopped.wait(2)

    with pytest.raises(ValueError, match="first"):
        in_parallel([partial(job, number) for number in range(50)], stopped=stopped)
    assert stopped.is_set()
    assert len(begun) <= THREADS


def test_an_end_from_outside_reaches_the_caller_and_no_thread_prints_it() -> None:
    """What stops every child raises KeyboardInterrupt in the thread that waits for one."""

    def stopped_child() -> None:
        raise KeyboardInterrupt

    # A thread's own traceback would be an error here: pytest turns it into a warning.
    with pytest.raises(KeyboardInterrupt):
        in_parallel([stopped_child, stopped_child], stopped=threading.Event())
