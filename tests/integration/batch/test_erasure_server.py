"""Erasure with a state store on a PostgreSQL server: its bytes, its owner; and earlier hash keys."""

from __future__ import annotations

from itertools import count

import pytest
from sqlalchemy import make_url

from airflow_provider_faceid.api.person import read_person
from airflow_provider_faceid.api.pseudonyms import hash_key_id
from airflow_provider_faceid.batch.erasure_words import warnings_of
from airflow_provider_faceid.exceptions import ConfigurationError
from airflow_provider_faceid.state import erasure as state_erasure
from airflow_provider_faceid.state.store import StateStore
from airflow_provider_faceid.warehouse.migrations import prepare_beside
from airflow_provider_faceid.warehouse.names import Names
from airflow_provider_faceid.warehouse.tables import ERASURES
from tests.integration.state.conftest import connect, postgres_url
from tests.support.homes import homes

from .test_erasure import (
    FIRST_KEY,
    STEP,
    Request,
    bill_of,
    charges,
    compare,
    delete_from_source,
    forget,
    forgetting,
    hashes_of,
    leaks,
    plain_files,
    verified,
)

__all__ = ["plain_files", "postgres_url"]

ROLES = count()
KEY = str(FIRST_KEY + STEP * 2)
EARLIER = "hash-key-of-last-year"

on_sqlite = homes("sqlite")


@pytest.fixture
def state(postgres_url):
    """In place of the file: a state store on a server."""
    store = StateStore(postgres_url)
    yield store
    store.close()


@pytest.fixture
def other_role(postgres_url):
    """Return the address of the state store for a role that may use its tables and owns none."""
    role = f"worker_{next(ROLES)}"
    with connect(postgres_url, autocommit=True) as owner:
        ((schema,),) = owner.execute("SELECT current_schema()").fetchall()
        owner.execute(f"CREATE ROLE {role} LOGIN")
        owner.execute(f"GRANT USAGE, CREATE ON SCHEMA {schema} TO {role}")
        owner.execute(
            f"ALTER DEFAULT PRIVILEGES IN SCHEMA {schema} "
            f"GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO {role}"
        )
    return make_url(postgres_url).set(username=role).render_as_string(hide_password=False)


def in_files(url, marks):
    """Return the texts that are in the files of the state store's tables, indexes and long values."""
    with connect(url, autocommit=True) as owner:
        owner.execute("CHECKPOINT")
        files = owner.execute(
            "SELECT pg_read_binary_file(pg_relation_filepath(oid)) FROM pg_class "
            "WHERE pg_relation_filepath(oid) IS NOT NULL AND (relnamespace = current_schema()::regnamespace "
            "OR oid IN (SELECT reltoastrelid FROM pg_class "
            "WHERE relnamespace = current_schema()::regnamespace))"
        ).fetchall()
    assert len(files) > 8
    return {mark for mark in marks if any(mark.encode() in file for (file,) in files)}


@homes("sqlite", "postgresql")
@pytest.mark.usefixtures("plain_files")
def test_nothing_leads_to_a_forgotten_person_in_the_server_either(bench, tmp_path, postgres_url):
    people = verified(bench)
    prepare_beside(bench.home.open(), Names(), ERASURES)
    marks, bill, before = hashes_of(bench, KEY), bill_of(bench), charges(bench)
    there = in_files(postgres_url, marks)
    assert KEY in there
    assert len(there) >= 3  # the question, the row's key, the RequestId
    delete_from_source(bench, KEY)
    gone = people[2]
    done = forget(bench, person=read_person({"id_card": gone.id_card, "name": gone.name}))
    assert warnings_of(done) == []
    assert done.databases[1] == "postgresql"
    assert (done.receipt["calls"], done.receipt["is_rewritten"]) == (1, 1)
    assert in_files(postgres_url, marks) == set()
    assert leaks(bench, tmp_path, [*marks, gone.id_card]) == []
    assert charges(bench) == before
    assert compare(bench, bill) == []
    assert bench.run(owner="later")["calls"] == 0


@on_sqlite
def test_a_role_that_does_not_own_the_tables_is_told_what_their_owner_has_to_do(
    bench, postgres_url, other_role
):
    verified(bench)
    marks = hashes_of(bench, KEY)
    there = in_files(postgres_url, marks)
    delete_from_source(bench, KEY)
    owners, bench.state = bench.state, StateStore(other_role)
    try:
        done = forget(bench, keys=[KEY])
    finally:
        bench.state.close()
        bench.state = owners
    statements = [f"VACUUM (FULL, ANALYZE) {table}" for table in state_erasure.TABLES]
    assert len(done.problems) == len(statements)
    for problem, statement in zip(done.problems, statements, strict=True):
        assert problem.endswith(f"which only its owner may do: {statement}")
    assert (done.receipt["calls"], done.receipt["is_rewritten"]) == (1, 0)
    assert in_files(postgres_url, marks) == there  # as it was said
    with connect(postgres_url, autocommit=True) as owner:
        for statement in statements:
            owner.execute(statement)
    assert in_files(postgres_url, marks) == set()


@on_sqlite
def test_a_table_in_use_is_left_as_it_is_and_nobody_queues_behind_it(
    bench, postgres_url, monkeypatch
):
    monkeypatch.setattr(state_erasure, "LOCK_SECONDS", 1)
    verified(bench)
    marks = hashes_of(bench, KEY)
    delete_from_source(bench, KEY)
    with connect(postgres_url) as reader:
        reader.execute("SELECT COUNT(*) FROM faceid_calls")
        done = forget(bench, keys=[KEY])
    (problem,) = done.problems
    assert problem.startswith("The state store was not rewritten")
    assert "Later: VACUUM (FULL, ANALYZE) faceid_calls" in problem
    assert done.receipt["is_rewritten"] == 0
    assert in_files(postgres_url, marks)
    assert state_erasure.rewrite(bench.state) == []
    assert in_files(postgres_url, marks) == set()


@on_sqlite
def test_a_person_known_under_an_earlier_hash_key_is_found_with_it(bench, postgres_url):
    gone = verified(bench, settings={"hash_secret": EARLIER})[2]
    marks = hashes_of(bench, KEY)
    delete_from_source(bench, KEY)
    person = read_person({"id_card": gone.id_card, "name": gone.name})
    hint = f"under other hash keys \\({hash_key_id(EARLIER)}\\)"
    with pytest.raises(ConfigurationError, match=hint):
        forget(bench, person=person)
    # A row of the same person under the new key: it goes, and the other is said to be left.
    bench.run(campaign="new", owner="new")
    bench.source.run(
        "INSERT INTO people VALUES (?, ?, ?, NULL)", [(int(KEY), gone.id_card, gone.name)]
    )
    bench.run(campaign="new", owner="newer")
    bill = bill_of(bench)
    delete_from_source(bench, KEY)
    done = forget(bench, person=person)
    assert (done.receipt["results"], done.receipt["calls"]) == (1, 1)
    (warning,) = warnings_of(done)
    assert hash_key_id(EARLIER) in warning
    assert KEY in bench.results()
    assert KEY in in_files(postgres_url, marks)

    done = forgetting(
        bench, Request(person=person, requested_by="someone"), earlier_secrets=[EARLIER]
    ).run()
    assert warnings_of(done) == []
    assert (done.receipt["results"], done.receipt["calls"]) == (1, 1)
    assert bench.results().keys() == bench.results("new").keys()
    assert KEY not in bench.results()
    assert str(FIRST_KEY + STEP * 3) in bench.results()
    assert in_files(postgres_url, marks) == set()
    assert compare(bench, bill) == []
