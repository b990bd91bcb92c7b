"""TLS as `tensorflow_model_server --ssl_config_file` has it, of gRPC, and here of REST too. Imports no TensorFlow.

The file holds keys and certificates themselves, in protobuf's text form: `server_key`, `server_cert` and `custom_ca` in
PEM, and `client_verify`, which demands a client's certificate that `custom_ca` has signed.
"""

from __future__ import annotations

import ssl
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from nmt.serving.text_protos import BOOL, STRING, new_message, read_text_proto

if TYPE_CHECKING:
    import grpc

_FIELDS = {"server_key": STRING, "server_cert": STRING, "custom_ca": STRING, "client_verify": BOOL}


class Tls(NamedTuple):
    """What a server proves to be, and what it demands of clients; all but the last in PEM."""

    server_key: str
    server_cert: str
    custom_ca: str = ""
    client_verify: bool = False

    def of_http(self) -> ssl.SSLContext:
        """Raises ValueError where the key or a certificate is none."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        with tempfile.TemporaryDirectory() as folder:  # which only its owner can read
            file = Path(folder) / "server.pem"
            file.write_text(f"{self.server_key}\n{self.server_cert}\n", encoding="utf-8")
            try:
                context.load_cert_chain(file)
                if self.custom_ca:
                    context.load_verify_locations(cadata=self.custom_ca)
            except ssl.SSLError as error:
                raise ValueError(f"server_key, server_cert or custom_ca is not valid PEM: {error}") from None
        if self.client_verify:
            context.verify_mode = ssl.CERT_REQUIRED
        return context

    def of_grpc(self) -> grpc.ServerCredentials:
        import grpc

        return grpc.ssl_server_credentials(
            [(self.server_key.encode(), self.server_cert.encode())],
            root_certificates=self.custom_ca.encode() or None,
            require_client_auth=self.client_verify,
        )


def read_tls(path: str | Path) -> Tls:
    """Reads an SSLConfig.

    Raises: ValueError with the file's name, and the line where protobuf tells it.
    """
    config = read_text_proto(path, new_message("SSLConfig", _FIELDS))
    tls = Tls(**{name: getattr(config, name) for name in _FIELDS})
    if not tls.server_key or not tls.server_cert:
        raise ValueError(f"{path}: server_key and server_cert were expected, both with their PEM text")
    if tls.client_verify and not tls.custom_ca:
        raise ValueError(f"{path}: client_verify needs custom_ca, the certificate that signs those of clients")
    try:
        tls.of_http()
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None
    return tls
