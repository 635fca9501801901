"""What Airflow keeps elsewhere in one of the supported versions."""

from __future__ import annotations

from datetime import datetime


def come_back(moment: datetime) -> Exception:
    """
    Return the exception with which a task leaves its slot and starts again later.

    It uses up no try.
    """
    try:
        from airflow.sdk.exceptions import AirflowRescheduleException  # noqa: PLC0415
    except ImportError:  # Airflow 3.1
        from airflow.exceptions import AirflowRescheduleException  # noqa: PLC0415
    error: Exception = AirflowRescheduleException(moment)  # type: ignore[no-untyped-call]
    return error
