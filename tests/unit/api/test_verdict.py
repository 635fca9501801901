import pytest

from airflow_provider_faceid.api.codes import BELOW_THRESHOLD, IMPLAUSIBLE, Outcome, Step
from airflow_provider_faceid.api.messages import Reply
from airflow_provider_faceid.api.verdict import DEFAULT_THRESHOLD, judge

LOW = "FailedOperation.CompareLowSimilarity"


def face(code="Success", **fields):
    return Reply("ImageRecognitionV2", code, fields=fields)


@pytest.mark.parametrize(
    ("similarity", "threshold", "outcome"),
    [
        (89.88, 70, Outcome.MATCH),
        (70.0, 70, Outcome.MATCH),
        (70, 70, Outcome.MATCH),
        (69.99, 70, Outcome.REVIEW),
        (70.0, 80, Outcome.REVIEW),
        (79.99, 80, Outcome.REVIEW),
        (80.0, 80, Outcome.MATCH),
        (100.0, 100, Outcome.MATCH),
        (100, 100, Outcome.MATCH),
        (0.0, 0, Outcome.MATCH),
        (0, 70, Outcome.REVIEW),
        (100.0, 100.01, Outcome.REVIEW),
    ],
)
def test_a_face_match_counts_from_the_threshold_on(similarity, threshold, outcome):
    verdict = judge(face(Sim=similarity), threshold)
    assert verdict.outcome is outcome
    assert verdict.similarity == similarity
    assert verdict.charged is True
    assert verdict.step is Step.RECORD


def test_the_threshold_is_70_unless_told():
    assert DEFAULT_THRESHOLD == 70
    assert judge(face(Sim=70.0)).is_match
    assert not judge(face(Sim=69.99)).is_match


def test_below_the_threshold_the_verdict_says_why_and_keeps_the_code():
    verdict = judge(face(Sim=75.0), threshold=80)
    assert verdict.code == "Success"
    assert verdict.meaning == BELOW_THRESHOLD.meaning


@pytest.mark.parametrize("threshold", [0, 70, 100])
@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"Sim": None},
        {"Sim": 101},
        {"Sim": 100.01},
        {"Sim": -1},
        {"Sim": -0.01},
        {"Sim": "89.88"},
        {"Sim": True},
        {"Sim": [89.88]},
        {"Sim": float("nan")},
        {"Sim": float("inf")},
        {"Sim": 10**400},
    ],
    ids=[
        "missing",
        "null",
        "101",
        "just over 100",
        "-1",
        "just under 0",
        "text",
        "bool",
        "list",
        "NaN",
        "infinite",
        "huge",
    ],
)
def test_a_match_without_a_plausible_similarity_is_an_error(fields, threshold):
    verdict = judge(face(**fields), threshold)
    assert verdict.outcome is Outcome.ERROR
    assert verdict.similarity is None
    assert verdict.charged is True
    assert verdict.meaning == IMPLAUSIBLE.meaning
    assert not verdict.is_match


@pytest.mark.parametrize("threshold", [0, 20, 70])
def test_a_low_similarity_stays_a_mismatch_whatever_the_threshold(threshold):
    verdict = judge(face(LOW, Sim=26.04), threshold)
    assert verdict.outcome is Outcome.MISMATCH
    assert verdict.similarity == 26.04
    assert verdict.charged is True


@pytest.mark.parametrize(
    ("code", "outcome"),
    [
        (LOW, Outcome.MISMATCH),
        ("FailedOperation.IdNameMisMatch", Outcome.MISMATCH),
        ("FailedOperation.IdNoExistSystem", Outcome.NOT_FOUND),
        ("FailedOperation.LifePhotoDetectFake", Outcome.REVIEW),
        ("FailedOperation.Invented", Outcome.ERROR),
        ("0", Outcome.ERROR),
        ("", Outcome.ERROR),
    ],
)
def test_a_high_similarity_never_makes_a_match(code, outcome):
    assert judge(face(code, Sim=99.99), threshold=0).outcome is outcome


def test_an_action_that_compares_no_faces_has_no_similarity():
    verdict = judge(Reply("IdCardVerification", "0", fields={"Sim": 10.0}))
    assert verdict.is_match
    assert verdict.similarity is None


@pytest.mark.parametrize("code", ["0", "Success"])
def test_an_unknown_action_never_matches(code):
    verdict = judge(Reply("SomeOtherAction", code, fields={"Sim": 99.0}))
    assert verdict.outcome is Outcome.UNJUDGED
    assert verdict.charged is None
    assert not verdict.is_match


@pytest.mark.parametrize(
    ("code", "charged"), [("0", True), ("-5", False), ("FailedOperation.Invented", None)]
)
def test_charged_is_yes_no_or_not_known(code, charged):
    assert judge(Reply("IdCardVerification", code)).charged is charged


def test_a_verdict_carries_the_marks_of_the_reply():
    fields = {"Result": "-1", "Name": "Wei Xiaobao"}
    reply = Reply("IdCardVerification", "-1", "mismatch", "request-1", fields)
    verdict = judge(reply)
    assert (verdict.action, verdict.code) == ("IdCardVerification", "-1")
    assert (verdict.description, verdict.request_id) == ("mismatch", "request-1")
    assert verdict.fields is fields
    assert (verdict.attempts, verdict.latency_ms) == (1, 0)


def test_a_printed_verdict_does_not_show_the_fields():
    printed = repr(judge(face(Sim=89.88, Name="Wei Xiaobao")))
    assert "fields" not in printed
    assert "Wei Xiaobao" not in printed


@pytest.mark.parametrize(
    ("code", "similarity", "kept"),
    [
        (LOW, 26.04, 26.04),
        (LOW, 0.0, 0.0),
        ("InternalError.CompareLowSimilarity", 0.0, 0.0),
        ("FailedOperation.IdNameMisMatch", 0.0, None),
        ("FailedOperation.LifePhotoDetectFake", 0, None),
        ("FailedOperation.Unheard", 0.0, None),
        ("FailedOperation.Unheard", 61.5, 61.5),
        ("Success", 0.0, 0.0),
    ],
)
def test_a_similarity_of_nothing_that_was_compared_is_none(code, similarity, kept):
    """The service's field is a number in every answer."""
    assert judge(face(code, Sim=similarity)).similarity == kept
