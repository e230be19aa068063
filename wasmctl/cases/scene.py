"""What stands around the proxy: the upstream, and a server for each cluster that is called.

Owns the servers of one case file. They answer what the case at hand declares and note what they
received. Knows nothing of Envoy but the names of its clusters.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from functools import partial

from wasmctl.cases.groups import UPSTREAM, UPSTREAM_HTTP2, UPSTREAM_TCP, singles_of
from wasmctl.cases.model import Callouts, Case, Reply, Single
from wasmctl.cases.results import Difference
from wasmctl.envoy.bootstrap import Cluster
from wasmctl.wire import messages
from wasmctl.wire.grpc import GrpcStatus, grpc_reply
from wasmctl.wire.messages import Received
from wasmctl.wire.server import serve
from wasmctl.wire.tcp import Listening, Stream, listen

__all__ = ["Scene", "set_scene", "wire_reply"]

_HOST = "127.0.0.1"
_UNDECLARED = messages.Reply(status=501, body=(b"wasmctl: the case declares no answer for this\n",))


class Scene:
    """The servers around a proxy; made by `set_scene`.

    Args of the case at hand, all of them new with each `begin`:
        upstream: what the upstream received, in order.
        callouts: the same of each cluster.
        undeclared: requests that the case declares no answer for.
    """

    def __init__(self) -> None:
        self.clusters: list[Cluster] = []
        self.upstream: list[Received] = []
        self.callouts: dict[str, list[Received]] = {}
        self.undeclared: list[Difference] = []
        self._singles: list[Single] = []
        self._replies: dict[str, list[tuple[str, str, Reply]]] = {}
        self._upstream_reply = Reply()
        self._accepted: asyncio.Queue[Stream] = asyncio.Queue()

    def begin(self, case: Case) -> None:
        """Answer what `case` declares, and forget what was received before."""
        self.upstream, self.undeclared, self._singles = [], [], []
        self.callouts = {cluster: [] for cluster in self.callouts}
        self._upstream_reply = case.upstream
        self._declare(case.callouts)
        self.close()

    def expect(self, singles: Sequence[Single]) -> None:
        """Answer what a step declares: one request, or several sent at once."""
        self._singles = list(singles)
        self._upstream_reply = singles[0].upstream
        self._declare([callouts for single in singles for callouts in single.callouts])

    async def accepted(self) -> Stream:
        """Return the upstream's end of the next TCP connection."""
        return await self._accepted.get()

    def _declare(self, declared: Sequence[Callouts]) -> None:
        self._replies = {}
        for callouts in declared:
            self._replies.setdefault(callouts.cluster, []).extend(callouts.replies)

    async def answer_upstream(self, received: Received) -> messages.Reply:
        """Answer as the upstream."""
        self.upstream.append(received)
        return wire_reply(self._reply_for(received))

    def _reply_for(self, received: Received) -> Reply:
        """Return the answer of the request it most likely is, of those sent at once."""
        singles = self._singles
        for single in singles:
            if (single.request.method, single.request.path) == (received.method, received.path):
                if len(singles) > 1:
                    singles.remove(single)
                return single.upstream
        return singles[0].upstream if singles else self._upstream_reply

    async def answer_callout(self, cluster: str, received: Received) -> messages.Reply:
        """Answer as a cluster that the plug-in calls."""
        self.callouts[cluster].append(received)
        bare = received.path.partition("?")[0]
        declared = self._replies.get(cluster, ())
        for path in (received.path, bare):
            for method, route, reply in declared:
                if (method, route) == (received.method, path):
                    return wire_reply(reply)
        self.undeclared.append(_undeclared(cluster, received.method, bare))
        return _UNDECLARED

    async def accept(self, listening: Listening) -> None:
        """Take TCP connections for as long as nobody cancels it."""
        while True:
            self._accepted.put_nowait(await listening.accept())

    def close(self) -> None:
        """Close the TCP connections that nobody took."""
        while not self._accepted.empty():
            self._accepted.get_nowait().close()


def _undeclared(cluster: str, method: str, path: str) -> Difference:
    return Difference(
        where=f"callouts.{cluster}",
        expected="calls that the case declares an answer for",
        got=f"`{method} {path}`; declare it: `callouts: {{{cluster}: "
        f"{{{method} {path}: {{status: 200}}}}}}`",
    )


def wire_reply(reply: Reply) -> messages.Reply:
    """Return a declared answer as it is sent."""
    if reply.grpc is not None:
        grpc = grpc_reply(
            status=GrpcStatus[reply.grpc.status],
            message=reply.grpc.message,
            replies=reply.grpc.messages,
            headers=reply.headers,
            delay=reply.delay,
        )
        return grpc if reply.fail is None else messages.Reply(fail=reply.fail, delay=reply.delay)
    return messages.Reply(
        status=reply.status,
        headers=reply.headers,
        body=reply.body,
        trailers=reply.trailers,
        delay=reply.delay,
        fail=reply.fail,
    )


@contextlib.asynccontextmanager
async def set_scene(cases: Sequence[Case]) -> AsyncIterator[Scene]:
    """Run the servers that the cases need for as long as the block lasts.

    Raises:
        OSError: no port is left.
    """
    scene = Scene()
    async with contextlib.AsyncExitStack() as stack:
        upstream = await stack.enter_async_context(serve(scene.answer_upstream))
        scene.clusters += [
            Cluster(name=UPSTREAM, host=_HOST, port=upstream.port),
            Cluster(name=UPSTREAM_HTTP2, host=_HOST, port=upstream.port, http2=True),
        ]
        for cluster, http2 in _called(cases).items():
            scene.callouts[cluster] = []
            answer = partial(scene.answer_callout, cluster)
            server = await stack.enter_async_context(serve(answer))
            scene.clusters.append(Cluster(name=cluster, host=_HOST, port=server.port, http2=http2))
        if any(case.tcp for case in cases):
            listening = await stack.enter_async_context(listen())
            scene.clusters.append(Cluster(name=UPSTREAM_TCP, host=_HOST, port=listening.port))
            accepting = asyncio.create_task(scene.accept(listening))
            stack.push_async_callback(asyncio.wait, [accepting])
            stack.callback(accepting.cancel)
        stack.callback(scene.close)
        yield scene


def _called(cases: Sequence[Case]) -> dict[str, bool]:
    """Return the clusters that are declared, and whether they speak gRPC, so HTTP/2."""
    singles = (single for case in cases for single in singles_of(case))
    places = [case.callouts for case in cases] + [single.callouts for single in singles]
    declared = [callouts for place in places for callouts in place]
    found: dict[str, bool] = {}
    for callouts in declared:
        grpc = any(reply.grpc is not None for _, _, reply in callouts.replies)
        found[callouts.cluster] = found.get(callouts.cluster, False) or grpc
    return found
