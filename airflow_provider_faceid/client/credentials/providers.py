"""Credential providers: environment, profile file, CVM instance role, chain; and their selection.

:func:`provider_from_connection` selects one by the connection's fields. The chain is the order of the
official SDK's default.
"""

from __future__ import annotations

import json
import logging
import os
import re
from collections.abc import Mapping
from configparser import ConfigParser, Error
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from ...clock import Clock
from ...exceptions import ConfigurationError, CredentialsError, UnavailableError
from ..connection_schema import VISIBLE, url_of
from . import MAX_BYTES, CredentialProvider, Credentials, IssuedCredentials, key_of, temporary_key
from .sts import DEFAULT_SECONDS, HOST, AssumedRole, HttpOptions, Page, Sts, TkeOidc, ask

VARIABLES = ("TENCENTCLOUD_SECRET_ID", "TENCENTCLOUD_SECRET_KEY", "TENCENTCLOUD_TOKEN")
"""The official SDK reads the first two; of Tencent's tools, only the command line reads the third."""


@dataclass(frozen=True)
class Environment:
    """Credential provider: the environment variables :data:`VARIABLES`."""

    name = "environment"

    def fetch(self, clock: Clock) -> IssuedCredentials:
        """
        Read the variables.

        :raises CredentialsError: one is missing.
        """
        del clock
        key = key_of(self.name, {name: os.environ.get(name) for name in VARIABLES})
        return IssuedCredentials(key, self, account=key.secret_id if key.lasting else "")


FILES = ("~/.tencentcloud/credentials", "/etc/tencentcloud/credentials")
"""The first one that exists is read."""
NAMES = ("secret_id", "secret_key", "token")
"""Options of a section. The official SDK does not read the token."""


@dataclass(frozen=True)
class Profile:
    """
    Credential provider: a section of the credentials file of Tencent's tools (:data:`FILES`).

    :param section: name of the section.
    """

    section: str = "default"

    @property
    def name(self) -> str:
        """Return the provider's name for messages."""
        return f"profile '{self.section}'"

    def fetch(self, clock: Clock) -> IssuedCredentials:
        """
        Read the file.

        :raises CredentialsError: the file, the section or a part of the key is missing.
        """
        del clock
        path, content = self._read()
        where = f"{self.name} of {path}"
        # No section inherits values of another one, and % is an ordinary character.
        parser = ConfigParser(interpolation=None, default_section="")
        try:
            parser.read_string(content.decode())
        except UnicodeDecodeError:
            raise CredentialsError(f"{where}: the file is not UTF-8") from None
        except Error:  # its text would show a line of the file
            raise CredentialsError(f"{where}: the file is no INI file") from None
        if not parser.has_section(self.section):
            raise CredentialsError(f"{where}: the file has no section [{self.section}]")
        section = parser[self.section]
        key = key_of(where, {name: section.get(name) for name in NAMES})
        return IssuedCredentials(key, self, account=key.secret_id if key.lasting else "")

    def _read(self) -> tuple[Path, bytes]:
        paths = [Path(name).expanduser() for name in FILES]
        for path in paths:
            try:
                with path.open("rb") as file:
                    content = file.read(MAX_BYTES + 1)
            except FileNotFoundError:
                continue
            except OSError as error:
                fault = f"the file cannot be read ({error.strerror})"
                raise CredentialsError(f"{self.name} of {path}: {fault}") from None
            if len(content) > MAX_BYTES:
                raise CredentialsError(f"{self.name} of {path}: it has more than {MAX_BYTES} bytes")
            return path, content
        raise CredentialsError(f"{self.name}: there is neither {' nor '.join(map(str, paths))}")


METADATA = "http://metadata.tencentyun.com/latest/meta-data/cam/security-credentials/"
"""The instance metadata service. It is not configurable: another address could inject an account."""
METADATA_OPTIONS = HttpOptions(direct=True, seconds=5.0)
"""Plain HTTP, answered by the instance's own host, and therefore never through a proxy."""

ROLE_NAME = re.compile(r"[\w+=,.@-]{1,128}", re.ASCII)
_SERVER_ERROR = 500


@dataclass(frozen=True)
class InstanceRole:
    """
    Credential provider: the role of the CVM instance, from the instance metadata service.

    :param role: name of the role; the metadata service is asked for it if empty.
    """

    role: str = ""

    @property
    def name(self) -> str:
        """Return the provider's name for messages."""
        return f"cvm_role '{self.role}'" if self.role else "cvm_role"

    def fetch(self, clock: Clock) -> IssuedCredentials:
        """
        Request a key from the metadata service.

        :raises UnavailableError: the service does not answer; a later attempt may succeed.
        :raises CredentialsError: the instance has no such role, or the answer holds no valid key.
        """
        host = urlsplit(METADATA).netloc
        where = f"{self.name}: {host}"
        role = self.role or _text(self._page(where, ""))
        if not ROLE_NAME.fullmatch(role):
            raise CredentialsError(f"{where} answers no name of a role. Bind one to this instance")
        page = self._page(where, role)
        parts = _object(page)
        if (code := parts.get("Code")) != "Success":
            shown = code if isinstance(code, str) and ROLE_NAME.fullmatch(code) else "(no code)"
            raise CredentialsError(f"{where} gives no key of role '{role}': {shown}")
        date = clock.now() if page.date is None else page.date
        key, seconds = temporary_key(where, parts, parts.get("ExpiredTime"), date)
        return IssuedCredentials(key, self, account=f"cvm_role {role}", seconds=seconds)

    def _page(self, where: str, role: str) -> Page:
        try:
            page = ask(METADATA + role, METADATA_OPTIONS)
        except UnavailableError as error:
            raise UnavailableError(
                f"{self.name}: {error}. Only a CVM instance has metadata"
            ) from None
        if page.status >= _SERVER_ERROR:
            raise UnavailableError(f"{where} answers HTTP {page.status}")
        if page.status != 200:  # noqa: PLR2004 - OK; a redirect is not followed
            raise CredentialsError(
                f"{where} answers HTTP {page.status}. Bind a role to this instance"
            )
        return page


