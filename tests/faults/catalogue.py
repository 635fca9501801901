"""The faults: what may go wrong, and what is to be expected then."""

from __future__ import annotations

from typing import NamedTuple


class Fault(NamedTuple):
    """
    One row of the list.

    :param name: what goes wrong.
    :param expected: what a user may count on.
    """

    name: str
    expected: str


FAULTS: dict[int, Fault] = {
    1: Fault("the endpoint refuses connections at the start", "waits until it is back"),
    2: Fault(
        "DNS knows no address", "waits as before something was sent; says so if it stays away"
    ),
    3: Fault("the TLS certificate is not trusted", "stops at once, nothing sent"),
    4: Fault("connecting takes too long", "repeated, never in doubt"),
    5: Fault(
        "no answer in time, the call was processed",
        "held: charged once; `retry`: at most twice, and counted",
    ),
    6: Fault("no answer in time, the call was not processed", "the same, and nothing charged"),
    7: Fault("the connection breaks before the answer", "as without an answer"),
    8: Fault("half an answer, a page of HTML, an empty answer", "the same; the body is in no log"),
    9: Fault("the answer dribbles in", "the time limit is for the whole answer"),
    10: Fault(
        "the gateway answers 502, 503, 504, before and after the call was processed",
        "pauses; nobody paid twice: few rows held, all of them counted; what it refused is repeated",
    ),
    11: Fault(
        "somebody else uses the quota",
        "every worker slows down within 1 s; 95 % of the pace 60 s after it ends",
    ),
    12: Fault("the quota is halved without a word", "after 30 s fewer than 2 % are refused"),
    13: Fault(
        "one name is asked about too often for a day", "its rows wait for tomorrow, no other"
    ),
    14: Fault("one number is asked about too often for a minute", "its rows wait a minute"),
    15: Fault("midnight in Beijing passes", "the counts of the day begin anew, once"),
    16: Fault(
        "the authority is away for 10 minutes", "its rows are called later, none is set aside"
    ),
    17: Fault(
        "the account is in arrears in the middle of a run",
        "stops within what is in flight; a later run does the rest",
    ),
    18: Fault("the key is wrong or deleted", "stops before the second row, names the connection"),
    19: Fault(
        "the clock is 10 minutes wrong",
        "signs once more with the service's time; then stops and says how wrong",
    ),
    20: Fault(
        "the temporary token expires in the middle of a run",
        "fetches a new one where the old one came from; one that stands in the connection stops the "
        "run, and a run with a new token does the rest",
    ),
    21: Fault("a result code nobody knows", "the row is an `error`, the run goes on"),
    22: Fault("the similarity is missing, 101 or a text", "the row is an `error`, never a `match`"),
    23: Fault(
        "workers are killed (`kill -9`) at random moments",
        "nobody paid twice, nothing lost; in doubt at most what was in flight",
    ),
    24: Fault("the task is ended from outside (SIGTERM)", "what is in flight is awaited and kept"),
    25: Fault("two runs of the same work at once", "each row is called by one of them"),
    26: Fault("a stopped try wakes beside its successor", "it neither calls nor records"),
    27: Fault("the state store is away", "nothing is sent; waits a while, then stops"),
    28: Fault(
        "a worker is stopped and goes on later", "the others keep the pace; no burst when it wakes"
    ),
    29: Fault("the workers' clocks differ by 5 s", "the pace holds"),
    30: Fault("the warehouse is away", "answers are kept and loaded later, without a call"),
    31: Fault("a worker dies while it loads answers", "they are loaded again, each once"),
    32: Fault("a person twice in the source", "one call, both rows answered"),
    33: Fault("the source changes during the run", "each row counts as it was when it was read"),
    34: Fault("the ledger is damaged", "stops; it is never taken for an empty one"),
    35: Fault("the disk is full", "stops before the next paid call"),
    36: Fault(
        "odd input: dots, wide and decomposed letters, invisible marks, joiners, texts of a missing "
        "value, 1 or 50 characters, spaces",
        "brought into form or set aside; nothing charged for what is invalid",
    ),
    37: Fault(
        "a photo is missing, empty, 4 MB, a GIF, no Base64",
        "set aside before it is sent; one in lines or behind a byte order mark is sent; a folder or "
        "store that is away sets nobody aside",
    ),
    38: Fault("very many rows", "memory stays flat, below 300 MB"),
    39: Fault("the budget is used up", "stops before the charge that would exceed it"),
    40: Fault("the check of the data fails", "what comes after does not run; no value is shown"),
    41: Fault("the encryption key is wrong", "stops at the first row"),
    42: Fault("names of tables and columns with quotes, emoji, SQL words", "quoted as they are"),
    43: Fault(
        "a daily DAG over a table that hardly changes, for 30 days",
        "everybody once, then only rows that are new, changed, expired, postponed or mended",
    ),
    44: Fault(
        "the table is reloaded and its keys name other people",
        "stops before the first call; no row keeps another person's verdict",
    ),
    45: Fault(
        "one question from batch, single operator, hook and another task",
        "one charge, one answer for all",
    ),
    46: Fault(
        "rows are mended after the service or the input rules refused them",
        "asked about in the next run; an unmended one is not",
    ),
    47: Fault(
        "keys that differ but have the same text; keys a driver rounds; keys of 9 kB, with NUL",
        "refused by name, or set aside before a call; the run ends",
    ),
    48: Fault("text that is no UTF-8 in one row", "that row is set aside, all others answered"),
    49: Fault(
        "the warehouse refuses one answer of many",
        "the others are written; it is set aside with its reason, and stays in the ledger",
    ),
    50: Fault(
        "the warehouse can be read but not written to", "stops before the first call, says why"
    ),
    51: Fault(
        "PostgreSQL behind pgbouncer in transaction mode, as state store and warehouse",
        "works; a parameter that a pooler cannot keep is named",
    ),
    52: Fault(
        "serializable, deadlocks, cancelled statements, a server restart while a page is read",
        "repeated; no row is held that never left",
    ),
    53: Fault(
        "the clock is put back or forward by an hour, two runs of one campaign",
        "nobody waits an hour; an answered row stays answered",
    ),
    54: Fault(
        "a proxy closes, resets or talks something else; TLS is ended in the handshake; a connection "
        "is forgotten",
        "not sent: repeated, never held",
    ),
    55: Fault(
        "the state store takes 3 s for a step while the service throttles", "the event loop goes on"
    ),
    56: Fault(
        "an error tracker or a debugger prints the variables of every frame", "nobody is among them"
    ),
    57: Fault("the SecretKey is rotated and there is no hash key", "says so before the first call"),
    58: Fault(
        "a setting is misspelt: of a connection, of Airflow's configuration, of an operator",
        "refused by name, with the nearest known one",
    ),
    59: Fault(
        "tables of an older version, with a column of the user; of a newer version",
        "brought up to date, the column kept; refused with what to do",
    ),
    60: Fault(
        "a ledger of very many calls, counters and tries",
        "starting a task reads none of them; it grows as documented",
    ),
    61: Fault(
        "photos over a slow uplink: 20 Mbit/s, 200 ms, small buffers, shards",
        "every row answered, none held, the bill the same later",
    ),
    62: Fault(
        "uploads stall in the middle",
        "not sent, connection reset, repeated; never billed afterwards",
    ),
    63: Fault(
        "somebody pauses the Action while workers call, and resumes it",
        "each sends nothing more within 2 s, no row is lost or in doubt, not even if a worker dies "
        "meanwhile; all go on within 2 s",
    ),
    64: Fault(
        "single calls with priority come while a table is verified on several workers",
        "no second holds more calls than the quota; each row is called once",
    ),
}
"""The faults by number."""
