"""Whether a host answers with a certificate of its own: what browsers look at, looked at by us.

Asking is also what makes the web server in front of us fetch one, before the first shopper comes.
"""

import socket
import ssl
from enum import StrEnum

SECONDS = 8.0
PORT = 443


class Seen(StrEnum):
    """What came of it."""

    VALID = "valid"
    MISSING = "missing"
    UNCLEAR = "unclear"


def certificate_of(host: str, address: str, *, port: int = PORT, context: ssl.SSLContext | None = None) -> Seen:
    """Shake hands at one of our own addresses in the name of the host. Raises nothing."""
    try:
        with (
            socket.create_connection((address, port), timeout=SECONDS) as line,
            (context or ssl.create_default_context()).wrap_socket(line, server_hostname=host),
        ):
            return Seen.VALID
    except ssl.SSLError:
        return Seen.MISSING
    except (OSError, ValueError):
        return Seen.UNCLEAR
