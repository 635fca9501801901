"""Our section of Airflow's configuration, ``[faceid]``: its options by name, and no other."""

from __future__ import annotations

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
    if words := unknown(conf.getsection(SECTION) or {}, known.keys()):
        raise ConfigurationError(f"Airflow's configuration, [{SECTION}]: unknown option {words}")
    return str(conf.get(SECTION, name, fallback=known[name]["default"]) or "")
