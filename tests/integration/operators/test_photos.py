"""Photos by path: what a table may name, and what it may not."""

from __future__ import annotations

import os
import time
from base64 import encodebytes

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException
from airflow.sdk.io import attach
from fsspec.implementations.memory import MemoryFileSystem

from airflow_provider_faceid.api import photo
from airflow_provider_faceid.api.photo import MAX_PHOTO_BASE64
from airflow_provider_faceid.exceptions import (
    ConfigurationError,
    InvalidInputError,
    PhotoStoreError,
)
from airflow_provider_faceid.operators.photo_files import LARGEST, photo_reader
from airflow_provider_faceid.operators.verify import ImageRecognitionV2Operator
from airflow_provider_faceid.operators.verify_batch import ImageRecognitionV2BatchOperator
from tests.support.patience import SOON

PEOPLE = {"source_conn_id": "warehouse", "source": "people"}
PHOTO, SECRET = b"a photo", b"a secret"


@pytest.fixture
def roots(monkeypatch):
    """Configure roots."""
    return lambda *roots: monkeypatch.setenv(
        "AIRFLOW__FACEID__PHOTO_ROOTS", ", ".join(map(str, roots))
    )


@pytest.fixture
def photos(tmp_path, roots):
    """A root with a photo in it, and a secret beside it."""
    folder = tmp_path / "photos"
    (folder / "2026").mkdir(parents=True)
    (folder / "1.jpg").write_bytes(PHOTO)
    (folder / "2026" / "no. #2 (50%20 off)?.jpg").write_bytes(PHOTO)
    (tmp_path / "secret").write_bytes(SECRET)
    (tmp_path / "photos-of-others").mkdir()
    (tmp_path / "photos-of-others" / "1.jpg").write_bytes(SECRET)
    (folder / "link.jpg").symlink_to(folder / "1.jpg")
    (folder / "link-out.jpg").symlink_to(tmp_path / "secret")
    (folder / "folder-out").symlink_to(tmp_path)
    roots(folder)
    return folder


@pytest.mark.parametrize("form", ["{}/1.jpg", "file://{}/1.jpg", " {}//1.jpg ", "{}/link.jpg",
    "{}/2026/no. #2 (50%20 off)?.jpg"])  # fmt: skip
def test_a_path_below_a_root_is_read(photos, form):
    assert photo_reader()(form.format(photos)) == PHOTO


OUTSIDE = {
    "elsewhere": "/etc/passwd",
    "elsewhere as a URL": "file:///etc/passwd",
    "a folder of a longer name": "{}-of-others/1.jpg",
    "dots": "{}/../secret",
    "dots behind a folder": "{}/2026/../../secret",
    "dots that stay inside": "{}/2026/../1.jpg",
    "dots at the end": "{}/..",
    "a dot": "{}/./1.jpg",
    "dots percent-encoded": "{}/%2e%2e/secret",
    "dots percent-encoded twice": "{}/%252E%252E/secret",
    "a slash percent-encoded": "{}/..%2fsecret",
    "backslashes": "{}/..\\secret",
    "backslash percent-encoded": "{}/..%5Csecret",
    "a link": "{}/link-out.jpg",
    "a folder that is a link": "{}/folder-out/secret",
    "NUL": "{}/1.jpg\0.png",
    "NUL percent-encoded": "{}/1.jpg%00.png",
    "a line break": "{}/\r\n1.jpg",
    "no absolute path": "1.jpg",
    "home": "~/secret",
    "another host": "file://example.com{}/1.jpg",
    "another spelling of file": "local://{}/1.jpg",
    "another scheme": "s3://bucket/1.jpg",
    "the network": "http://127.0.0.1:1/1.jpg",
    "a file system on a file system": "simplecache::file://{}/1.jpg",
    "upper case": "FILE://{}/1.jpg",
}


@pytest.mark.parametrize("path", OUTSIDE.values(), ids=OUTSIDE)
def test_a_path_that_leads_elsewhere_is_not_read(photos, path):
    with pytest.raises(InvalidInputError) as error:
        photo_reader()(path.format(photos))
    assert error.value.rule == "photo_path"
    assert str(photos) not in str(error.value)


SWAPPED = {
    "the file": "photos/2026/1.jpg",
    "its folder": "photos/2026",
    "the root": "photos",
    "a folder above the root": ".",
}


