"""Whom we believe over TLS: authorities of the system, the environment, and one given by hand."""

from __future__ import annotations

import ssl
from pathlib import Path

import certifi
import urllib3

from wasmctl.errors import UsageError
from wasmctl.oci.options import RegistryOptions

__all__ = ["make_context"]


def make_context(options: RegistryOptions) -> ssl.SSLContext:
    """Return the context of all connections of one transport.

    SSL_CERT_FILE and the like take the place of the system's store, as for OpenSSL, Go and
    requests; `ca_file` is believed besides.

    Raises:
        UsageError: `bad-ca-file`.
    """
    if options.insecure_skip_tls_verify:
        # Whoever asked for it needs no warning at each connection.
        urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        return context
    env = options.env
    bundle = env.get("SSL_CERT_FILE") or env.get("REQUESTS_CA_BUNDLE") or env.get("CURL_CA_BUNDLE")
    if bundle:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        _load(context, Path(bundle))
    else:
        context = ssl.create_default_context()
        # A Python from python.org on macOS sees no store of the system's.
        context.load_verify_locations(certifi.where())
    if options.ca_file is not None:
        _load(context, options.ca_file)
    return context


def _load(context: ssl.SSLContext, path: Path) -> None:
    try:
        if path.is_dir():
            context.load_verify_locations(capath=path)
        else:
            context.load_verify_locations(cafile=path)
    except (OSError, ssl.SSLError) as error:
        none = isinstance(error, ssl.SSLError)
        reason = "it holds no PEM certificate" if none else error.strerror
        raise UsageError(
            "bad-ca-file",
            f"the authorities in `{path}` cannot be read: {reason}",
            hint="name a PEM file (`-----BEGIN CERTIFICATE-----`)",
        ) from error
