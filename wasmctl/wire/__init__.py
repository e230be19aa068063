"""Bytes on a socket: HTTP/1, HTTP/2 and TCP, as client and as server. Knows no proxy."""
