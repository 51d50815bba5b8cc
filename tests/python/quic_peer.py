"""A QUIC server and a client that moves bytes from it, on aioquic. They know nothing of the proxy between them.

`quic_peer.py serve` prints its port, and for each connection that ends from how many addresses it came.
`quic_peer.py fetch PORT BYTES` prints how much it got.
"""

import asyncio
import datetime
import ssl
import sys
import tempfile

from aioquic.asyncio import QuicConnectionProtocol, connect, serve
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.events import ConnectionTerminated, StreamDataReceived
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

IDLE_SECONDS = 10


def certificate(configuration):
    """A self-signed one, made anew each time."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    begin = datetime.datetime(2020, 1, 1)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(1).not_valid_before(begin)
    made = builder.not_valid_after(begin + datetime.timedelta(days=36500)).sign(key, hashes.SHA256())
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    with tempfile.NamedTemporaryFile() as certificate_file, tempfile.NamedTemporaryFile() as key_file:
        certificate_file.write(made.public_bytes(serialization.Encoding.PEM))
        key_file.write(pem)
        certificate_file.flush()
        key_file.flush()
        configuration.load_cert_chain(certificate_file.name, key_file.name)


class Server(QuicConnectionProtocol):
    """Sends as many bytes as a stream asks for."""

    def __init__(self, *words, **named):
        super().__init__(*words, **named)
        self.came_from = set()

    def datagram_received(self, data, addr):
        self.came_from.add(addr[:2])
        super().datagram_received(data, addr)

    def quic_event_received(self, event):
        if isinstance(event, StreamDataReceived) and event.end_stream:
            self._quic.send_stream_data(event.stream_id, bytes(int(event.data)), end_stream=True)
            self.transmit()
        if isinstance(event, ConnectionTerminated):
            print(f"came from {len(self.came_from)} addresses: {sorted(self.came_from)}", flush=True)


async def serve_all():
    configuration = QuicConfiguration(is_client=False, idle_timeout=IDLE_SECONDS)
    certificate(configuration)
    server = await serve("127.0.0.1", 0, configuration=configuration, create_protocol=Server)
    print(f"listens on port {server._transport.get_extra_info('sockname')[1]}", flush=True)
    await asyncio.Event().wait()


async def fetch(port, count):
    configuration = QuicConfiguration(verify_mode=ssl.CERT_NONE, idle_timeout=IDLE_SECONDS)
    async with connect("127.0.0.1", port, configuration=configuration) as client:
        reader, writer = await client.create_stream()
        writer.write(str(count).encode())
        writer.write_eof()
        got = len(await reader.read())
        print(f"received {got} bytes", flush=True)


if __name__ == "__main__":
    if sys.argv[1] == "serve":
        asyncio.run(serve_all())
    else:
        asyncio.run(fetch(int(sys.argv[2]), int(sys.argv[3])))
