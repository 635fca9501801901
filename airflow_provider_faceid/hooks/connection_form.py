"""The connection: its form as wtforms widgets, for Airflow 3.1, and a warning of calls without TLS.

Airflow 3.1 stands in for wtforms and knows four field classes, the ``Optional`` validator and
``any_of``; numbers are therefore text fields there, and the hook checks what was typed. The warning is
logged once per process and connection.
"""

from __future__ import annotations

import logging
from functools import cache
from typing import Any
from urllib.parse import urlsplit

from ..client.settings import Settings

LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})

log = logging.getLogger(__name__)


def warn_of(settings: Settings) -> None:
    """Warn of insecure transport: plain HTTP, or TLS without certificate verification."""
    address = urlsplit(settings.url)
    if address.scheme == "http":
        if address.hostname not in LOOPBACK:
            _warn(
                settings.conn_id,
                "uses plain HTTP: names, numbers and photos can be read on the network path",
            )
    elif not settings.verify:
        _warn(
            settings.conn_id,
            "does not verify the TLS certificate: another host can impersonate the service",
        )


@cache
def _warn(conn_id: str, risk: str) -> None:
    log.warning("Connection '%s' %s. This is for test servers only", conn_id, risk)


def widgets(fields: dict[str, Any]) -> dict[str, Any]:
    """
    Return one widget per form field of the provider's metadata.

    :raises ModuleNotFoundError: wtforms is neither installed nor stood in for.
    """
    return {name: _widget(**field) for name, field in fields.items()}


def _widget(label: str, schema: dict[str, Any], description: str = "") -> Any:
    from flask_appbuilder.fieldwidgets import (  # noqa: PLC0415 - may be missing, like wtforms
        BS3PasswordFieldWidget,
        BS3TextFieldWidget,
    )
    from wtforms import BooleanField, IntegerField, PasswordField, StringField  # noqa: PLC0415
    from wtforms.validators import Optional, any_of  # noqa: PLC0415

    fields = {"integer": IntegerField, "boolean": BooleanField}
    secret = schema.get("format") == "password"
    kind = PasswordField if secret else fields.get(schema["type"][0], StringField)
    return kind(
        label,
        description=description,
        default=schema.get("default"),
        validators=[Optional(), *([any_of(schema["enum"])] if "enum" in schema else [])],
        widget=BS3PasswordFieldWidget() if secret else BS3TextFieldWidget(),
    )
