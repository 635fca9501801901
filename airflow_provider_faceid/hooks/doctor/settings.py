"""Checks of what is written down: packages, section ``[faceid]``, the Face ID connection."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from urllib.parse import urlsplit

from airflow.providers.common.compat.sdk import conf
from packaging.requirements import Requirement

from ...client.connection_schema import (
    QUOTA_FIELDS_OF_0_2,
    form_fields,
    parse_field,
    refuse_no_object,
    refuse_unknown,
)
from ...exceptions import ConfigurationError, FaceIdError, nearest
from ...state.store import Survives
from ..connection_form import LOOPBACK
from ..faceid import FaceIdHook
from ..readers import configured
from ..state_store import SECTION, option, unknown_options
from .problems import Finding, found
from .subject import Subject, variable_of

DISTRIBUTION = "airflow-provider-faceid"
REGIONS = (
    "ap-bangkok",
    "ap-beijing",
    "ap-chengdu",
    "ap-chongqing",
    "ap-guangzhou",
    "ap-hongkong",
    "ap-jakarta",
    "ap-nanjing",
    "ap-seoul",
    "ap-shanghai",
    "ap-singapore",
    "ap-tokyo",
    "eu-frankfurt",
    "na-ashburn",
    "na-siliconvalley",
    "sa-saopaulo",
)
"""Regions of Tencent Cloud's access points (API pages 1061/36933 and 1041/33627)."""


def check_versions(_: Subject) -> Iterator[Finding]:
    """Compare installed packages with those this provider needs."""
    try:
        needed = requires(DISTRIBUTION) or []
    except PackageNotFoundError:  # run from a copy of the sources
        return
    for text in needed:
        requirement = Requirement(text)
        if requirement.marker is not None and not requirement.marker.evaluate({"extra": ""}):
            continue
        try:
            there = version(requirement.name)
        except PackageNotFoundError:
            there = ""
        if not there or not requirement.specifier.contains(there, prereleases=True):
            requirement.marker = None
            installed = f"{there} is installed" if there else "it is not installed"
            yield found("dependency_wrong", requirement=requirement, installed=installed)


def check_configuration(subject: Subject) -> Iterator[Finding]:
    """Look at the options of section ``[faceid]``, at folders they name, and at certificates."""
    if words := unknown_options():
        yield found("option_unknown", words=words)
    else:
        yield from _option_values(subject)
    for section in _sections():
        if section != SECTION and nearest(section, [SECTION]):
            yield found("section_misspelt", section=section, hint=f"did you mean [{SECTION}]?")
    for variable in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        path = os.environ.get(variable)
        if path and not Path(path).exists():
            yield found("certificates_missing", variable=variable)


def _option_values(subject: Subject) -> Iterator[Finding]:
    for name, is_right, wanted in _VALUES:
        value = option(name)
        if value and not is_right(value):
            message = f"[{SECTION}] {name} is '{value[:60]}'; it is {wanted}"
            yield found("option_value", message=message)
    try:
        configured()
    except ConfigurationError as error:
        yield found("option_value", message=error)
    for name, readers in _ROOTS.items():
        for root in filter(None, map(str.strip, option(name).split(","))):
            yield from _root(subject, name, root, readers)


_VALUES: tuple[tuple[str, Callable[[str], bool], str], ...] = (
    (
        "keep_answers_days",
        lambda value: value.isdecimal() and int(value) > 0,
        "a number of days from 1",
    ),
    ("ledger_survives", lambda value: value in set(Survives), " or ".join(Survives)),
)
_ROOTS = {"photo_roots": "all workers", "report_roots": "the api-server"}
"""Who reads the folders, by option."""


def _root(subject: Subject, name: str, root: str, readers: str) -> Iterator[Finding]:
    url = urlsplit(root)
    if url.scheme in {"", "file"}:
        path = Path(url.path)
        if not (path.is_absolute() and path.is_dir() and os.access(path, os.R_OK | os.X_OK)):
            yield found("folder_missing", option=name, root=root, readers=readers)
        return
    conn_id = url.netloc.rpartition("@")[0]
    if conn_id and ":" not in conn_id and subject.connection(conn_id) is None:
        yield found("folder_connection", option=name, root=root, conn_id=conn_id)


