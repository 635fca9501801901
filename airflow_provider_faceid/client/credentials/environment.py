"""Keys from the environment of the process."""

from __future__ import annotations

import os
from dataclasses import dataclass

from ...clock import Clock
from .key import Issued, key_of

VARIABLES = ("TENCENTCLOUD_SECRET_ID", "TENCENTCLOUD_SECRET_KEY", "TENCENTCLOUD_TOKEN")
"""The first two are those of the official SDK; the third one only Tencent's command line reads."""


@dataclass(frozen=True)
class Environment:
    """Three environment variables."""

    name = "environment"

    def fetch(self, clock: Clock) -> Issued:
        """
        Read the variables.

        :raises CredentialsError: one is missing.
        """
        del clock
        key = key_of(self.name, {name: os.environ.get(name) for name in VARIABLES})
        return Issued(key, self, account=key.secret_id if key.lasting else "")
