"""Our section of Airflow's configuration, ``[faceid]``: its options by name, and no other."""

from __future__ import annotations

import os

from airflow.providers.common.compat.sdk import conf

from ..exceptions import ConfigurationError
from ..get_provider_info import get_provider_info
from ..spelling import unknown

SECTION = "faceid"


def option(name: str) -> str:
    """
    Return an option as text, its default if it is not set.

    :raises ConfigurationError: the section has an option that does not exist: whoever misspells one
        takes it for set.
    """
    known = get_provider_info()["config"][SECTION]["options"]
    given = {*(conf.getsection(SECTION) or {}), *_of_environment()}
    if words := unknown(sorted(given), known.keys()):
        raise ConfigurationError(f"Airflow's configuration, [{SECTION}]: unknown option {words}")
    return str(conf.get(SECTION, name, fallback=known[name]["default"]) or "")


def _of_environment() -> list[str]:
    """Return the options the environment sets; Airflow 3.1 lists them with no section it does not know."""
    start = f"AIRFLOW__{SECTION.upper()}__"
    names = [name.removeprefix(start).lower() for name in os.environ if name.startswith(start)]
    return [name.removesuffix("_cmd") for name in names]
