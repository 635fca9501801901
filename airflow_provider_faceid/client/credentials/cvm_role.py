"""Keys of the role a CVM instance has, from the metadata of the instance.

The address is plain HTTP, answered by the host the instance runs on. There is no other way to ask;
no proxy is let in between.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from ...clock import Clock
from ...exceptions import CredentialsError, UnavailableError
from .key import Issued, temporary_key
from .web import Page, Way, ask

METADATA = "http://metadata.tencentyun.com/latest/meta-data/cam/security-credentials/"
"""Where roles are asked for. No setting: who could change it would choose our account."""
WAY = Way(direct=True, seconds=5.0)

ROLE_NAME = re.compile(r"[\w+=,.@-]{1,128}", re.ASCII)
_TROUBLE = 500


@dataclass(frozen=True)
class CvmRole:
    """
    The role of the instance this process runs on.

    :param role: its name, asked for if empty.
    """

    role: str = ""

    @property
    def name(self) -> str:
        """Name it in messages."""
        return f"cvm_role '{self.role}'" if self.role else "cvm_role"

    def fetch(self, clock: Clock) -> Issued:
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
        return Issued(key, self, account=f"cvm_role {role}", seconds=seconds)

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
