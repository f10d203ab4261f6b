"""Unlabelled text for language adapters: a folder of files, generated, or a Wikipedia."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from xleval.errors import UserError
from xleval.fingerprint import digest, file_digest
from xleval.tasks.wikipedia import Edition, edition

if TYPE_CHECKING:
    from xleval.languages import Language
    from xleval.tasks.sources import DataProvider


@dataclass(frozen=True)
class TextSize:
    """How much text there is; ``articles`` of a Wikipedia, 0 of other text."""

    lines: int
    characters: int
    articles: int = 0

    def __str__(self) -> str:
        articles = f"{self.articles} articles, " if self.articles else ""
        return f"{articles}{self.lines} lines, {self.characters} characters"


@dataclass(frozen=True)
class Text:
    """The text of one language, found but not read. ``fingerprint`` covers its content, not its place.

    ``edition`` is a Wikipedia, of which the first articles are taken until they have ``limit`` characters (the last
    one whole; 0: all); ``offline`` reads it from the cache only.
    """

    language: str
    fingerprint: str
    origin: str
    files: tuple[Path, ...] = ()
    provider: DataProvider | None = None
    edition: Edition | None = None
    limit: int = 0
    offline: bool = False

    def blocks(self) -> Iterator[list[str]]:
        """Non-empty lines, an article, a file or a whole generated text at a time; raises as :meth:`lines`."""
        if self.edition is not None:
            yield from self._articles(self.edition)
        for file in self.files:
            yield _read(file)
        if self.provider is not None:
            yield self.provider.text(self.language)

    def lines(self) -> list[str]:
        """Non-empty lines, in order of file name and line, or of article.

        Raises:
            UserError: naming the file and line that is not UTF-8, a Wikipedia that is not to be had, or when there
                is no text at all.
        """
        found = [line for block in self.blocks() for line in block]
        if not found:
            raise UserError(f"no text for language {self.language!r} in {self.origin}")
        return found

    def bring(self) -> TextSize:
        """Reads all of it once, so that a later run finds it in the cache, and says how much it is; raises as `lines`.

        Of a Wikipedia no more than a few hundred articles are in memory.
        """
        lines = characters = blocks = 0
        for block in self.blocks():
            blocks, lines, characters = blocks + 1, lines + len(block), characters + sum(map(len, block))
        if not lines:
            raise UserError(f"no text for language {self.language!r} in {self.origin}")
        return TextSize(lines, characters, blocks if self.edition else 0)

    def check(self) -> None:
        """Before a run begins: refuses a Wikipedia that is not in the cache where the hub may not be asked.

        Raises:
            UserError: naming `xleval fetch`.
        """
        if self.edition is not None:
            self.edition.check(offline=self.offline)

    def _articles(self, edition: Edition) -> Iterator[list[str]]:
        characters = 0
        for article in edition.articles(offline=self.offline):
            yield article
            characters += sum(map(len, article))
            if 0 < self.limit <= characters:
                return


def find_text(
    language: Language,
    text_dir: Path | None,
    providers: Mapping[str, DataProvider],
    *,
    limit: int = 0,
    offline: bool = False,
) -> Text | None:
    """``text_dir/<code or alias>/*.txt``, else generated text of a made language, else its Wikipedia, else None.

    ``limit`` is of the Wikipedia (``la.text_limit``). Nothing is downloaded here.

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
    found = edition(language.code)
    if found is None:
        return None
    fingerprint = digest([found.repo, found.revision, found.name, limit])
    return Text(language.code, fingerprint, str(found), edition=found, limit=limit, offline=offline)


def _read(file: Path) -> list[str]:
    found = []
    for number, raw in enumerate(file.read_bytes().splitlines(), start=1):
        try:
            line = raw.decode("utf-8").strip()
        except UnicodeDecodeError as error:
            raise UserError(f"{file}:{number}: not UTF-8 (byte {error.start}); convert the file") from None
        if line:
            found.append(line)
    return found
