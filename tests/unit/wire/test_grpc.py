"""gRPC's own layer over HTTP/2, as its protocol document has it."""

from __future__ import annotations

import pytest

from wasmctl.wire.grpc import GrpcStatus, frame, grpc_reply, grpc_status, unframe
from wasmctl.wire.messages import Headers, Response


def response(headers: Headers, trailers: Headers = ()) -> Response:
    return Response(status=200, headers=headers, body=b"", trailers=trailers, seconds=0)


def test_a_message_has_a_flag_and_its_length_before_it() -> None:
    assert frame(b"abc") == b"\x00\x00\x00\x00\x03abc"


@pytest.mark.parametrize("messages", [(), (b"",), (b"a",), (b"a", b"", b"b" * 70_000)])
def test_framed_messages_come_back(messages: tuple[bytes, ...]) -> None:
    assert unframe(b"".join(map(frame, messages))) == messages


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"\0\0\0", "ends within its gRPC message 1"),
        (frame(b"a") + b"\0\0\0\0\x05ab", "ends within its gRPC message 2"),
        (b"\x01\0\0\0\x01a", "message 1 is compressed"),
    ],
)
def test_a_body_that_is_no_row_of_messages_is_refused(body: bytes, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        unframe(body)


def test_statuses_have_the_numbers_of_grpc() -> None:
    assert GrpcStatus["PERMISSION_DENIED"] == 7
    assert GrpcStatus["UNAUTHENTICATED"] == 16
    assert len(GrpcStatus) == 17


def test_an_answer_without_messages_has_its_status_in_the_head() -> None:
    reply = grpc_reply(status=GrpcStatus.NOT_FOUND, message="no 100% möglich\n")
    assert reply.headers == (
        (b"content-type", b"application/grpc"),
        (b"grpc-status", b"5"),
        (b"grpc-message", b"no 100%25 m%C3%B6glich%0A"),
    )
    assert (reply.body, reply.trailers) == ((), ())


def test_an_answer_with_messages_has_its_status_in_the_trailers() -> None:
    reply = grpc_reply(replies=(b"a", b"b"))
    assert reply.body == (frame(b"a"), frame(b"b"))
    assert reply.trailers == ((b"grpc-status", b"0"),)


@pytest.mark.parametrize("message", ["", "plain", " blanks at both ends ", "ö % \x00", "  "])
def test_a_message_comes_back_as_it_was(message: str) -> None:
    reply = grpc_reply(status=GrpcStatus.ABORTED, message=message)
    assert grpc_status(response(reply.headers)) == (GrpcStatus.ABORTED, message)


def test_the_status_in_the_trailers_counts_before_one_in_the_head() -> None:
    told = response(((b"grpc-status", b"0"),), ((b"grpc-status", b"13"),))
    assert grpc_status(told) == (GrpcStatus.INTERNAL, "")


@pytest.mark.parametrize("number", [b"", b"17", b"x", b"-1"])
def test_a_status_that_grpc_does_not_know_is_none(number: bytes) -> None:
    assert grpc_status(response(((b"grpc-status", number),)))[0] is None
