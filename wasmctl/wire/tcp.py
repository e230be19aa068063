"""TCP on asyncio: streams that connect, listen, send and receive.

Owns the sockets of this room. Works on sockets instead of asyncio's transports, which drop what
has arrived when a write fails, and with it the answer of a server that closed early.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import fcntl
import itertools
import os
import socket
import struct
import sys
import termios
from collections import deque
from collections.abc import AsyncIterator, Sequence
from typing import Final, Protocol

from wasmctl.wire.messages import Broken

__all__ = ["Channel", "Listening", "Stream", "connect", "listen"]

# What a resolver says of a host: family, kind, protocol, canonical name, address.
_Address = tuple[socket.AddressFamily, socket.SocketKind, int, str, tuple[object, ...]]

_READ_SIZE: Final = 1 << 16
_CONNECTIONS_WAITING: Final = 512
# What a connection may lack for the moment, and seconds before the next try (accept(2)).
_NO_ROOM: Final = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})
_NO_ROOM_PAUSE: Final = 0.05
# How much may wait for the peer before `drained` waits too.
_HIGH_WATER: Final = 1 << 18
# Linux takes at most 1024 buffers at once (IOV_MAX).
_PIECES_AT_ONCE: Final = 64
# Seconds between looks at what the peer has acknowledged; the kernel does not tell by itself.
_ACKNOWLEDGEMENT_POLL: Final = 0.001
# sys/socket.h of macOS: bytes not yet acknowledged.
_SO_NWRITE: Final = 0x1024
_LINGER_NOTHING: Final = struct.pack("ii", 1, 0)


class Channel(Protocol):
    """What the versions of HTTP send over and receive from: a stream, or TLS over one."""

    @property
    def lost(self) -> bool: ...

    async def receive(self) -> bytes: ...

    def write(self, *pieces: bytes | memoryview) -> None: ...

    async def drained(self) -> None: ...


class Stream:
    """A connected socket of the running loop.

    One task at a time receives; `close` and `reset` are for when none does.
    """

    def __init__(self, connected: socket.socket) -> None:
        connected.settimeout(0)
        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket = connected
        self._number = connected.fileno()
        self._loop = asyncio.get_running_loop()
        self._backlog: deque[memoryview] = deque()
        self._waiting = 0
        self._watched = False
        self._moved = asyncio.Event()
        self._ending = False
        self._lost = False

    @property
    def lost(self) -> bool:
        """Whether the peer takes nothing any more."""
        return self._lost

    async def receive(self) -> bytes:
        """Return what has arrived, waiting for the first of it; nothing at the peer's end.

        Raises:
            OSError: the connection was reset.
        """
        return await self._loop.sock_recv(self._socket, _READ_SIZE)

    def write(self, *pieces: bytes | memoryview) -> None:
        """Send, keeping what the peer does not take yet. Never waits, never raises: see `lost`."""
        if self._lost:
            return
        idle = not self._backlog
        for piece in pieces:
            if piece:
                self._backlog.append(memoryview(piece))
                self._waiting += len(piece)
        if idle and self._backlog:
            self._flush()

    async def drained(self) -> None:
        """Wait until the peer has taken all but a little of what was written, or is gone."""
        while self._waiting > _HIGH_WATER:
            await self._moved.wait()

    async def delivered(self) -> None:
        """Wait until all that was written is in the kernel's hands, or the peer is gone."""
        while self._backlog:
            await self._moved.wait()

    async def acknowledged(self) -> None:
        """Wait until the peer's kernel has all that was written, so that a reset drops none."""
        await self.delivered()
        while not self._lost and self._unacknowledged():
            await asyncio.sleep(_ACKNOWLEDGEMENT_POLL)

    def _unacknowledged(self) -> int:
        if sys.platform == "darwin":
            return self._socket.getsockopt(socket.SOL_SOCKET, _SO_NWRITE)
        # SIOCOUTQ of tcp(7) has the number of TIOCOUTQ.
        size = fcntl.ioctl(self._number, termios.TIOCOUTQ, bytes(4))
        return int.from_bytes(size, sys.byteorder)

    def _flush(self) -> None:
        try:
            while self._backlog:
                pieces = itertools.islice(self._backlog, _PIECES_AT_ONCE)
                self._drop(self._socket.sendmsg(list(pieces)))
        except BlockingIOError:
            self._loop.add_writer(self._number, self._flush)
            self._watched = True
        except OSError:
            self._lost = True
            self._backlog.clear()
            self._waiting = 0
        if not self._backlog:
            self._unwatch()
            if self._ending:
                self._shut()
        self._moved.set()
        self._moved.clear()

    def _unwatch(self) -> None:
        if self._watched:
            self._loop.remove_writer(self._number)
            self._watched = False

    def _drop(self, sent: int) -> None:
        self._waiting -= sent
        while sent:
            piece = self._backlog.popleft()
            if sent < len(piece):
                self._backlog.appendleft(piece[sent:])
                return
            sent -= len(piece)

    def end(self) -> None:
        """Say that nothing more will be sent, once all is; receiving goes on."""
        self._ending = True
        if not self._backlog:
            self._shut()

    def _shut(self) -> None:
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        """Close; what the kernel has is still delivered."""
        if self._socket.fileno() >= 0:
            self._unwatch()
            self._loop.remove_reader(self._number)
            self._socket.close()

    def reset(self) -> None:
        """Close with a TCP reset; what is not yet delivered is dropped."""
        with contextlib.suppress(OSError):
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_NOTHING)
        self.close()


