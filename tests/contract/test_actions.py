"""The rows of ``ACTIONS`` against the text of the API pages."""

import re
from pathlib import Path

import pytest

from airflow_provider_faceid.api.action import DEFAULT_HOST
from airflow_provider_faceid.api.actions import ACTIONS
from airflow_provider_faceid.api.fields import ID_CARD, NAME, OBJECT, PHOTO
from airflow_provider_faceid.api.verdict import DEFAULT_THRESHOLD, MAX_SIMILARITY

PAGES = {
    "IdCardVerification": "id_card_verification.txt",
    "ImageRecognitionV2": "image_recognition_v2.txt",
}
SIBLINGS = Path(__file__).parents[1] / "data" / "sibling-actions.md"
"""Facts about the Actions that have no page here; ``test_siblings.py`` compares them."""
COMMON_PARAMETERS = {"Action", "Version", "Region"}


def read_page(name):
    return Path(__file__).with_name("data").joinpath(PAGES[name]).read_text("utf-8")


@pytest.fixture(params=PAGES)
def action(request):
    return ACTIONS[request.param]


@pytest.fixture
def page(action):
    return read_page(action.name)


def parameters(page):
    """Return (name, required, type) of every row of a page's request table."""
    rows = re.findall(r"^\| (\w+) \| (Yes|No) \| (\w+) \|", page, re.MULTILINE)
    return [
        (name, required == "Yes", type_)
        for name, required, type_ in rows
        if name not in COMMON_PARAMETERS
    ]


def test_every_action_has_its_page_or_is_a_sibling():
    listed = re.findall(r"^\| (\w+) \| [^|]*1061", SIBLINGS.read_text("utf-8"), re.MULTILINE)
    assert set(ACTIONS) == {*PAGES, *listed}


def test_name_and_version(action, page):
    assert re.findall(r"The value used for this API: ([\w-]+)\.", page) == [
        action.name,
        action.version,
    ]


def test_host(page):
    assert f"Domain name for API request: {DEFAULT_HOST}." in page


def test_quota(action, page):
    (quota,) = re.findall(r"A maximum of (\d+) requests can be initiated per second", page)
    assert action.quota == int(quota)


def test_fields_and_which_are_required(action, page):
    assert [(f.name, f.required) for f in action.fields] == [
        (name, required) for name, required, _ in parameters(page)
    ]


def test_objects_are_what_the_page_does_not_call_a_string(action, page):
    assert [f.name for f in action.fields if f.type is OBJECT] == [
        name for name, _, type_ in parameters(page) if type_ != "String"
    ]


def test_faces_are_compared_where_a_similarity_is_answered(action, page):
    assert action.compares_faces is ("| Sim | Float |" in page)


def test_threshold_and_range_are_the_ones_the_page_names():
    page = read_page("ImageRecognitionV2")
    (highest,) = re.findall(r"Value ranges from 0\.00 to ([\d.]+)\.", page)
    (recommended,) = re.findall(r"Recommend at least (\d+) to be determined", page)
    assert float(highest) == MAX_SIMILARITY
    assert float(recommended) == DEFAULT_THRESHOLD


@pytest.mark.parametrize(
    ("type_", "field"),
    [(ID_CARD, "IdCard"), (NAME, "Name"), (OBJECT, "Encryption")],
    ids=["id_card", "name", "object"],
)
def test_a_field_is_found_by_what_it_holds(action, type_, field):
    assert action.field_of(type_).name == field


def test_only_the_action_that_compares_faces_takes_a_photo(action):
    assert (action.field_of(PHOTO) is not None) is action.compares_faces
