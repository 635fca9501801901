"""The archives a release consists of, built once, and environments that hold only the wheel."""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.patience import PATIENCE

PROJECT = Path(__file__).resolve().parents[2]
NAME = "airflow_provider_faceid"
# The test environment holds the project's source as an editable install; links to these are left out.
EDITABLE = (NAME, f"_editable_impl_{NAME}", "__editable__")


@dataclass(frozen=True)
class Release:
    """
    The built archives.

    :ivar wheel: the wheel, built from the unpacked sdist, as an installer without a wheel does.
    :ivar sdist: the sdist.
    :ivar unpacked: the folder the sdist was unpacked into.
    """

    wheel: Path
    sdist: Path
    unpacked: Path


@dataclass(frozen=True)
class Environment:
    """
    A virtual environment that is not the tests' own.

    :ivar folder: where it is.
    :ivar home: a folder without any of the project's files, which commands run in.
    """

    folder: Path
    home: Path

    @property
    def python(self) -> Path:
        return self.folder / "bin" / "python"

    def run(self, *command: str | Path, cwd: Path | None = None) -> str:
        """Run a command of this environment and return what it printed."""
        return run(self.python, *command, cwd=cwd or self.home, home=self.home)


def run(*command: str | Path, cwd: Path, home: Path | None = None) -> str:
    """Run a command without the variables of the caller's Python and Airflow."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "AIRFLOW"))}
    done = subprocess.run(
        command,
        cwd=cwd,
        env=kept | {"AIRFLOW_HOME": str(home or cwd)},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout


@pytest.fixture(scope="session")
def release(tmp_path_factory: pytest.TempPathFactory) -> Release:
    """Build the sdist from the source, and the wheel from the sdist, without a package index."""
    folder = tmp_path_factory.mktemp("release")
    build = (sys.executable, "-m", "hatchling", "build", "-d", folder)
    run(*build, "-t", "sdist", cwd=PROJECT, home=folder)
    (sdist,) = folder.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        archive.extractall(folder / "unpacked", filter="data")
    (unpacked,) = (folder / "unpacked").iterdir()
    run(*build, "-t", "wheel", cwd=unpacked, home=folder)
    (wheel,) = folder.glob("*.whl")
    return Release(wheel, sdist, unpacked)


@pytest.fixture(scope="session")
def dependencies_only(tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """An environment with links to everything the tests run on, except the project itself."""
    home = tmp_path_factory.mktemp("thin")
    one = Environment(home / "env", home)
    run(sys.executable, "-m", "venv", "--without-pip", one.folder, cwd=home)
    (packages,) = one.folder.glob("lib/python3*/site-packages")
    for folder in filter(lambda path: path.endswith("site-packages"), sys.path):
        for entry in Path(folder).iterdir():
            link = packages / entry.name
            if entry.name.startswith(EDITABLE) or entry.suffix == ".pth" or link.exists():
                continue
            link.symlink_to(entry, target_is_directory=entry.is_dir())
    return one


@pytest.fixture(scope="session")
def installed(dependencies_only: Environment, release: Release) -> Environment:
    """The same environment with the wheel installed into it."""
    run(
        *(sys.executable, "-m", "pip", "--python", dependencies_only.python, "install"),
        *("--quiet", "--no-index", "--no-deps", "--no-cache-dir", release.wheel),
        cwd=dependencies_only.home,
    )
    return dependencies_only
