from __future__ import annotations

import pytest

from airflow_provider_faceid.warehouse.sql import mysql
from airflow_provider_faceid.warehouse.sql.errors import About, diagnose, warehouse_error

PLANTED = "440305199505132561"


class OfClient(Exception):  # noqa: N818 - as the clients name theirs
    """An error as mysqlclient and pymysql raise it."""


OfClient.__module__ = "pymysql.err"


def test_no_number_is_of_two_classes():
    numbers = [n for some in mysql._BY_CLASS.values() for n in some]
    assert len(numbers) == len(set(numbers))
    assert mysql.ADVICE.keys() <= mysql.CLASS.keys()
    assert set(mysql.CLASS.values()) <= {about.value for about in About}
    assert {mysql.CLASS[number] for number in mysql.ENDS_SESSION} == {"connection"}


@pytest.mark.parametrize(
    ("number", "about"),
    [
        *((n, About.STATEMENT) for n in (1044, 1045, 1049, 1054, 1064, 1142, 1146, 1267, 1290)),
        *((n, About.CONNECTION) for n in (1040, 1205, 1213, 2002, 2003, 2006, 2013, 3024)),
        *((n, About.DATA) for n in (1048, 1062, 1264, 1292, 1366, 1406, 1644, 1690, 4025)),
        (9999, About.OTHER),
    ],
)
def test_an_error_is_classified_by_its_number(number, about):
    error = OfClient(number, f"words about {PLANTED}")
    assert diagnose(error, lambda: False).about is about
    shown = str(warehouse_error("reading", "here", error, lambda: False))
    assert (PLANTED in shown) is (about in {About.STATEMENT, About.CONNECTION})
    assert f"MYSQL_{number}" in shown


@pytest.mark.parametrize(
    "quoted", [f"x '{PLANTED}'", f"x\n'{PLANTED}' at line 7 near y", f"at line 3 '{PLANTED}'"]
)
def test_a_syntax_error_loses_what_it_quotes(quoted):
    text = (
        f"You have an error in your SQL syntax; check the manual to use near '{quoted}' at line 2"
    )
    shown = mysql.message_of(OfClient(1064, text))
    assert shown == "You have an error in your SQL syntax; check the manual to use at line 2"


def test_an_error_without_a_number_is_one_of_the_connection_or_unknown():
    interface = type("InterfaceError", (OfClient,), {"__module__": "MySQLdb"})
    assert diagnose(interface("not open"), lambda: False).about is About.CONNECTION
    assert diagnose(interface(0, ""), lambda: False).about is About.CONNECTION
    assert diagnose(OfClient("odd"), lambda: False).about is About.OTHER
