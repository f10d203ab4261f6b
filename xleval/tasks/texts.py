"""Unlabelled text for language adapters: a folder of files, or generated."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from xleval.errors import UserError
from xleval.fingerprint import digest, file_digest

if TYPE_CHECKING:
    from xleval.languages import Language
    from xleval.tasks.sources import DataProvider


@dataclass(frozen=True)
class Text:
    """The text of one language, found but not read. ``fingerprint`` covers its content, not its place."""

    language: str
    fingerprint: str
    origin: str
    files: tuple[Path, ...] = ()
    provider: DataProvider | None = None

    def lines(self) -> list[str]:
        """Non-empty lines, in order of file name and line.

        Raises:
            UserError: naming the file and line that is not UTF-8, or when there is no text at all.
        """
        found: list[str] = []
        for file in self.files:
            for number, raw in enumerate(file.read_bytes().splitlines(), start=1):
                try:
                    line = raw.decode("utf-8").strip()
                except UnicodeDecodeError as error:
                    raise UserError(f"{file}:{number}: not UTF-8 (byte {error.start}); convert the file") from None
                if line:
                    found.append(line)
        if self.provider is not None:
            found = self.provider.text(self.language)
        if not found:
            raise UserError(f"no text for language {self.language!r} in {self.origin}")
        return found


def find_text(language: Language, text_dir: Path | None, providers: Mapping[str, DataProvider]) -> Text | None:
    """``text_dir/<code or alias>/*.txt``, else generated text of a made language, else None.

    Raises:
        UserError: when ``text_dir`` is no folder.
    """
    if text_dir is not None:
        if not text_dir.is_dir():
            raise UserError(f"--text-dir {text_dir}: no such folder (it holds <language>/*.txt)")
        for name in (language.code, *language.aliases):
            files = tuple(sorted((text_dir / name).glob("*.txt")))
            if files:
                fingerprint = digest([file_digest(file) for file in files])
                return Text(language.code, fingerprint, str(text_dir / name), files)
    for provider in providers.values():
        if language.code in provider.languages:
            fingerprint = digest([provider.name, provider.version, language.code])
            return Text(language.code, fingerprint, f"{provider.name}@{provider.version}", provider=provider)
    return None
