"""The views: grain, columns and SQL of each, made of the metrics and the definitions of the tables.

The SQL is portable: no rounding, no date functions, no percentile functions, no recursion, no alias that
is a reserved word somewhere. No view has a name, a number or a photo.
"""

from __future__ import annotations

from ..tables import HISTORY, RESULTS
from .charges import CHARGES, COSTS, IN_DOUBT
from .columns import counts, named, numbers, rates, same, whole
from .metrics import (
    ANSWER_PLACES,
    COUNTS,
    PARTS,
    RATES,
    ROW_COUNTS,
    rate_of_columns,
    ratio,
)
from .reviews import REVIEW_COLUMNS, REVIEW_QUEUE, WITH_REVIEW
from .views import View, ViewColumn

HIGHEST_SIMILARITY = 100
LOWEST_CUT_OFF = 50
PERCENTILES = (50, 95, 99)

LATEST_COLUMNS = tuple(c for c in RESULTS.columns if c not in {"status", "not_before"})

_ITS_ROW = (
    "JOIN {results} AS answer ON answer.campaign = newest.campaign "
    "AND answer.action = newest.action AND answer.source_key = newest.source_key"
)
_NEWEST_FIRST = (
    "ROW_NUMBER() OVER (PARTITION BY source_key, action, source "
    "ORDER BY answered_at DESC, updated_at DESC, campaign DESC) AS place"
)

LATEST = View(
    "latest",
    "source row x Action: its latest answer, whatever the campaign",
    {
        **{name: one._replace(sql=f"answer.{name}") for name, one in same(*LATEST_COLUMNS).items()},
        **REVIEW_COLUMNS,
    },
    # Keys alone are sorted, the one that differs most first.
    f"(SELECT campaign, action, source_key, {_NEWEST_FIRST} "
    f"FROM {{results}} WHERE status = 'answered') AS newest {_ITS_ROW} {WITH_REVIEW} "
    "WHERE newest.place = 1",
    relations={
        "rows": f"(SELECT *, {_NEWEST_FIRST} FROM {{results}} WHERE status = 'answered') AS answer "
        f"{WITH_REVIEW} WHERE answer.place = 1",
        # SQLite: beside MAX, a column has the value of the row that has it. Moments are texts.
        "lookup": "(SELECT campaign, action, source_key, MAX(COALESCE(answered_at, '') "
        "|| COALESCE(updated_at, '') || campaign) AS place FROM {results} "
        "WHERE status = 'answered' GROUP BY source_key, action, source) AS newest "
        f"{_ITS_ROW} {WITH_REVIEW}",
    },
    with_own_columns=True,
    example="SELECT outcome, COUNT(*) AS people FROM faceid_latest\n"
    "WHERE action = 'IdCardVerification' GROUP BY outcome",
)

PERIOD_COLUMNS = (
    *HISTORY.key,
    *("id_card_hash", "outcome", "code", "similarity", "charged"),
)


def _periods(following: str) -> str:
    """Return the relation of answers, each with the moment of the one that follows it."""
    columns = ", ".join(PERIOD_COLUMNS)
    return (
        f"(SELECT {columns}{{own}}, answered_at, {following} AS next_at FROM {{history}} AS answer "
        "WHERE answer.answered_at IS NOT NULL) AS periods"  # else its person was erased
    )


HISTORY_PERIODS = View(
    "history_periods",
    "final answer, with the period in which it was the latest of its row in its campaign; its other "
    "columns are in the history, by the same key",
    {
        **same(*PERIOD_COLUMNS),
        "valid_from": ViewColumn("answered_at", "timestamp", "when the answer came"),
        "valid_to": ViewColumn(
            "next_at", "timestamp", "when the next answer came; NULL for the current one"
        ),
        "is_current": ViewColumn(
            "CASE WHEN next_at IS NULL THEN 1 ELSE 0 END",
            "integer",
            "1 for the latest answer, 0 before",
        ),
    },
    _periods(
        "LEAD(answered_at) OVER (PARTITION BY source_key, action, campaign "
        "ORDER BY answered_at, updated_at, answer_id)"
    ),
    relations={
        # The index of the key says whether there is another answer at all.
        "lookup": _periods(
            "(SELECT MIN(later.answered_at) FROM {history} AS later "
            "WHERE later.campaign = answer.campaign AND later.action = answer.action "
            "AND later.source_key = answer.source_key AND later.answer_id <> answer.answer_id "
            "AND (later.answered_at, COALESCE(later.updated_at, ''), later.answer_id) "
            "> (answer.answered_at, COALESCE(answer.updated_at, ''), answer.answer_id))"
        )
    },
    with_own_columns=True,
    example="SELECT source_key, outcome FROM faceid_history_periods\n"
    "WHERE valid_from <= '2026-06-30T16:00:00Z'\n"
    "  AND (valid_to > '2026-06-30T16:00:00Z' OR valid_to IS NULL)",
)

