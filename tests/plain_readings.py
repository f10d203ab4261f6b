"""The shortest way to read each format, which knows nothing of faults: what the readers' results are compared with."""

from __future__ import annotations

import csv
import io
import json
import re
from typing import Any


def text_of(data: bytes) -> str:
    return data.removeprefix(b"\xef\xbb\xbf").decode()


def lines_of(data: bytes) -> list[str]:
    return [line.removesuffix("\r") for line in text_of(data).rstrip("\r\n").split("\n")]


def columns_of(data: bytes) -> list[list[str]]:
    return [line.split("\t") for line in lines_of(data)]


def quoted_of(data: bytes, delimiter: str) -> list[list[str]]:
    rows = list(csv.reader(io.StringIO(text_of(data), newline=""), delimiter=delimiter, strict=True))
    while rows and not rows[-1]:
        del rows[-1]
    return rows


def objects_of(data: bytes) -> list[Any]:
    return [json.loads(line) for line in lines_of(data)]


def tokens_of(data: bytes, separator: str) -> list[tuple[str, str]]:
    """The first and the last column of every line that is not blank."""
    lines = [line for line in lines_of(data) if line.strip(" \t") and not line.startswith("-DOCSTART-")]
    if separator == "tab":
        return [(line.split("\t")[0], line.split("\t")[-1]) for line in lines]
    fields = [[part for part in line.replace("\t", " ").split(" ") if part] for line in lines]
    return [(parts[0], parts[-1]) for parts in fields]


def compare_trees(rows: list[Any], data: bytes, family: str) -> None:
    """Rows of a treebank have its words, and a tree each."""
    sentences = words_of(lines_of(data))
    assert len(rows) == len(sentences)
    for row, words in zip(rows, sentences, strict=True):
        assert [fields[0] for fields in words] == [str(n) for n in range(1, len(words) + 1)]
        assert row.tokens == tuple(fields[1] for fields in words)
        assert all(len(fields) == 10 for fields in words)
        if family == "dependency-parsing":
            assert row.heads == tuple(int(fields[6]) for fields in words)
            assert row.tags == tuple(fields[7].split(":")[0] for fields in words)
            assert is_tree(list(row.heads))
        else:
            assert row.tags == tuple(fields[3] for fields in words)
        assert not {"", "_"} & set(row.tags)


def words_of(lines: list[str]) -> list[list[list[str]]]:
    """Fields of words, sentence by sentence; ranges and empty nodes are told by their signs."""
    blocks: list[list[list[str]]] = [[]]
    for line in lines:
        if not line.strip(" "):
            blocks.append([])
        elif line[0] != "#" and not re.search(r"^[^\t]*[.-]", line):
            blocks[-1].append(line.split("\t"))
    return [block for block in blocks if block]


def is_tree(heads: list[int]) -> bool:
    def reaches_root(word: int) -> bool:
        for _ in heads:
            word = heads[word - 1] if word else 0
        return word == 0

    in_range = all(0 <= head <= len(heads) for head in heads)
    return in_range and heads.count(0) == 1 and all(reaches_root(word) for word in range(1, len(heads) + 1))


def compare_questions(rows: list[Any], whole: Any) -> None:
    """Rows of a SQuAD file have its questions, with answers that stand where they are said to."""
    expected = [
        (str(item["id"]), paragraph["context"], item["question"], spans_of(item["answers"]))
        for article in whole["data"]
        for paragraph in article["paragraphs"]
        for item in paragraph["qas"]
    ]
    assert [(row.id, row.text_a, row.text_b, list(row.answers)) for row in rows] == expected
    assert len({row.id for row in rows}) == len(rows)
    check_spans(rows)


def spans_of(answers: Any) -> list[tuple[int, str]]:
    if isinstance(answers, dict):
        return list(zip(answers["answer_start"], answers["text"], strict=True))
    return [(a["start"] if "start" in a else a["answer_start"], a["text"]) for a in answers]


def check_spans(rows: list[Any]) -> None:
    for row in rows:
        assert row.answers
        for start, text in row.answers:
            assert type(start) is int and start >= 0 and text
            assert row.text_a[start : start + len(text)] == text
