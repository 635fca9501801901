"""Routes of the review queue: counts, the cases of a campaign, and the form that decides one of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated
from urllib.parse import parse_qs

from fastapi import APIRouter, Depends, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from ...clock import SYSTEM_CLOCK
from ...exceptions import (
    ConfigurationError,
    FaceIdError,
    NotAReviewerError,
    ReviewError,
)
from ...hooks.readers import Warehouse, configured
from ...warehouse.review.decisions import MAX_NOTE, Case
from ...warehouse.review.overview import CASES_SHOWN
from ...warehouse.review.repository import ReviewsRepository
from ...warehouse.review.rules import ReviewDecision
from ...warehouse.sql.database import Database
from .rights import FIELD, LOGGED_IN, Rights, form_token, is_own_form
from .routes import UNAVAILABLE, Of, Reading, named, unknown_page
from .view import FORM_SECURITY, message, page, to

FORBIDDEN, CONFLICT, UNPROCESSABLE, SEE_OTHER, TOO_LARGE = 403, 409, 422, 303, 413
MOST_BYTES = 16_384
"""Of the body of a form: a note, a few words and numbers."""
TAKE, GIVE_BACK = "take", "give_back"
"""What a form may do besides the decisions."""

STATUS: Mapping[type[FaceIdError], int] = {
    NotAReviewerError: FORBIDDEN,
    ReviewError: CONFLICT,
    ConfigurationError: UNPROCESSABLE,
}
"""Status of the answer by error; the first one that fits. Any other is 503."""

router = APIRouter(dependencies=[LOGGED_IN], default_response_class=HTMLResponse)


@router.get("/reviews")
def reviews(request: Request, of: Of, reader: Reading, conn: str = "", name: str = "") -> Response:
    """
    Show the review queue: of all campaigns whose DAGs may be read, or the cases of one.

    :param conn: the warehouse; all of them if not given.
    :param name: the campaign, with ``conn``.
    """
    if conn:
        warehouse = named(conn)
        if warehouse is None:
            return unknown_page()
        return _cases(request, of, reader, warehouse, name)
    shown = []
    for warehouse in configured():
        try:
            queue, dags = reader.review_queue(warehouse)
            visible = {key for key, ids in dags.items() if all(map(of.may_read, ids))}
            shown.append((warehouse, [row for row in queue if row["campaign"] in visible], ""))
        except FaceIdError as error:
            shown.append((warehouse, [], str(error)))
    return page("reviews.html", warehouses=shown, now=SYSTEM_CLOCK.now())


def _cases(
    request: Request, of: Rights, reader: Reading, warehouse: Warehouse, campaign: str
) -> Response:
    try:
        queue, dags = reader.review_queue(warehouse)
        readable = frozenset(one for one in dags.get(campaign, ()) if of.may_read_keys(one))
        cases = reader.review_cases(warehouse, campaign, readable)
    except FaceIdError as error:
        return message("The warehouse cannot be read", str(error), UNAVAILABLE)
    if not readable:
        return unknown_page()
    may_read_all = all(map(of.may_read, dags[campaign]))
    return page(
        "cases.html",
        security=FORM_SECURITY,
        warehouse=warehouse,
        name=campaign,
        queue=[row for row in queue if row["campaign"] == campaign] if may_read_all else [],
        cases=[(case, of.may_edit(case.dag_id), _token(request, case)) for case in cases][
            :CASES_SHOWN
        ],
        more=len(cases) > CASES_SHOWN,
        most=CASES_SHOWN,
        now=SYSTEM_CLOCK.now(),
        me=of.user_id,
        decisions=list(ReviewDecision),
        field=FIELD,
        longest_note=MAX_NOTE,
    )


def _token(request: Request, case: Case) -> str:
    return form_token(request, case.review_id, case.version)


@dataclass(frozen=True)
class Form:
    """
    What the form of a case says.

    :param name: the campaign whose cases were shown: where to go back to, and nothing else.
    """

    conn: str
    name: str
    review_id: str
    version: str
    do: str
    note: str
    token: str


async def form_of(request: Request) -> Form | None:
    """Read the form of a request; None if it is longer than any of ours."""
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > MOST_BYTES:
            return None
    fields = parse_qs(body.decode("utf-8", "replace"), keep_blank_values=True)
    names = ("conn", "name", "review_id", "version", "do", "note", FIELD)
    return Form(*(fields.get(name, [""])[0] for name in names))


@router.post("/review")
async def review(
    request: Request, of: Of, reader: Reading, form: Annotated[Form | None, Depends(form_of)]
) -> Response:
    """Decide or assign a case as the user who is logged in, who must have the right to edit its DAG runs."""
    if form is None:
        return message("Too long", "This is more than the form of a case holds", TOO_LARGE)
    back = to("reviews", conn=form.conn, name=form.name) if form.name else ""
    if not is_own_form(request, form.token, form.review_id, form.version):
        return message(
            "Nothing was changed",
            "This form is not of your present session: load the page of the case again",
            FORBIDDEN,
            back=back,
        )
    warehouse = named(form.conn)
    if warehouse is None:
        return unknown_page()
    try:
        case = await run_in_threadpool(
            reader.write, warehouse, lambda database: _change(database, warehouse, of, form)
        )
    except FaceIdError as error:
        status = next(
            (code for kind, code in STATUS.items() if isinstance(error, kind)), UNAVAILABLE
        )
        return message("Nothing was changed", str(error), status, back=back)
    if case is None:
        return unknown_page()
    where = to("reviews", conn=form.conn, name=case.campaign)
    return RedirectResponse(where, SEE_OTHER, headers=FORM_SECURITY)


def _change(database: Database, warehouse: Warehouse, of: Rights, form: Form) -> Case | None:
    """
    Carry out what a form says.

    :return: the case; None for one that the user may not read.
    :raises FaceIdError: it cannot be done so; nothing was changed.
    """
    repository = ReviewsRepository(database, SYSTEM_CLOCK, names=warehouse.names)
    case = repository.case(form.review_id)
    if not of.may_read_keys(case.dag_id):
        return None
    if not of.may_edit(case.dag_id):
        raise NotAReviewerError(
            f"Airflow does not let you edit runs of DAG '{case.dag_id}', which entered this case. "
            "Nothing was changed"
        )
    version = int(form.version) if form.version.isascii() and form.version.isdigit() else -1
    if form.do in {TAKE, GIVE_BACK}:
        to_whom = of.user_id if form.do == TAKE else ""
        return repository.assign(form.review_id, to_whom, of.user_id, version=version)
    return repository.decide(
        form.review_id, form.do, of.user_id, note=form.note, version=version, origin=""
    )
