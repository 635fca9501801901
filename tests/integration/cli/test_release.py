"""``airflow faceid release``: rows that are named, rows that are not there, nothing by accident."""

from __future__ import annotations

import pytest

from airflow_provider_faceid.simulator.people import ID_CARD

from .conftest import verify

HELD = "SELECT source_key FROM faceid_results WHERE status = 'held' ORDER BY source_key"
ROWS = ("release", "--action", ID_CARD, "--campaign", "dag", "--warehouse-conn-id", "warehouse")


def held_keys(bench) -> list[str]:
    return [key for (key,) in bench.query(HELD)]


def test_all_held_rows_are_called_again_by_the_next_run(held, context, run):
    done = run(*ROWS, "--all", "--output", "json")
    assert (done.code, done.data) == (
        0,
        {"campaign": "dag", "action": ID_CARD, "released": 3},
    )
    assert held_keys(held) == []
    assert held.calls == 8
    assert verify(context)["calls"] == 3
    again = run(*ROWS, "--all")
    assert again.code == 1
    assert again.out == ""
    assert again.err.startswith("faceid release: Campaign 'dag' has no held row of IdCard")


def test_rows_are_named_by_argument_and_by_file(held, run, tmp_path):
    first, second, third = held_keys(held)
    file = tmp_path / "keys"
    file.write_text(f"{second}\n\nno such key\n")
    done = run(*ROWS, "--source-key", first, "--source-keys-file", str(file))
    assert done.out.startswith(
        "Released 2 held rows of campaign 'dag'. Its next run calls for them"
    )
    assert held_keys(held) == [third]


@pytest.mark.parametrize("more", [(), ("--all", "--source-key", "1")])
def test_nothing_is_released_unless_it_is_clear_what(held, run, more):
    done = run(*ROWS, *more)
    assert done.code == 1
    assert "Give the rows to release" in done.err
    assert len(held_keys(held)) == 3


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"--action": "IdCardVerificaton"}, "did you mean 'IdCardVerification'"),
        ({"--campaign": "dga"}, "Campaign 'dga' has no held row"),
        ({"--campaign": "a'; DROP TABLE faceid_results; --"}, "has no held row"),
        ({"--warehouse-conn-id": "no_such"}, "`no_such` isn't defined"),
        ({"--warehouse-conn-id": "faceid_default"}, "is of type 'faceid'"),
        ({"--warehouse-conn-id": "elsewhere"}, "is not there yet, or not on this host"),
        ({"--result-table": "people"}, "is not one of ours"),
        ({"--result-table": "no_such_table"}, "has no such table: no_such_table"),
        ({"--source-keys-file": "/no/such/file"}, "/no/such/file cannot be read: No such file"),
        ({"--source-keys-file": "/dev/null"}, "names no key"),
    ],
)
def test_what_is_wrong_is_named_in_a_sentence(held, run, tmp_path, changed, said):
    held.connect("elsewhere", conn_type="sqlite", host=str(tmp_path / "not-made.sqlite"))
    given = dict(zip(ROWS[1::2], ROWS[2::2], strict=True)) | changed
    every = () if "--source-keys-file" in given else ("--all",)
    done = run("release", *(part for pair in given.items() for part in pair), *every)
    assert done.code == 1
    assert done.out == ""
    assert said in done.err
    assert "Traceback" not in done.err
    assert len(held_keys(held)) == 3
    assert not (tmp_path / "not-made.sqlite").exists()