def _sections() -> set[str]:
    """Return sections that the configuration or the environment sets options of."""
    names = {str(section).lower() for section in conf.sections()}
    start = re.compile(r"AIRFLOW__([A-Z0-9_]+?)__")
    names |= {match[1].lower() for name in os.environ if (match := start.match(name))}
    return names


def check_connection(subject: Subject) -> Iterator[Finding]:
    """Look at all fields of the Face ID connection, and not only at the first wrong one."""
    conn_id = subject.named.faceid
    connection = subject.connection(conn_id)
    if connection is None:
        yield _missing(conn_id)
        return
    if connection.conn_type != FaceIdHook.conn_type:
        yield found("connection_type", conn_id=conn_id, type=connection.conn_type or "(none)")
        return
    messages = list(dict.fromkeys(_wrong_fields(conn_id, connection.extra, connection)))
    for message in messages:
        yield found("connection_wrong", message=message)
    if messages:
        return
    yield from _hash_key(subject)
    yield from _risks(subject)


def _wrong_fields(conn_id: str, extra: str | None, connection: object) -> Iterator[str]:
    """Return the message about each wrong field."""
    try:
        refuse_no_object(conn_id, extra)
        given = connection.extra_dejson  # type: ignore[attr-defined]
    except ConfigurationError as error:
        yield str(error)
        return
    try:
        refuse_unknown(conn_id, given)
    except ConfigurationError as error:
        yield str(error)
    for name in {**form_fields(), **dict.fromkeys(QUOTA_FIELDS_OF_0_2.values())}:
        try:
            parse_field(conn_id, name, given.get(name))
        except ConfigurationError as error:
            yield str(error)
    try:
        FaceIdHook(conn_id).settings  # noqa: B018 - raises
    except FaceIdError as error:
        yield str(error)


def _missing(conn_id: str) -> Finding:
    if variable := variable_of(conn_id):
        return found("connection_unreadable", conn_id=conn_id, variable=variable)
    near = nearest(conn_id, _connections())
    return found(
        "connection_missing", conn_id=conn_id, hint=f" (did you mean '{near}'?)" if near else ""
    )


def _connections() -> list[str]:
    """Return the ids of connections of the environment, and of the metadata database if it can be read."""
    start = "AIRFLOW_CONN_"
    names = [name.removeprefix(start).lower() for name in os.environ if name.startswith(start)]
    with suppress(Exception):  # only commands and servers may read it
        from airflow.models.connection import Connection  # noqa: PLC0415 - see above
        from airflow.utils.session import create_session  # noqa: PLC0415 - the same
        from sqlalchemy import select  # noqa: PLC0415 - the same

        with create_session() as session:
            names += session.scalars(select(Connection.conn_id)).all()
    return names


def _hash_key(subject: Subject) -> Iterator[Finding]:
    try:
        subject.settings.hmac_key  # noqa: B018 - raises
    except ConfigurationError:
        yield found("hash_key_missing", conn_id=subject.named.faceid)


def _risks(subject: Subject) -> Iterator[Finding]:
    settings, conn_id = subject.settings, subject.named.faceid
    address = urlsplit(settings.url)
    if address.scheme == "http" and address.hostname not in LOOPBACK:
        yield found("transport_plain", conn_id=conn_id, host=settings.host)
    if address.scheme == "https" and not settings.verify:
        yield found("certificate_unchecked", conn_id=conn_id)
    if settings.region and settings.region not in REGIONS:
        near = nearest(settings.region, REGIONS)
        hint = f" (did you mean '{near}'?)" if near else ""
        yield found("region_unknown", conn_id=conn_id, region=settings.region[:40], hint=hint)