DAILY = View(
    "daily",
    "service's day x Action x outcome of final answers",
    {
        **same("verified_date", "action", "outcome"),
        **named("integer", answers=COUNTS["answers"].meaning),
        **named("integer", people="different ID numbers among them; 0 for an Action without one"),
        **named("integer", charged=COUNTS["charged"].meaning),
        "share": ViewColumn(
            ratio("answers", "SUM(answers) OVER (PARTITION BY verified_date, action)"),
            "real",
            "answers / answers of the day and Action",
        ),
    },
    "(SELECT verified_date, action, outcome, COUNT(*) AS answers, "
    f"COUNT(DISTINCT id_card_hash) AS people, {COUNTS['charged'].sql} AS charged "
    "FROM {history} AS answer GROUP BY verified_date, action, outcome) AS counted",
    example="SELECT verified_date, outcome, answers, share FROM faceid_daily\n"
    "WHERE action = 'IdCardVerification' ORDER BY verified_date, outcome",
)

RATES_BY_DAY = View(
    "rates",
    "service's day x Action of final answers",
    {
        **same("verified_date", "action"),
        **counts("answers", *ANSWER_PLACES, "calls", "charged", "may_be_charged"),
        **rates("match_rate", "hit_rate", "review_rate"),
    },
    "{history} AS answer",
    ("verified_date", "action"),
    example="SELECT verified_date, action, match_rate, hit_rate FROM faceid_rates\n"
    "ORDER BY verified_date, action",
)

CODES = View(
    "codes",
    "Action x code x outcome of final answers",
    {
        **same("action", "code", "outcome"),
        **named("text", description="our words for the code"),
        **{
            name: ViewColumn(name, "integer", COUNTS[name].meaning)
            for name in ("answers", "charged", "may_be_charged")
        },
        "share": ViewColumn(
            ratio("answers", "SUM(answers) OVER (PARTITION BY action)"),
            "real",
            "answers / answers of the Action",
        ),
    },
    "(SELECT action, code, outcome, MAX(description) AS description, "
    + ", ".join(f"{COUNTS[n].sql} AS {n}" for n in ("answers", "charged", "may_be_charged"))
    + " FROM {history} AS answer GROUP BY action, code, outcome) AS counted",
    example="SELECT code, description, answers, share FROM faceid_codes\n"
    "WHERE action = 'IdCardVerification' ORDER BY answers DESC",
)

_FUNNEL_COUNTS = (*PARTS, "first_pass")
_ANSWERED = "status = 'answered'"


def _in_results(name: str) -> str:
    """Return the SQL of a count over result rows; none is quarantined."""
    if name == "quarantined":
        return "0"
    condition = f"status = '{name}'" if name in ROW_COUNTS else f"{_ANSWERED} AND ({{}})"
    condition = condition.format(COUNTS[name].condition) if name in COUNTS else condition
    return f"COUNT(CASE WHEN {condition} THEN 1 END)"


_ROWS_IN = " + ".join(PARTS)

