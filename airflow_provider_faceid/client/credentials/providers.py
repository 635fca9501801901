"""What a connection says about where its keys come from, as an origin."""

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

# Keys from the environment of the process.
# Keys from the file of the official tools.
# Keys of the role a CVM instance has, from the metadata of the instance.
#
# The address is plain HTTP, answered by the host the instance runs on. There is no other way to ask;
# no proxy is let in between.
#
# The official SDK's default: several origins, of which the first that has a key is taken.


VARIABLES = ("TENCENTCLOUD_SECRET_ID", "TENCENTCLOUD_SECRET_KEY", "TENCENTCLOUD_TOKEN")
"""The first two are those of the official SDK; the third one only Tencent's command line reads."""


@dataclass(frozen=True)
class Environment:
    """Three environment variables."""

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
"""What a section holds. The official SDK overlooks the token."""


@dataclass(frozen=True)
class Profile:
    """A section of that file."""

    section: str = "default"

    @property
    def name(self) -> str:
        """Name it in messages."""
        return f"profile '{self.section}'"

    def fetch(self, clock: Clock) -> IssuedCredentials:
        """
        Read the file.

        :raises CredentialsError: it, its section or a part of the key is missing.
        """
        del clock
        path, content = self._read()
        where = f"{self.name} of {path}"
        # A value of other sections must not leak into this one, and a % is a character as any.
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
"""Where roles are asked for. No setting: who could change it would choose our account."""
WAY = HttpOptions(direct=True, seconds=5.0)

ROLE_NAME = re.compile(r"[\w+=,.@-]{1,128}", re.ASCII)
_TROUBLE = 500


@dataclass(frozen=True)
class InstanceRole:
    """
    The role of the instance this process runs on.

    :param role: its name, asked for if empty.
    """

    role: str = ""

    @property
    def name(self) -> str:
        """Name it in messages."""
        return f"cvm_role '{self.role}'" if self.role else "cvm_role"

    def fetch(self, clock: Clock) -> IssuedCredentials:
        """
        Ask the instance's metadata.

        :raises UnavailableError: they do not answer, which may pass.
        :raises CredentialsError: the instance has no such role, or the answer is none.
        """
        host = urlsplit(METADATA).netloc
        where = f"{self.name}: {host}"
        role = self.role or _text(self._page(where, ""))
        if not ROLE_NAME.fullmatch(role):
            raise CredentialsError(f"{where} answers no name of a role. Bind one to this instance")
        page = self._page(where, role)
        said = _object(page)
        if (code := said.get("Code")) != "Success":
            shown = code if isinstance(code, str) and ROLE_NAME.fullmatch(code) else "(no code)"
            raise CredentialsError(f"{where} gives no key of role '{role}': {shown}")
        date = clock.now() if page.date is None else page.date
        key, seconds = temporary_key(where, said, said.get("ExpiredTime"), date)
        return IssuedCredentials(key, self, account=f"cvm_role {role}", seconds=seconds)

    def _page(self, where: str, role: str) -> Page:
        try:
            page = ask(METADATA + role, WAY)
        except UnavailableError as error:
            raise UnavailableError(
                f"{self.name}: {error}. Only a CVM instance has metadata"
            ) from None
        if page.status >= _TROUBLE:
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
class Chain:
    """
    Origins in the order they are asked.

    Which one it was stands in what is issued: the next key comes from there. To ask all of them
    again would, when one is away for a moment, change the account in the middle of a run.
    """

    origins: tuple[CredentialProvider, ...]

    name = "default"

    def fetch(self, clock: Clock) -> IssuedCredentials:
        """
        Return the first key there is.

        :raises CredentialsError: there is none; what each one says is told. That one of them did
            not answer says little: most machines are no CVM instance.
        """
        problems: list[CredentialsError | UnavailableError] = []
        for origin in self.origins:
            try:
                issued = origin.fetch(clock)
            except (CredentialsError, UnavailableError) as error:
                problems.append(error)
            else:
                passed = "; ".join(map(str, problems)) or "nobody"
                log.info("Keys come from %s. Passed over: %s", origin.name, passed)
                return issued
        raise CredentialsError("; ".join(map(str, problems)))


STATIC = "static"
ASKS_STS = ("tke_oidc", "default")
"""Values of the field ``credentials`` that may ask STS although no role is to be assumed."""
NAMED = ("profile", "cvm_role")
"""Values that something may be named for."""


def provider_from_connection(
    conn_id: str, login: str | None, password: str | None, given: dict[str, Any]
) -> Credentials | CredentialProvider:
    """
    Return where the keys of a connection come from; asks nobody.

    :param given: its extra fields that are not empty. Those about keys are taken out.
    :raises ConfigurationError: a field is missing, malformed or has no use; it is named.
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
    at_sts = role_arn or kind in ASKS_STS
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
    base = _own(conn_id, own) if kind == STATIC else _elsewhere(kind, name, TkeOidc(seconds, sts))
    return AssumedRole(base, role_arn, external_id, seconds, sts) if role_arn else base


def _own(conn_id: str, parts: Mapping[str, str]) -> Credentials:
    for label in ("SecretId", "SecretKey"):
        value = parts[label]
        if not value or not VISIBLE.fullmatch(value):
            fault = "is empty" if not value else "has a space or a character that is not ASCII"
            raise ConfigurationError(f"Connection '{conn_id}': {label} {fault}")
    return Credentials(*parts.values())


def _elsewhere(kind: str, name: str, tke: TkeOidc) -> CredentialProvider:
    origins: dict[str, CredentialProvider] = {
        "environment": Environment(),
        "profile": Profile(name) if name else Profile(),
        "cvm_role": InstanceRole(name),
        "tke_oidc": tke,
    }
    return origins.get(kind) or Chain((Environment(), Profile(), InstanceRole(), tke))
