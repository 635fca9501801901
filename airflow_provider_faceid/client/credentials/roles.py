"""Roles that STS gives temporary keys of."""

from __future__ import annotations

import os
from dataclasses import dataclass, field, replace
from pathlib import Path

from ...clock import Clock
from ...exceptions import CredentialsError
from ..extra import VISIBLE
from .key import MAX_BYTES, Credentials, Issued, Origin
from .sts import DEFAULT_SECONDS, SESSION_NAME, Question, Sts

REGION = "ap-singapore"
"""STS wants a region with every request; roles know none, so any of its own will do."""
VARIABLES = ("TKE_REGION", "TKE_PROVIDER_ID", "TKE_WEB_IDENTITY_TOKEN_FILE", "TKE_ROLE_ARN")


@dataclass(frozen=True)
class AssumedRole:
    """
    A role that is assumed with the key of another origin.

    :param base: whose key STS is asked with: the connection's own, or an origin.
    :param role_arn: the role, such as ``qcs::cam::uin/100000000001:roleName/faceid``.
    :param external_id: what the role may ask for besides.
    :param seconds: how long each key is to be good.
    """

    base: Credentials | Origin
    role_arn: str
    external_id: str = field(default="", repr=False)
    seconds: int = DEFAULT_SECONDS
    sts: Sts = field(default_factory=Sts)

    @property
    def name(self) -> str:
        """Name it in messages."""
        base = "the connection's key" if isinstance(self.base, Credentials) else self.base.name
        return f"role '{self.role_arn}' assumed with {base}"

    def fetch(self, clock: Clock) -> Issued:
        """
        Assume the role.

        :raises FaceIdError: the origin has no key, or STS gives none.
        """
        origin: Origin = self
        if isinstance(self.base, Credentials):
            key = self.base
        else:
            found = self.base.fetch(clock)
            key, origin = found.key, self.over(found.origin)
        params: dict[str, object] = {
            "RoleArn": self.role_arn,
            "RoleSessionName": SESSION_NAME,
            "DurationSeconds": self.seconds,
        }
        if self.external_id:
            params["ExternalId"] = self.external_id
        question = Question(self.name, "AssumeRole", params, REGION, key)
        key, seconds = self.sts.temporary(question, clock)
        return Issued(key, origin, account=self.role_arn, seconds=seconds)

    def over(self, base: Origin) -> AssumedRole:
        """Return the same role over another base."""
        return replace(self, base=base)


@dataclass(frozen=True)
class TkeOidc:
    """
    The role of the TKE pod this process runs in; Kubernetes gives it a token and four variables.

    :param seconds: how long each key is to be good.
    """

    seconds: int = DEFAULT_SECONDS
    sts: Sts = field(default_factory=Sts)

    name = "tke_oidc"

    def fetch(self, clock: Clock) -> Issued:
        """
        Exchange the pod's token, which Kubernetes renews, for a key.

        :raises FaceIdError: a variable or the token is missing, or STS gives no key.
        """
        found = {name: os.environ.get(name, "") for name in VARIABLES}
        if missing := [name for name, value in found.items() if not value]:
            raise CredentialsError(f"{self.name}: {missing[0]} is missing in the environment")
        region, provider, file, role_arn = found.values()
        if not VISIBLE.fullmatch(region):
            raise CredentialsError(f"{self.name}: TKE_REGION is no region")
        params = {
            "ProviderId": provider,
            "WebIdentityToken": self._token(Path(file)),
            "RoleArn": role_arn,
            "RoleSessionName": SESSION_NAME,
            "DurationSeconds": self.seconds,
        }
        question = Question(self.name, "AssumeRoleWithWebIdentity", params, region, key=None)
        key, seconds = self.sts.temporary(question, clock)
        return Issued(key, self, account=role_arn, seconds=seconds)

    def _token(self, path: Path) -> str:
        try:
            with path.open("rb") as file:
                token = file.read(MAX_BYTES + 1).decode("ascii").strip()
        except (OSError, UnicodeDecodeError) as error:
            detail = getattr(error, "strerror", None) or "it is no token"
            raise CredentialsError(
                f"{self.name}: the file {path} of TKE_WEB_IDENTITY_TOKEN_FILE cannot be read "
                f"({detail})"
            ) from None
        if not 0 < len(token) <= MAX_BYTES:
            raise CredentialsError(f"{self.name}: the file {path} holds no token")
        return token
