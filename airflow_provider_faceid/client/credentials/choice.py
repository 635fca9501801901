"""What a connection says about where its keys come from, as an origin."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...exceptions import ConfigurationError
from ..address import url_of
from ..extra import VISIBLE
from .chain import Chain
from .cvm_role import ROLE_NAME, CvmRole
from .environment import Environment
from .key import Credentials, Origin
from .profile import Profile
from .roles import AssumedRole, TkeOidc
from .sts import DEFAULT_SECONDS, HOST, Sts
from .web import Way

STATIC = "static"
ASKS_STS = ("tke_oidc", "default")
"""Values of the field ``credentials`` that may ask STS although no role is to be assumed."""
NAMED = ("profile", "cvm_role")
"""Values that something may be named for."""


def origin_of(
    conn_id: str, login: str | None, password: str | None, given: dict[str, Any]
) -> Credentials | Origin:
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
        Way(proxies=proxies, verify=given.get("verify", True)),
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


def _elsewhere(kind: str, name: str, tke: TkeOidc) -> Origin:
    origins: dict[str, Origin] = {
        "environment": Environment(),
        "profile": Profile(name) if name else Profile(),
        "cvm_role": CvmRole(name),
        "tke_oidc": tke,
    }
    return origins.get(kind) or Chain((Environment(), Profile(), CvmRole(), tke))
