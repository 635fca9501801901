"""The official SDK's default: several origins, of which the first that has a key is taken."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from ...clock import Clock
from ...exceptions import CredentialsError, UnavailableError
from .key import Issued, Origin

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Chain:
    """
    Origins in the order they are asked.

    Which one it was stands in what is issued: the next key comes from there. To ask all of them
    again would, when one is away for a moment, change the account in the middle of a run.
    """

    origins: tuple[Origin, ...]

    name = "default"

    def fetch(self, clock: Clock) -> Issued:
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
