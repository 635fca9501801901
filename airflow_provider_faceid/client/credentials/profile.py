"""Keys from the file of the official tools."""

from __future__ import annotations

from configparser import ConfigParser, Error
from dataclasses import dataclass
from pathlib import Path

from ...clock import Clock
from ...exceptions import CredentialsError
from .key import MAX_BYTES, Issued, key_of

FILES = ("~/.tencentcloud/credentials", "/etc/tencentcloud/credentials")
"""The first one that exists is read."""
NAMES = ("secret_id", "secret_key", "token")
"""What a section holds. The official SDK overlooks the token."""


@dataclass(frozen=True)
class Profile:
    """A section of that file."""

    section: str = "default"

    @property
    def name(self) -> str:
        """Name it in messages."""
        return f"profile '{self.section}'"

    def fetch(self, clock: Clock) -> Issued:
        """
        Read the file.

        :raises CredentialsError: it, its section or a part of the key is missing.
        """
        del clock
        path, content = self._read()
        where = f"{self.name} of {path}"
        # A value of other sections must not leak into this one, and a % is a character as any.
        parser = ConfigParser(interpolation=None, default_section="")
        try:
            parser.read_string(content.decode())
        except UnicodeDecodeError:
            raise CredentialsError(f"{where}: the file is not UTF-8") from None
        except Error:  # its text would show a line of the file
            raise CredentialsError(f"{where}: the file is no INI file") from None
        if not parser.has_section(self.section):
            raise CredentialsError(f"{where}: the file has no section [{self.section}]")
        section = parser[self.section]
        key = key_of(where, {name: section.get(name) for name in NAMES})
        return Issued(key, self, account=key.secret_id if key.lasting else "")

    def _read(self) -> tuple[Path, bytes]:
        paths = [Path(name).expanduser() for name in FILES]
        for path in paths:
            try:
                with path.open("rb") as file:
                    content = file.read(MAX_BYTES + 1)
            except FileNotFoundError:
                continue
            except OSError as error:
                fault = f"the file cannot be read ({error.strerror})"
                raise CredentialsError(f"{self.name} of {path}: {fault}") from None
            if len(content) > MAX_BYTES:
                raise CredentialsError(f"{self.name} of {path}: it has more than {MAX_BYTES} bytes")
            return path, content
        raise CredentialsError(f"{self.name}: there is neither {' nor '.join(map(str, paths))}")
