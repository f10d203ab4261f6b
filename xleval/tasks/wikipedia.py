"""Wikipedia as text for language adapters: a cleaned dump on the hub, at a commit, read an article at a time.

``wikipedia.yaml`` has the commit and each language's edition. Only as many of an edition's Parquet files are
downloaded as the wanted characters take.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from xleval.errors import UserError
from xleval.hub import HubError, HubRepository, short

_FIRST, _ARTICLES = "train-00000-of-", 256


@dataclass(frozen=True)
class Edition:
    """The Wikipedia of one language at one commit: ``name`` is its configuration, such as ``20231101.sw``."""

    repo: str
    revision: str
    name: str

    def __str__(self) -> str:
        return f"Wikipedia {self.name}"

    def articles(self, *, offline: bool) -> Iterator[list[str]]:
        """The paragraphs of each article, its non-empty lines, in the order of the dump.

        Raises:
            UserError: not in the cache while offline, refused by the hub, or a file that is no such Parquet.
        """
        first = self._shard(f"{_FIRST}*.parquet", offline)
        count = first.stem.removeprefix(_FIRST)
        if not count.isdigit():
            raise UserError(f"{self._where}: {first.name} does not say how many files there are; give --text-dir")
        for number in range(int(count)):
            file = first if number == 0 else self._shard(f"train-{number:05}-of-{count}.parquet", offline)
            yield from self._read(file)

    def check(self, *, offline: bool) -> None:
        """Looks for its first file where the hub may not be asked, and downloads nothing; raises as `articles`."""
        if _closed(offline):
            self._shard(f"{_FIRST}*.parquet", True)

    @property
    def _where(self) -> str:
        return f"{self} ({self.repo}@{self.revision[:12]})"

    def _shard(self, pattern: str, offline: bool) -> Path:
        path = f"{self.name}/{pattern}"
        try:
            repository = HubRepository(self.repo, self.revision, "dataset")
            found = sorted(repository.snapshot([path], offline=offline).glob(path))
        except HubError as fault:
            fetch = "run `xleval fetch` with the same options where there is a network"
            remedy = fetch if _closed(offline) else "try again"
            raise UserError(f"{self._where}: {fault}; {remedy}, or give text with --text-dir") from None
        if len(found) != 1:
            raise UserError(f"{self._where}: {len(found)} files match {pattern}, expected one; give --text-dir")
        return found[0]

    def _read(self, file: Path) -> Iterator[list[str]]:
        import pyarrow
        from pyarrow.parquet import ParquetFile

        try:
            # pre_buffer would hold the whole file in memory.
            with ParquetFile(file, pre_buffer=False) as content:
                for batch in content.iter_batches(batch_size=_ARTICLES, columns=["text"]):
                    for text in batch.column(0).to_pylist():
                        yield [line for raw in (text or "").split("\n") if (line := raw.strip())]
        except (OSError, LookupError, pyarrow.ArrowException) as error:
            raise UserError(f"{self._where}: {file.name}: no Parquet with a column `text` ({short(error)})") from None


def edition(language: str) -> Edition | None:
    """The Wikipedia of a language (xleval's code), if there is one."""
    content = _content()
    name = content["editions"].get(language)
    return Edition(content["repo"], content["revision"], f"{content['dump']}.{name}") if name else None


def _closed(offline: bool) -> bool:
    from huggingface_hub import constants

    return offline or bool(constants.HF_HUB_OFFLINE)


@cache
def _content() -> dict[str, Any]:
    from xleval.yaml_file import read_mapping

    return read_mapping(Path(__file__).with_name("wikipedia.yaml"))