@pytest.mark.parametrize("swapped", SWAPPED.values(), ids=SWAPPED)
def test_what_becomes_a_link_after_it_was_checked_leads_nowhere(
    tmp_path, roots, monkeypatch, swapped
):
    """The moment between check and opening, in which somebody else swaps a part of the path."""
    ours, others = tmp_path / "ours", tmp_path / "others"
    for home, content in ((ours, PHOTO), (others, SECRET)):
        (home / "photos" / "2026").mkdir(parents=True)
        (home / "photos" / "2026" / "1.jpg").write_bytes(content)
    roots(ours / "photos")
    path, read = f"{ours}/photos/2026/1.jpg", photo_reader()
    assert read(path) == PHOTO
    resolve = os.path.realpath

    def resolve_and_swap(name: str) -> str:
        real = resolve(name)
        (ours / swapped).rename(tmp_path / "was here")
        (ours / swapped).symlink_to(others / swapped)
        return real

    monkeypatch.setattr(os.path, "realpath", resolve_and_swap)
    with pytest.raises(InvalidInputError) as error:
        read(path)
    monkeypatch.undo()
    assert error.value.rule == "photo_unreadable"


def test_a_folder_that_may_be_searched_but_not_listed_is_passed(photos):
    folder = photos / "2026"
    (folder / "1.jpg").write_bytes(PHOTO)
    folder.chmod(0o311)
    try:
        assert photo_reader()(f"{folder}/1.jpg") == PHOTO
    finally:
        folder.chmod(0o755)


@pytest.fixture
def bucket(roots):
    """A store with a photo below the root, and a secret beside it."""
    files = MemoryFileSystem()
    attach("memory", fs=files)
    attach("memory", conn_id="admin", fs=files)
    files.pipe("/bucket/photos/1.jpg", PHOTO)
    files.pipe("/bucket/secret", SECRET)
    files.pipe("/bucket/photos-of-others/1.jpg", SECRET)
    roots("memory://bucket/photos/")


def test_a_url_below_a_root_is_read(bucket):
    assert photo_reader()("memory://bucket/photos/1.jpg") == PHOTO


@pytest.mark.parametrize(
    "url",
    [
        "memory://bucket/secret",
        "memory://bucket/photos-of-others/1.jpg",
        "memory://bucket/photos/../secret",
        "memory://bucket/photos/%2e%2e/secret",
        "memory://other/photos/1.jpg",
        "memory://admin@bucket/photos/1.jpg",
        "s3://bucket/photos/1.jpg",
        "/bucket/photos/1.jpg",
    ],
)
def test_a_url_that_leads_elsewhere_or_to_another_connection_is_not_read(bucket, url):
    with pytest.raises(InvalidInputError) as error:
        photo_reader()(url)
    assert error.value.rule == "photo_path"