FUNNEL = View(
    "funnel",
    "campaign x Action: each row is in one of the places, whose sum is rows_in",
    {
        **same("campaign", "action"),
        "rows_in": ViewColumn(_ROWS_IN, "integer", f"rows known so far: {_ROWS_IN}"),
        **{
            name: ViewColumn(name, "integer", COUNTS[name].meaning if name in COUNTS else words)
            for name, words in {**dict.fromkeys(ANSWER_PLACES, ""), **ROW_COUNTS}.items()
        },
        "first_pass": ViewColumn("first_pass", "integer", COUNTS["first_pass"].meaning),
        **{
            name: ViewColumn(
                rate_of_columns(name, {"answers": f"({' + '.join(ANSWER_PLACES)})"}),
                "real",
                RATES[name].meaning,
            )
            for name in RATES
        },
    },
    "(SELECT campaign, action, "
    + ", ".join(f"{whole(name)} AS {name}" for name in _FUNNEL_COUNTS)
    + " FROM (SELECT campaign, action, "
    + ", ".join(f"{_in_results(name)} AS {name}" for name in _FUNNEL_COUNTS)
    + " FROM {results} AS answer GROUP BY campaign, action UNION ALL "
    "SELECT refused.campaign, refused.action, "
    + ", ".join(
        "COUNT(DISTINCT refused.source_key)" if name == "quarantined" else "0"
        for name in _FUNNEL_COUNTS
    )
    # Not IS NULL: an outer join of ClickHouse fills with empty text.
    + " FROM {quarantine} AS refused LEFT JOIN {results} AS kept "
    "ON kept.campaign = refused.campaign AND kept.action = refused.action "
    "AND kept.source_key = refused.source_key WHERE COALESCE(kept.status, '') = '' "
    "GROUP BY refused.campaign, refused.action) AS parts GROUP BY campaign, action) AS counted",
    example="SELECT campaign, action, rows_in, matched, match_rate, quarantined, postponed, held\n"
    "FROM faceid_funnel",
)

_SCORES = (
    "(SELECT campaign, action, {floor[similarity]} AS score, COUNT(*) AS scored, "
    "COUNT(CASE WHEN outcome = 'match' THEN 1 END) AS accepted, "
    "COUNT(CASE WHEN outcome = 'review' THEN 1 END) AS reviewed "
    f"FROM {{results}} WHERE {_ANSWERED} AND similarity IS NOT NULL "
    "GROUP BY campaign, action, {floor[similarity]}) AS scores"
)

SIMILARITY = View(
    "similarity",
    "campaign x Action x 1 point of similarity: a histogram; empty bins are 0",
    {
        **same("campaign", "action"),
        "similarity_from": ViewColumn("bins.number", "integer", "lower edge, included"),
        "similarity_to": ViewColumn(
            "bins.number + 1", "integer", "upper edge, excluded; 100 is in the bin from 100"
        ),
        "compared": ViewColumn(
            whole("CASE WHEN score = bins.number THEN scored ELSE 0 END"),
            "integer",
            "current answers with a similarity in the bin",
        ),
    },
    f"{_SCORES} CROSS JOIN {numbers(0, HIGHEST_SIMILARITY)} AS bins",
    ("campaign", "action", "similarity_from"),
    example="SELECT similarity_from, compared FROM faceid_similarity\n"
    "WHERE campaign = 'kyc' ORDER BY similarity_from",
)

_COMPARED = whole("scored")
_AT_OR_ABOVE = whole("CASE WHEN score >= cuts.number THEN scored ELSE 0 END")

THRESHOLDS = View(
    "thresholds",
    "campaign x Action x cut-off from 50 to 100: what another similarity threshold would change",
    {
        **same("campaign", "action"),
        "cut_off": ViewColumn("cuts.number", "integer", "similarity from which a face is accepted"),
        "compared": ViewColumn(_COMPARED, "integer", "current answers with a similarity"),
        "at_or_above": ViewColumn(_AT_OR_ABOVE, "integer", "of these, from the cut-off on"),
        "pass_rate": ViewColumn(ratio(_AT_OR_ABOVE, _COMPARED), "real", "at_or_above / compared"),
        "matches_lost": ViewColumn(
            whole("CASE WHEN score < cuts.number THEN accepted ELSE 0 END"),
            "integer",
            "matches of today below the cut-off",
        ),
        "matches_gained": ViewColumn(
            whole("CASE WHEN score >= cuts.number THEN reviewed ELSE 0 END"),
            "integer",
            "reviews of today from the cut-off on",
        ),
    },
    f"{_SCORES} CROSS JOIN {numbers(LOWEST_CUT_OFF, HIGHEST_SIMILARITY)} AS cuts",
    ("campaign", "action", "cut_off"),
    example="SELECT cut_off, pass_rate, matches_lost, matches_gained FROM faceid_thresholds\n"
    "WHERE campaign = 'kyc' AND cut_off IN (60, 70, 80)",
)

