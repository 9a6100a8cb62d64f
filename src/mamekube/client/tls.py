"""The TLS side of a `ClientConfig`."""

from __future__ import annotations

import os
import ssl

from mamekube.client.kubeconfig import ClientConfig, KubeconfigError


def client_context(config: ClientConfig) -> ssl.SSLContext:
    """Trusts the configured authority, or the machine's where none is; shows the client certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if config.insecure:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    elif config.ca_data:
        try:
            context.load_verify_locations(cadata=config.ca_data.decode())
        except (ssl.SSLError, UnicodeDecodeError):
            raise KubeconfigError(
                "unable to load root certificates: they are no certificates in PEM"
            ) from None
    else:
        context.load_default_certs()
    if config.client_certificate_data and config.client_key_data:
        try:
            load_identity(context, config.client_certificate_data, config.client_key_data)
        except ssl.SSLError as error:
            raise KubeconfigError(f"the client certificate and its key cannot be used: {error}") from None
    return context


def load_identity(context: ssl.SSLContext, certificate: bytes, key: bytes) -> None:
    """Show `certificate`. The ssl module reads keys from files only, so this one is a file in memory."""
    descriptor = os.memfd_create("identity", os.MFD_CLOEXEC)
    try:
        with os.fdopen(descriptor, "wb", closefd=False) as file:
            file.write(certificate + b"\n" + key)
        context.load_cert_chain(f"/proc/self/fd/{descriptor}")
    finally:
        os.close(descriptor)
