"""How other devices reach the page: the address in the local network, and a QR code of it."""

import io
import socket

NOWHERE = ("192.0.2.1", 9)  # an address for documentation (RFC 5737); nothing is sent there


def network_address(host: str) -> str:
    """The name to write into an address for a server on `host`: of one on all addresses that of the network's.

    Where this computer is in no network, its name.
    """
    if host not in ("0.0.0.0", "::"):
        return f"[{host}]" if ":" in host else host
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.connect(NOWHERE)  # of a datagram socket this only asks which way it would go
            return probe.getsockname()[0]
    except OSError:
        return socket.gethostname()


def qr_code(text: str, encoding: str) -> str:
    """For a terminal of that encoding; "" where that has no blocks (Windows' old ones), or segno isn't installed."""
    try:
        import segno
    except ImportError:
        return ""
    out = io.StringIO()
    segno.make(text, error="l").terminal(out=out, compact=True, border=2)
    try:
        out.getvalue().encode(encoding)
    except (UnicodeEncodeError, LookupError):
        return ""
    return out.getvalue()
