"""Field encryption of one client: what its connection says about it, as a function of requests."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Protocol

from ..clock import SYSTEM_CLOCK, Clock
from ..exceptions import ConfigurationError

NONE, KMS = "none", "KMS"
"""Values of the field ``encryption`` that are no algorithm of :mod:`..api.encryption.ciphers`."""

KEY_FIELDS = frozenset({"encryption_public_key", "kms_secret", "kms_ciphertext_blob"})
"""Fields that are about how to encrypt."""


class EncryptionSettings(Protocol):
    """The part of a connection's settings that is about field encryption."""

    @property
    def conn_id(self) -> str:
        """Return the Airflow connection, named in error messages."""

    @property
    def encryption(self) -> str:
        """Return an algorithm, :data:`KMS` or :data:`NONE`."""

    @property
    def encryption_public_key(self) -> str:
        """Return the service's public key, the published one if empty."""

    @property
    def kms_secret(self) -> str:
        """Return a data key of KMS, in Base64."""

    @property
    def kms_ciphertext_blob(self) -> str:
        """Return the same, encrypted for the service."""


Encrypt = Callable[[Mapping[str, object]], Mapping[str, object]]
"""Returns request fields as they are sent; anew for every request."""


def encrypt_of(settings: EncryptionSettings, clock: Clock = SYSTEM_CLOCK) -> Encrypt | None:
    """
    Return what encrypts the requests of one client, None if they go unencrypted.

    Threads may share it. It holds a key that serves many requests, so one is made for each client.

    :param clock: what a key's age is measured with.
    :raises ConfigurationError: a field of the connection cannot be used; it is named.
    """
    if settings.encryption == NONE:
        return None
    # Only who encrypts pays for reading cryptography: as much as for all the rest of a client.
    from ..api.encryption import Encrypter, KmsEncrypter, encrypt_request  # noqa: PLC0415

    if settings.encryption == KMS:
        blob = settings.kms_ciphertext_blob
        with _named(settings.conn_id, "kms_secret" if blob else "kms_ciphertext_blob"):
            return partial(encrypt_request, KmsEncrypter(settings.kms_secret, blob))
    with _named(settings.conn_id, "encryption"):
        encrypter = Encrypter(settings.encryption, clock=clock)
    if settings.encryption_public_key:
        with _named(settings.conn_id, "encryption_public_key"):
            encrypter = Encrypter(settings.encryption, settings.encryption_public_key, clock=clock)
    return partial(encrypt_request, encrypter)


def refuse_keys_without_use(conn_id: str, given: Mapping[str, object]) -> None:
    """
    Refuse a connection with a key but no word about encryption, rather than send in the clear.

    :param given: the fields of its Extra that are not empty.
    :raises ConfigurationError: that is the case.
    """
    if "encryption" not in given and (keys := sorted(KEY_FIELDS & given.keys())):
        raise ConfigurationError(
            f"Connection '{conn_id}': extra field 'encryption' must be filled, as "
            f"'{keys[0]}' is; 'none' leaves it unused"
        )


@contextmanager
def _named(conn_id: str, name: str) -> Iterator[None]:
    """Say in which field of which connection a fault is."""
    try:
        yield
    except ConfigurationError as error:
        message = f"Connection '{conn_id}': extra field '{name}': {error}"
        raise ConfigurationError(message) from None