_MEASURES = {"latency": "latency_ms", "waiting": "latency_ms + waited_ms"}
_TIMES = " UNION ALL ".join(
    f"SELECT verified_date, action, '{name}' AS measure, {took} AS took, COUNT(*) AS requests "
    f"FROM {{history}} WHERE attempts > 0 AND {took} IS NOT NULL "
    f"GROUP BY verified_date, action, {took}"
    for name, took in _MEASURES.items()
)


def _percentile(measure: str, percent: int) -> str:
    """Return the SQL of a percentile by nearest rank, in whole numbers."""
    return (
        f"MIN(CASE WHEN measure = '{measure}' AND up_to * 100 >= in_all * {percent} THEN took END)"
    )


LATENCY = View(
    "latency",
    "service's day x Action: percentiles by nearest rank over answers to a call of their own",
    {
        **same("verified_date", "action"),
        "calls": ViewColumn(
            "CAST(MAX(CASE WHEN measure = 'latency' THEN in_all END) AS {whole_number})",
            "integer",
            "answers whose latency is known",
        ),
        **{
            f"p{percent}_ms": ViewColumn(
                _percentile("latency", percent),
                "integer",
                f"{percent} % of them took at most so many milliseconds from sending to the answer",
            )
            for percent in PERCENTILES
        },
        **{
            f"p{percent}_with_wait_ms": ViewColumn(
                _percentile("waiting", percent),
                "integer",
                "the same from when the call was ready: with the wait for the pace, and retries",
            )
            for percent in PERCENTILES
        },
    },
    "(SELECT verified_date, action, measure, took, SUM(requests) OVER (PARTITION BY verified_date, "
    "action, measure ORDER BY took) AS up_to, SUM(requests) OVER (PARTITION BY verified_date, "
    f"action, measure) AS in_all FROM ({_TIMES}) AS times) AS ranked",
    ("verified_date", "action"),
    example="SELECT verified_date, p50_ms, p95_ms, p95_with_wait_ms FROM faceid_latency\n"
    "WHERE action = 'IdCardVerification' ORDER BY verified_date",
)

QUARANTINE_REASONS = View(
    "quarantine_reasons",
    "campaign x Action x stage x rule of the quarantine",
    {
        **same("campaign", "action", "stage", "rule"),
        "refusals": ViewColumn("COUNT(*)", "integer", "rows that break the rule"),
        "first_found_at": ViewColumn("MIN(found_at)", "timestamp", "the oldest of them"),
        "last_found_at": ViewColumn("MAX(found_at)", "timestamp", "the newest of them"),
    },
    "{quarantine}",
    ("campaign", "action", "stage", "rule"),
    example="SELECT rule, SUM(refusals) AS refusals FROM faceid_quarantine_reasons\n"
    "GROUP BY rule ORDER BY refusals DESC",
)

WAITING = View(
    "waiting",
    "campaign x Action x status x outcome x due day of rows without an answer",
    {
        **same("campaign", "action", "status", "outcome"),
        "due_date": ViewColumn(
            "{service_day[not_before]}",
            "date",
            "the service's day from which a postponed row is asked about; NULL for a held one",
        ),
        "waiting": ViewColumn("COUNT(*)", "integer", "rows"),
        "due_at": ViewColumn("MIN(not_before)", "timestamp", "when the first of them is due"),
        "waiting_since": ViewColumn("MIN(updated_at)", "timestamp", "when the oldest was written"),
    },
    "{results} WHERE status IN ('postponed', 'held')",
    ("campaign", "action", "status", "outcome", "due_date"),
    example="SELECT due_date, action, SUM(waiting) AS waiting FROM faceid_waiting\n"
    "GROUP BY due_date, action ORDER BY due_date",
)

VIEWS = (
    LATEST,
    HISTORY_PERIODS,
    DAILY,
    RATES_BY_DAY,
    CODES,
    CHARGES,
    COSTS,
    IN_DOUBT,
    FUNNEL,
    SIMILARITY,
    THRESHOLDS,
    LATENCY,
    QUARANTINE_REASONS,
    WAITING,
    REVIEW_QUEUE,
)
"""All views, in the order of the docs."""
