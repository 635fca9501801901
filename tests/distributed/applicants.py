"""A table of applicants, and what has to become of each row."""

from __future__ import annotations

from dataclasses import dataclass, field

import psycopg

from airflow_provider_faceid.simulator.people import Person

BAD_EVERY, MISMATCH_EVERY = 50, 20
MATCH, MISMATCH = "0", "-1"


@dataclass(repr=False)
class Applicants:
    """
    People; of some the number is wrong, others bear somebody else's name.

    :param people: who would match.
    :ivar rows: key, name and ID number of each row.
    :ivar answers: code the service has to give, by key.
    :ivar bad: rule that is broken, by key: the service must not see the row.
    """

    people: list[Person]
    rows: list[tuple[int, str, str]] = field(default_factory=list)
    answers: dict[int, str] = field(default_factory=dict)
    bad: dict[int, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for key, person in enumerate(self.people, 1):
            name, number = person.name, person.id_card
            if key % BAD_EVERY == 0:
                number = number[:-1] + ("1" if number[-1] != "1" else "2")
                self.bad[key] = "id_card_check_digit"
            elif key % MISMATCH_EVERY == 0:
                name += "xu"
                self.answers[key] = MISMATCH
            else:
                self.answers[key] = MATCH
            self.rows.append((key, name, number))

    def keys(self) -> dict[str, int]:
        """Return the key of each row by its ID number."""
        return {number: key for key, _, number in self.rows}

    def fill(self, warehouse: str) -> None:
        """Make the table ``applicants``."""
        with psycopg.connect(warehouse) as connection, connection.cursor() as cursor:
            cursor.execute(
                "CREATE TABLE applicants (applicant_id INTEGER PRIMARY KEY, name TEXT, id_card TEXT)"
            )
            with cursor.copy("COPY applicants FROM STDIN") as copy:
                for row in self.rows:
                    copy.write_row(row)
