"""Reports are read below the folders the configuration names, and nowhere else."""

from __future__ import annotations

import pytest

from airflow_provider_faceid.exceptions import ConfigurationError
from airflow_provider_faceid.plugins.pages import reports
from airflow_provider_faceid.plugins.pages.reports import _is_below


@pytest.mark.parametrize(
    ("path", "root", "expected"),
    [
        ("/reports/a.html", "/reports", True),
        ("/reports/2026/a.html", "/reports/", True),
        ("file:///reports/a.html", "/reports", True),
        ("/reports", "/reports", False),
        ("/reports-of-others/a.html", "/reports", False),
        ("/reports/../etc/passwd", "/reports", False),
        ("/etc/passwd", "/reports", False),
        ("s3://conn@bucket/reports/a.html", "s3://conn@bucket/reports", True),
        ("s3://conn@other/reports/a.html", "s3://conn@bucket/reports", False),
        ("s3://bucket/reports/a.html", "/reports", False),
    ],
)
def test_reports_are_read_below_their_roots_only(path, root, expected):
    assert _is_below(path, root) is expected


def test_a_link_out_of_a_folder_leads_nowhere(tmp_path, monkeypatch):
    (tmp_path / "secret.html").write_text("secret")
    folder = tmp_path / "reports"
    folder.mkdir()
    (folder / "good.html").write_text("good")
    (folder / "link.html").symlink_to(tmp_path / "secret.html")
    monkeypatch.setenv("AIRFLOW__FACEID__REPORT_ROOTS", f"{folder}, s3://conn@bucket/reports")
    assert reports.read(str(folder / "good.html")) == b"good"
    for path in (folder / "link.html", tmp_path / "secret.html", folder / ".." / "secret.html"):
        with pytest.raises(ConfigurationError, match="report_roots"):
            reports.read(str(path))
    with pytest.raises(OSError, match="No such file"):
        reports.read(str(folder / "gone.html"))


def test_without_roots_no_report_is_read(tmp_path, monkeypatch):
    (tmp_path / "a.html").write_text("a")
    monkeypatch.delenv("AIRFLOW__FACEID__REPORT_ROOTS", raising=False)
    with pytest.raises(ConfigurationError, match="report_roots"):
        reports.read(str(tmp_path / "a.html"))


def test_a_file_that_is_no_report_for_its_size_is_not_read(tmp_path, monkeypatch):
    (tmp_path / "a.html").write_bytes(b"x" * (reports.MOST_BYTES + 1))
    monkeypatch.setenv("AIRFLOW__FACEID__REPORT_ROOTS", str(tmp_path))
    with pytest.raises(ConfigurationError, match="more than"):
        reports.read(str(tmp_path / "a.html"))