class Listening:
    """A socket that waits for connections on `host` and `port`."""

    def __init__(self, listener: socket.socket) -> None:
        self._socket = listener
        self.host: str
        self.port: int
        self.host, self.port = listener.getsockname()

    async def accept(self) -> Stream:
        """Return the next connection, waiting also for the system to have room for it."""
        loop = asyncio.get_running_loop()
        while True:
            try:
                connected, _ = await loop.sock_accept(self._socket)
                return Stream(connected)
            except ConnectionAbortedError:
                continue
            except OSError as error:
                if error.errno not in _NO_ROOM:
                    raise
                await asyncio.sleep(_NO_ROOM_PAUSE)


@contextlib.asynccontextmanager
async def listen(*, host: str = "127.0.0.1", port: int = 0) -> AsyncIterator[Listening]:
    """Listen on an IPv4 address; port 0 is one of the kernel's choice.

    Raises:
        OSError: the port is taken.
    """
    with socket.create_server((host, port), backlog=_CONNECTIONS_WAITING) as listener:
        listener.settimeout(0)
        yield Listening(listener)


async def connect(host: str, port: int) -> Stream:
    """Connect, to the first address of the host that takes the connection.

    Raises:
        Broken: `refused`: nobody listens there, or there is no way to it; `reset`: the peer was
            faster than this call.
    """
    try:
        # `localhost` may be ::1 first, where not all who listen on 127.0.0.1 listen, too.
        *earlier, last = await _resolve(host, port)
        for found in earlier:
            with contextlib.suppress(OSError):
                return Stream(await _connected(found))
        return Stream(await _connected(last))
    except ConnectionResetError:
        raise Broken("reset", "the connection was reset at once") from None
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno and error.errno > 0 else error.strerror
        raise Broken("refused", f"no connection to {host}:{port}: {reason}") from None


async def _connected(found: _Address) -> socket.socket:
    family, kind, protocol, _, address = found
    connecting = socket.socket(family, kind, protocol)
    connecting.settimeout(0)
    try:
        await asyncio.get_running_loop().sock_connect(connecting, address)
    except BaseException:
        connecting.close()
        raise
    return connecting


async def _resolve(host: str, port: int) -> Sequence[_Address]:
    try:
        # Numbers need no resolver, and so no thread.
        return socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
    except socket.gaierror:
        loop = asyncio.get_running_loop()
        return await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
