"""Ask from outside whether the platform can start on a port and whether it serves there."""

import http.client
import os
import socket


def port_problem(port: int) -> str | None:
    """Return why nothing can listen on a local port, or None when it is free."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            return f"port {port} is not free ({error.strerror}): set PORT to another one"
    return None


def readiness_problem(port: int) -> str | None:
    """Return what the platform says instead of being ready, or None when it is ready."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
    try:
        connection.request("GET", "/readyz", headers={"Host": _host()})
        response = connection.getresponse()
        body = response.read(400).decode(errors="replace")
    except (OSError, http.client.HTTPException) as error:
        return f"no answer ({error})"
    finally:
        connection.close()
    return None if response.status == http.HTTPStatus.OK else f"{response.status} {body}"


def _host() -> str:
    """Return a name that the platform answers to: in production it knows only its own."""
    return next((name.lstrip(".") for name in os.environ.get("ALLOWED_HOSTS", "").split(",") if name), "127.0.0.1")
