"""The connection form's extra fields as wtforms widgets, for Airflow 3.1.

That version stands in for wtforms and knows four field classes, the ``Optional`` validator and
``any_of``; numbers are therefore text fields there, and the hook checks what was typed.
"""

from __future__ import annotations

from typing import Any

from flask_appbuilder.fieldwidgets import BS3PasswordFieldWidget, BS3TextFieldWidget
from wtforms import BooleanField, IntegerField, PasswordField, StringField
from wtforms.validators import Optional, any_of

_FIELDS = {"integer": IntegerField, "boolean": BooleanField}


def widgets(fields: dict[str, Any]) -> dict[str, Any]:
    """Return one widget per form field of the provider's metadata."""
    return {name: _widget(**field) for name, field in fields.items()}


def _widget(label: str, schema: dict[str, Any], description: str = "") -> Any:
    secret = schema.get("format") == "password"
    kind = PasswordField if secret else _FIELDS.get(schema["type"][0], StringField)
    return kind(
        label,
        description=description,
        default=schema.get("default"),
        validators=[Optional(), *([any_of(schema["enum"])] if "enum" in schema else [])],
        widget=BS3PasswordFieldWidget() if secret else BS3TextFieldWidget(),
    )
