"""Errors that leave without frames: what stays of them, and what does not."""

from __future__ import annotations

import inspect
import logging
import traceback

import pytest
from airflow.sdk.exceptions import AirflowException

from airflow_provider_faceid.api.id_card import Check, prepare
from airflow_provider_faceid.exceptions import (
    AccountError,
    InternalError,
    InvalidInputError,
    UncertainError,
)
from airflow_provider_faceid.process import safe_message, strip_frames, without_frames

PERSON = "韦小宝龘靐"


@without_frames
def fails(name: str, error: BaseException | type[BaseException], **more: object) -> None:
    held = {"name": name, **more}
    if held:
        raise error


def leaving(error: BaseException | type[BaseException], **more: object) -> BaseException:
    """Return what leaves a function of ours."""
    with pytest.raises(BaseException) as caught:
        fails(PERSON, error, **more)
    return caught.value


def shown(error: BaseException | None) -> str:
    """Return the variables of all frames behind the test's own."""
    if error is None:
        return ""
    frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__)]
    texts = [repr(frame.f_locals) for frame in frames if frame.f_code.co_name != "leaving"]
    parts = error.exceptions if isinstance(error, BaseExceptionGroup) else ()
    inner = (error.__cause__, error.__context__, *parts)
    return "".join([repr(error), str(error), *texts, *map(shown, inner)])


def chained(cause: BaseException, error: BaseException) -> BaseException:
    """Return an error that another one led to, each with frames that hold a person."""
    name = PERSON
    try:
        try:
            raise cause  # noqa: TRY301 - a chain is what is wanted
        except BaseException as first:
            raise error from first
    except BaseException as second:  # noqa: BLE001 - what the test is about
        assert name
        return second


@pytest.mark.parametrize(
    "error",
    [
        AccountError("arrears", code="c", request_id="r-1"),
        InvalidInputError("name_missing", "a name is needed"),
        AirflowException("the task ends"),
        KeyboardInterrupt("stop"),
    ],
)
def test_an_error_of_ours_or_of_airflow_stays_what_it_is(error):
    text, attributes = str(error), dict(vars(error))
    left = leaving(error)
    assert left is error
    assert str(left) == text
    assert vars(left).items() >= attributes.items()
    assert PERSON not in shown(left)


@pytest.mark.parametrize(
    "error", [KeyError(PERSON), ValueError(f"bad: {PERSON}"), RuntimeError(PERSON, {"a": PERSON})]
)
def test_any_other_may_quote_a_person_and_is_replaced(error, caplog):
    left = leaving(error)
    assert type(left) is InternalError
    assert str(left).startswith(f"{type(error).__name__} at test_process.py:")
    assert PERSON not in shown(left) + caplog.text
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert ", in fails" in record.message


def test_an_error_of_the_system_keeps_its_reason():
    left = leaving(OSError(28, "No space left on device", f"/photos/{PERSON}.jpg"))
    assert str(left).startswith("OSError (No space left on device) at test_process.py:")
    assert PERSON not in shown(left)


def test_what_led_to_an_error_stays_if_it_speaks_of_nobody():
    left = leaving(chained(UncertainError("no answer"), AirflowException("failed")))
    assert type(left.__cause__) is UncertainError
    assert PERSON not in shown(left)
    left = leaving(chained(KeyError(PERSON), AccountError("arrears")))
    assert left.__cause__ is None
    assert left.__context__ is None
    assert PERSON not in shown(left)


def test_a_context_that_was_suppressed_stays_suppressed():
    try:
        try:
            raise UncertainError("first")  # noqa: TRY301 - as above
        except UncertainError:
            raise AccountError("second") from None
    except AccountError as error:
        left = leaving(error)
    assert left.__suppress_context__
    assert PERSON not in shown(left)


def test_the_parts_of_a_group_are_bare_too():
    parts = [
        chained(ValueError(PERSON), AccountError("arrears")),
        KeyError(PERSON),
        ExceptionGroup(PERSON, [TypeError(PERSON)]),
    ]
    left = leaving(ExceptionGroup(f"errors of {PERSON}", parts))
    assert [type(part) for part in left.exceptions] == [
        AccountError,
        InternalError,
        ExceptionGroup,
    ]
    assert PERSON not in shown(left)


def test_the_place_stays_as_a_note():
    with pytest.raises(InvalidInputError) as caught:
        without_frames(prepare)("1101", None, Check.STRICT)
    (note,) = caught.value.__notes__
    path, line, _, function = note.removeprefix("raised at ").replace(":", " ").split(" ")
    assert path.startswith("airflow_provider_faceid/api/")
    assert line.isdecimal()
    assert function


def test_a_second_edge_adds_nothing():
    left = leaving(AccountError("arrears"))
    notes = list(left.__notes__)
    assert leaving(left).__notes__ == notes


def test_a_call_with_other_arguments_than_there_are_is_said_so():
    with pytest.raises(TypeError, match="missing 1 required positional argument: 'error'"):
        fails(PERSON)


def test_a_debugger_finds_the_arguments_it_looks_for():
    left = leaving(AccountError("arrears"))
    for frame, _ in traceback.walk_tb(left.__traceback__):
        found = inspect.getargvalues(frame)
        assert set(found.args) | {found.varargs, found.keywords} - {None} <= found.locals.keys()


def test_signature_and_words_of_a_function_stay():
    assert list(inspect.signature(without_frames(prepare)).parameters) == list(
        inspect.signature(prepare).parameters
    )
    assert without_frames(prepare).__doc__ == prepare.__doc__


def test_a_chain_that_bites_its_tail_ends():
    first, second = AccountError("first"), UncertainError("second")
    first.__cause__, second.__context__ = second, first
    assert strip_frames(first) is first


def test_a_safe_message_quotes_no_value():
    assert safe_message(AccountError("arrears")) == "arrears"
    assert safe_message(KeyError(PERSON)) == "KeyError"
