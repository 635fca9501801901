"""A local Face ID service: the data plane of the real one, and a control plane of its own.

``python -m airflow_provider_faceid.simulator`` runs it as a process, :class:`SimulatorServer` in a
thread. Both need the extra ``simulator`` (Pillow), so both are imported on first use.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .server import SimulatorServer

__all__ = ["SimulatorServer"]

INSTALL = (
    "The simulator draws its people with Pillow: pip install 'airflow-provider-faceid[simulator]'"
)


def __getattr__(name: str) -> object:
    if name != "SimulatorServer":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        from .server import SimulatorServer  # noqa: PLC0415
    except ModuleNotFoundError as error:
        if error.name != "PIL":
            raise
        raise ModuleNotFoundError(INSTALL, name="PIL") from error
    return SimulatorServer
