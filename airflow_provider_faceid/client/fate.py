"""What became of a request that got no answer: never sent, refused on the way, or unknown.

The text of a transport's own error is never passed on: it may hold the request.
"""

from __future__ import annotations

from ..exceptions import ConfigurationError, NotSentError, UncertainError


def never_sent(action: str, detail: str) -> NotSentError:
    """Return the error for a request that did not leave this machine."""
    return NotSentError(
        f"{action}: the Endpoint cannot be reached ({detail}). Check the connection's Endpoint, "
        "DNS, firewall and proxy; nothing was sent"
    )


def tls_refused(action: str, detail: str) -> ConfigurationError:
    """Return the error for an endpoint whose certificate is not trusted."""
    return ConfigurationError(
        f"{action}: the Endpoint's TLS certificate or handshake is refused ({detail}). Check the "
        "connection's Endpoint, or the certificates this machine trusts; nothing was sent"
    )


def no_address(action: str, detail: str) -> ConfigurationError:
    """Return the error for an endpoint that is no address at all."""
    return ConfigurationError(
        f"{action}: the connection's Endpoint, or its proxy, is no address ({detail})"
    )


def no_answer(action: str, detail: str) -> UncertainError:
    """Return the error for a request that was sent and not answered."""
    return UncertainError(
        f"{action}: no complete answer ({detail}). The call may have been processed"
    )