@pytest.mark.parametrize("line_end", [b"", b"\n", b"\r\n"])
def test_the_largest_photo_may_stand_in_a_file_as_text(tmp_path, monkeypatch, line_end):
    monkeypatch.setenv("AIRFLOW__FACEID__PHOTO_ROOTS", str(tmp_path))
    picture = b"\xff\xd8\xff\xda" + bytes(MAX_PHOTO_BASE64 // 4 * 3 - 6) + b"\xff\xd9"
    text = encodebytes(picture).replace(b"\n", line_end)
    (tmp_path / "largest.b64").write_bytes(text)
    read = photo_reader()(f"{tmp_path}/largest.b64")
    assert photo.prepare(read).length == MAX_PHOTO_BASE64
    (tmp_path / "larger.jpg").write_bytes(picture + b"\0")
    with pytest.raises(InvalidInputError, match="photo_size"):
        photo.prepare(photo_reader()(f"{tmp_path}/larger.jpg"))


def test_a_large_object_is_not_read(bucket, monkeypatch):
    files = MemoryFileSystem()
    files.pipe("/bucket/photos/large.jpg", bytes(LARGEST + 1))
    monkeypatch.setattr(files, "open", None)
    with pytest.raises(InvalidInputError) as error:
        photo_reader()("memory://bucket/photos/large.jpg")
    assert error.value.rule == "photo_size"


def test_there_may_be_several_roots(photos, tmp_path, bucket, roots):
    roots(photos, tmp_path / "photos-of-others", "memory://bucket/photos")
    read = photo_reader()
    assert read(f"{photos}/1.jpg") == read("memory://bucket/photos/1.jpg") == PHOTO
    assert read(f"{tmp_path}/photos-of-others/1.jpg") == SECRET


def test_a_root_that_is_a_link_is_what_it_leads_to(photos, tmp_path, roots):
    (tmp_path / "mounted").symlink_to(photos)
    roots(tmp_path / "mounted")
    assert photo_reader()(f"{tmp_path}/mounted/1.jpg") == PHOTO


@pytest.mark.parametrize("kind", ["pipe", "device", "folder", "root"])
def test_what_is_no_file_is_not_waited_for(photos, roots, kind):
    path = {
        "pipe": photos / "pipe",
        "device": "/dev/zero",
        "folder": photos / "2026",
        "root": photos,
    }[kind]
    if kind == "pipe":
        os.mkfifo(path)
    roots(photos, "/dev")
    began = time.monotonic()
    with pytest.raises(InvalidInputError, match="no regular file") as error:
        photo_reader()(str(path))
    assert error.value.rule == "photo_unreadable"
    assert time.monotonic() - began < SOON


def test_a_file_of_10_gigabytes_is_not_read(photos):
    with (photos / "large.jpg").open("wb") as file:
        file.truncate(10 * 2**30)  # takes no space
    began = time.monotonic()
    with pytest.raises(InvalidInputError) as error:
        photo_reader()(f"{photos}/large.jpg")
    assert error.value.rule == "photo_size"
    assert time.monotonic() - began < SOON


def test_a_file_that_says_it_is_empty_and_is_not_is_bounded_too(photos, roots):
    """Those of /proc do; this one has 128 TB."""
    roots(photos, "/proc")
    with pytest.raises(PhotoStoreError, match="EIO"):
        photo_reader()("/proc/self/mem")


@pytest.mark.parametrize("blank", [None, "", " , "])
def test_without_roots_no_path_is_taken(monkeypatch, blank):
    if blank is not None:
        monkeypatch.setenv("AIRFLOW__FACEID__PHOTO_ROOTS", blank)
    with pytest.raises(ConfigurationError, match=r"need \[faceid\] photo_roots"):
        photo_reader()


@pytest.mark.parametrize(
    "root", ["photos", "./photos", "/nowhere/photos", "/etc/passwd", "file://host/photos",
             "s3://", "s3:///photos", "s3://bucket/../photos", "local:///tmp", "zip::/tmp"],
)  # fmt: skip
def test_a_root_that_is_none_is_refused(roots, root):
    roots("/tmp", root)
    with pytest.raises(ConfigurationError, match="neither the absolute path of a folder"):
        photo_reader()


def test_a_table_that_names_other_files_is_quarantined_at_no_charge(bench, context, photos):
    person = bench.ordinary[0]
    (photos / "1.jpg").write_bytes(bench.server.account.gallery.submitted(person))
    paths = [f"{photos}/1.jpg", f"{photos}/../secret", "/etc/passwd", "http://127.0.0.1:1/x"]
    bench.fill([(n, person.id_card, person.name, path) for n, path in enumerate(paths)])
    operator = ImageRecognitionV2BatchOperator(task_id="t", photo_is_path=True, **PEOPLE)
    result = operator.execute(context)
    assert (result["answered"], result["charged"], bench.calls) == (1, 1, 1)
    assert result["quarantined_by_rule"] == {"photo_path": 3}


@pytest.mark.parametrize("path", ["/etc/passwd", "{}/../secret"])
def test_a_single_call_reads_no_other_file(bench, context, photos, path):
    person = bench.ordinary[0]
    operator = ImageRecognitionV2Operator(
        task_id="t", id_card=person.id_card, name=person.name, photo_path=path.format(photos)
    )
    with pytest.raises(AirflowFailException, match="rule photo_path"):
        operator.execute(context)
    assert bench.calls == 0


def test_a_table_of_paths_without_roots_fails_before_anything_is_sent(bench, context):
    person = bench.ordinary[0]
    bench.fill([(1, person.id_card, person.name, "/photos/1.jpg")])
    with pytest.raises(AirflowFailException, match="photo_roots"):
        ImageRecognitionV2BatchOperator(task_id="t", photo_is_path=True, **PEOPLE).execute(context)
    assert bench.calls == 0
