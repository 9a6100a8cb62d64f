"""Certificates and a kubeconfig for an API server that runs alone, for development and tests."""

from __future__ import annotations

import base64
import json
from pathlib import Path

from mamekube.apiserver.server import ApiServerConfig


def prepare(directory: Path, *, address: str, port: int) -> ApiServerConfig:
    """Make what is missing in `directory`, and the configuration that uses it."""
    if not (directory / "admin.crt").exists():
        from mamekube.apiserver import development_certificates

        development_certificates.create(directory, address)
    config = ApiServerConfig(
        address=address,
        port=port,
        certificate_file=str(directory / "server.crt"),
        key_file=str(directory / "server.key"),
        client_ca_file=str(directory / "ca.crt"),
        service_account_key_file=str(directory / "sa.key"),
        advertise_address=address,
        token_file=str(directory / "tokens.csv"),
    )
    if port:
        write_kubeconfig(directory, server=f"https://{address}:{port}")
    return config


def write_kubeconfig(directory: Path, *, server: str) -> Path:
    """A kubeconfig of the administrator."""

    def data(name: str) -> str:
        return base64.b64encode((directory / name).read_bytes()).decode()

    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [
            {"name": "mamekube", "cluster": {"server": server, "certificate-authority-data": data("ca.crt")}}
        ],
        "users": [
            {
                "name": "admin",
                "user": {"client-certificate-data": data("admin.crt"), "client-key-data": data("admin.key")},
            }
        ],
        "contexts": [{"name": "mamekube", "context": {"cluster": "mamekube", "user": "admin"}}],
        "current-context": "mamekube",
    }
    path = directory / "kubeconfig"
    path.touch(mode=0o600)
    path.write_text(json.dumps(config))
    return path
