"""``forget``: who is named and how, what is printed, and what is refused."""

from __future__ import annotations

import io
import json
import stat

import pytest

WAREHOUSE = ("--warehouse-conn-id", "warehouse")


@pytest.fixture
def forget(run, monkeypatch):
    """Return what runs the command, with a text at its standard input."""

    def run_with(*arguments, stdin="", kind=io.StringIO):
        monkeypatch.setattr("sys.stdin", kind(stdin))
        return run("forget", *WAREHOUSE, *arguments)

    return run_with


def test_a_key_is_forgotten_with_a_receipt(forget, held):
    (before,) = held.query("SELECT COUNT(*) FROM faceid_results WHERE source_key = '0'")
    assert before == (1,)
    found = forget("--source-key", "0", "--requested-by", "dpo", "--reference", "R-17", "--yes")
    assert found.code == 0, found.err
    assert "Erased 1 source key: results 1" in found.out
    assert "Remains: the vendor's own log, under the RequestIds" in found.out
    assert "verified again as a new one" in found.out
    ((receipt, who, reference),) = held.query(
        "SELECT receipt_id, requested_by, reference FROM faceid_erasures"
    )
    assert receipt in found.out
    assert (who, reference) == ("dpo", "R-17")
    again = forget("--source-key", "0", "--yes")
    assert (again.code, again.out) == (1, "")
    assert "nothing was erased" in again.err


def test_a_person_comes_from_standard_input_and_is_not_shown(forget, held):
    person = held.ordinary[5]
    text = json.dumps({"id_card": person.id_card, "name": [person.name]})
    look = forget("--person-file", "-", "--dry-run", stdin=text)
    assert look.code == 0, look.err
    assert look.out.startswith("Found 1 row of tables and 1 call of the ledger")
    found = forget("--person-file", "-", "--yes", "--output", "json", stdin=text)
    assert found.code == 0, found.err
    assert found.data["receipt"]["erased_by"] == "person"
    assert found.data["receipt"]["results"] == found.data["receipt"]["calls"] == 1
    assert held.query("SELECT COUNT(*) FROM faceid_results WHERE source_key = '5'") == [(0,)]
    for printed in (look, found):
        assert person.id_card not in printed.out + printed.err
        assert person.name not in printed.out + printed.err


def test_a_person_is_asked_for_on_the_terminal(forget, held, monkeypatch):
    person = held.ordinary[6]
    answers = {"id_card": person.id_card, "name": person.name}
    monkeypatch.setattr("getpass.getpass", lambda prompt: answers.get(prompt.split()[0], ""))
    found = forget("--ask-person", "--yes", "--output", "json")
    assert found.data["receipt"]["results"] == 1


def test_earlier_hash_keys_come_from_a_file(forget, held, tmp_path):
    person = held.ordinary[5]
    text = json.dumps({"id_card": person.id_card, "name": person.name})
    held.faceid(extra={"hash_secret": "hash-key-of-this-year"})
    by_person = ("--person-file", "-", "--yes")
    refused = forget(*by_person, stdin=text)
    assert (refused.code, refused.out) == (1, "")
    assert "under other hash keys" in refused.err
    path = tmp_path / "earlier.txt"
    path.write_text("simulator-key\n")
    found = forget(
        *by_person, "--earlier-hash-keys-file", str(path), "--output", "json", stdin=text
    )
    assert found.code == 0, found.err
    assert found.data["warnings"] == []
    assert found.data["receipt"]["results"] == found.data["receipt"]["calls"] == 1
    assert held.query("SELECT COUNT(*) FROM faceid_results WHERE source_key = '5'") == [(0,)]
    assert "simulator-key" not in refused.err + found.out + found.err


def test_request_ids_are_written_before_they_are_erased(forget, held, tmp_path):
    ((request_id,),) = held.query("SELECT request_id FROM faceid_results WHERE source_key = '0'")
    path = tmp_path / "ids.txt"
    found = forget("--source-key", "0", "--request-ids-file", str(path), "--yes")
    assert found.code == 0, found.err
    assert path.read_text() == f"{request_id}\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize(
    ("arguments", "stdin", "words"),
    [
        ((), "", "Say who or what is forgotten"),
        (("--source-key", "1", "--person-file", "-"), "{}", "Say who or what is forgotten"),
        (("--source-key", "nobody", "--yes"), "", "know 1 key: nothing was erased"),
        (("--source-key", "1"), "", "confirm it with --yes"),
        (("--source-key", "1", "--source-key", "nobody", "--yes"), "", "Leave them out, or skip"),
        (("--source-key", "1", "--action", "IdCardVerificatio", "--yes"), "", "unknown Action"),
        (("--person-file", "-", "--yes"), "11010119900307889X", "is no JSON object"),
        (("--person-file", "-", "--yes"), '{"idcard": "x"}', "did you mean 'id_card'"),
        (("--person-file", "-", "--yes"), '{"name": "x"}', "give at least one of"),
        (("--person-file", "-", "--yes"), '{"id_card": {"a": 1}}', "is a text or a list"),
        (("--source-key", "1", "--request-ids-file", "/none/x", "--yes"), "", "cannot be written"),
    ],
)
def test_what_is_refused_changes_nothing(forget, held, arguments, stdin, words):
    before = held.query("SELECT * FROM faceid_results ORDER BY source_key")
    found = forget(*arguments, stdin=stdin)
    assert (found.code, found.out) == (1, "")
    assert words in found.err
    assert "11010119900307889X" not in found.err
    assert held.query("SELECT * FROM faceid_results ORDER BY source_key") == before


class Terminal(io.StringIO):
    """A person types."""

    def isatty(self) -> bool:
        return True


def test_what_is_not_confirmed_is_not_erased(forget, held, monkeypatch):
    for answer, code, left in (("no", 1, 1), ("yes", 0, 0)):
        monkeypatch.setattr("builtins.input", lambda _, answer=answer: answer)
        found = forget("--source-key", "0", kind=Terminal)
        assert found.code == code, found.err
        assert "Found 1 row of tables" in found.err
        assert held.query("SELECT COUNT(*) FROM faceid_results WHERE source_key = '0'") == [(left,)]