def _text(page: Page) -> str:
    return page.body.decode("ascii", "replace").strip()


def _object(page: Page) -> dict[str, object]:
    try:
        found = json.loads(page.body)
    except (ValueError, RecursionError):  # not JSON, or [[[[...
        found = None
    return found if isinstance(found, dict) else {}


log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ProviderChain:
    """
    Credential provider: the first of several providers that has a key.

    Issued credentials name that provider, and the next key comes from it. Asking the whole chain
    again could change the account in the middle of a run, when one provider is briefly unavailable.

    :param providers: the providers, in the order they are asked.
    """

    providers: tuple[CredentialProvider, ...]

    name = "default"

    def fetch(self, clock: Clock) -> IssuedCredentials:
        """
        Return the key of the first provider that has one.

        :raises CredentialsError: no provider has a key; the message holds the cause of each. A
            provider that does not answer counts as one without a key: most hosts are no CVM instance.
        """
        problems: list[CredentialsError | UnavailableError] = []
        for provider in self.providers:
            try:
                issued = provider.fetch(clock)
            except (CredentialsError, UnavailableError) as error:
                problems.append(error)
            else:
                skipped = "; ".join(map(str, problems)) or "none"
                log.info("Credentials from %s. Skipped: %s", provider.name, skipped)
                return issued
        raise CredentialsError("; ".join(map(str, problems)))


STATIC = "static"
USES_STS = ("tke_oidc", "default")
"""Values of the field ``credentials`` that may call STS although no role is to be assumed."""
NAMED = ("profile", "cvm_role")
"""Values of the field ``credentials`` for which ``credentials_name`` has a meaning."""


def provider_from_connection(
    conn_id: str, login: str | None, password: str | None, given: dict[str, Any]
) -> Credentials | CredentialProvider:
    """
    Return the credentials of a connection, or the provider that issues them; fetches nothing.

    :param conn_id: the Airflow connection, named in error messages.
    :param login: the connection's login: SecretId.
    :param password: the connection's password: SecretKey.
    :param given: its extra fields that are not empty. Those about credentials are removed from it.
    :raises ConfigurationError: a field is missing, malformed or unused; it is named.
    """
    kind = given.pop("credentials", STATIC)
    own = {
        "SecretId": login or "",
        "SecretKey": password or "",
        "session_token": given.pop("session_token", ""),
    }
    name = given.pop("credentials_name", "")
    role_arn, external_id = given.pop("role_arn", ""), given.pop("role_external_id", "")
    seconds, endpoint = given.pop("role_duration", None), given.pop("sts_endpoint", "")
    at_sts = role_arn or kind in USES_STS
    unused = {
        **({} if kind == STATIC else own),
        "credentials_name": "" if kind in NAMED else name,
        "role_external_id": "" if role_arn else external_id,
        "role_duration": "" if at_sts else seconds,
        "sts_endpoint": "" if at_sts else endpoint,
    }
    if useless := [field for field, value in unused.items() if value]:
        raise ConfigurationError(
            f"Connection '{conn_id}': {useless[0]} has no use with credentials '{kind}'"
            f"{'' if role_arn else ' and no role_arn'}; empty it, or choose others"
        )
    if kind == "cvm_role" and name and not ROLE_NAME.fullmatch(name):
        raise ConfigurationError(f"Connection '{conn_id}': credentials_name is no name of a role")
    proxies = tuple(sorted(given.get("proxies", {}).items()))
    sts = Sts(
        url_of(conn_id, "extra field 'sts_endpoint'", endpoint, default=HOST),
        HttpOptions(proxies=proxies, verify=given.get("verify", True)),
    )
    seconds = seconds or DEFAULT_SECONDS
    base = _static(conn_id, own) if kind == STATIC else _provider(kind, name, TkeOidc(seconds, sts))
    return AssumedRole(base, role_arn, external_id, seconds, sts) if role_arn else base


def _static(conn_id: str, parts: Mapping[str, str]) -> Credentials:
    for label in ("SecretId", "SecretKey"):
        value = parts[label]
        if not value or not VISIBLE.fullmatch(value):
            fault = "is empty" if not value else "has a space or a character that is not ASCII"
            raise ConfigurationError(f"Connection '{conn_id}': {label} {fault}")
    return Credentials(*parts.values())


def _provider(kind: str, name: str, tke: TkeOidc) -> CredentialProvider:
    providers: dict[str, CredentialProvider] = {
        "environment": Environment(),
        "profile": Profile(name) if name else Profile(),
        "cvm_role": InstanceRole(name),
        "tke_oidc": tke,
    }
    return providers.get(kind) or ProviderChain((Environment(), Profile(), InstanceRole(), tke))
