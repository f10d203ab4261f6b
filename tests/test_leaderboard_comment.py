"""What is said on a pull request: that it is complete, short, and cannot be made to do anything."""

from __future__ import annotations

import io
import json
import os
import re
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest
from conftest import ROOT

sys.path.insert(0, str(ROOT / ".github"))

import leaderboard_comment
from leaderboard_comment import MARK, RefusedError, Run, comment_on, read_artifact
from leaderboard_summary import ALL, fenced, main, summary

MERGED = "leaderboard/results"


def entry(
    name: str, faults: int = 0, message: str = "recorded 0.5, the items give 0.4", failed: int = 0
) -> dict[str, Any]:
    return {
        "path": f"{MERGED}/{name}/records.jsonl", "runs": 2, "cells": 8, "failed": failed, "without_items": 0,
        "faults": [{"line": number + 1, "cell": "masakhaner/hau", "message": message} for number in range(faults)],
    }  # fmt: skip


def test_what_is_changed_stands_first_and_what_is_well_is_counted() -> None:
    report = [entry("a"), entry("b", faults=1), entry("c"), entry("mine", failed=2)]
    changed = [f"{MERGED}/mine/records.jsonl", f"{MERGED}/mine/items.zip", f"{MERGED}/note.txt"]
    assert summary(report, changed, "success").splitlines() == [
        "leaderboard/results/mine: 8 cells of 2 runs (2 more failed when they were run): all agree",
        "leaderboard/results/b: 8 cells of 2 runs: 1 fault",
        "  line 1: masakhaner/hau: recorded 0.5, the items give 0.4",
        "Changed, and not an entry: note.txt",
        "2 other entries: all agree",
        "The site was built: artifact leaderboard-preview, folder site.",
    ]
    assert summary([entry("a")], [], "failure").splitlines() == [
        "1 other entry: all agree", "The site could not be built; the run's log says why.",
    ]  # fmt: skip
    assert summary([entry("a", 2)], [], "skipped").endswith("The site was not built: mend the faults first.")
    assert "did not finish" in summary(None, [], "skipped")


def test_many_faults_are_counted_and_cut() -> None:
    text = summary([entry(f"e{number}", faults=30) for number in range(60)], [], "skipped")
    assert text.count("\n") < 60 * 23
    assert "  10 more faults" in text and "10 more entries are changed or have faults" in text
    assert len(fenced(text)) < ALL + 200
    assert fenced(text).endswith("… cut; the report has all\n```")


def test_the_report_of_the_command_is_what_the_summary_reads(tmp_path: Path) -> None:
    from xleval.results_check import Checked, Fault

    checked = Checked(
        tmp_path / "mine" / "records.jsonl", 1, 2, 1, 0, [Fault(3, "t/l", "wrong"), Fault(0, "", "no zip")]
    )
    report = tmp_path / "report.json"
    report.write_text(json.dumps([checked.as_dict()]))
    (tmp_path / "changed").write_bytes(f"{MERGED}/mine/records.jsonl\0".encode())
    main(str(report), str(tmp_path / "changed"), "skipped", str(tmp_path / "out.txt"))
    lines = (tmp_path / "out.txt").read_text(encoding="utf-8").splitlines()
    assert lines[0].endswith("mine: 2 cells of 1 runs (1 more failed when they were run): 2 faults")
    assert lines[1:3] == ["  line 3: t/l: wrong", "  no zip"]


@pytest.mark.parametrize("content", ["", "{", "{}", "null"])
def test_a_check_that_did_not_finish_says_so(content: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "report.json").write_text(content)
    (tmp_path / "changed").write_text("")
    main(str(tmp_path / "report.json"), str(tmp_path / "changed"), "skipped", str(tmp_path / "out.txt"))
    assert "did not finish" in (tmp_path / "out.txt").read_text()
    assert capsys.readouterr().out.startswith("```text\nThe check did not finish")


HOSTILE = (
    "```\n# All agree, merge me\n@everyone <img src=x onerror=alert(1)> [x](javascript:alert(1))\n"
    "~~~\n````\n</details><!-- -->\r\x1b[2J\u202eesrever\x00\u2028```\n  ```\n<script>"
)


def test_a_fence_cannot_be_left() -> None:
    shown = fenced(HOSTILE)
    first, *body, last = shown.split("\n")
    assert (first, last) == ("```text", "```")
    assert not set("`<>@\r\x1b\x00\u202e\u2028") & set("\n".join(body))
    assert "All agree, merge me" in shown  # shown as it is, and seen to be within the fence
    assert len(fenced("x" * 10**6)) < 1000
    assert len(fenced("x\n" * 10**6)) < ALL + 200
    assert fenced("") == "```text\n```"


# The comment

RUN = Run("owner/xleval", "77", "failure", "a" * 40, "someone/xleval")


def made(number: str = "12\n", text: str = "all agree", **more: str) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as pack:
        for name, content in {"pull-request": number, "summary.txt": text, **more}.items():
            pack.writestr(name, content)
    return packed.getvalue()


class Hub:
    """Answers as the API does, and keeps what is written."""

    def __init__(self, packed: bytes = b"", **changes: Any) -> None:
        self.packed = packed or made()
        head = {"sha": RUN.head_sha, "repo": {"full_name": RUN.head_repository}}
        artifact = {"name": "leaderboard-comment", "id": 5, "expired": False, "size_in_bytes": 400}
        self.pull = {"state": "open", "head": head, "changed_files": 1} | changes.get("pull", {})
        self.artifacts = [artifact | {"name": "another", "id": 4}, artifact | changes.get("artifact", {})]
        self.files = changes.get("files", [{"filename": f"{MERGED}/mine/records.jsonl"}])
        self.comments = changes.get("comments", [])
        self.written: list[tuple[str, str, str]] = []

    def __call__(self, method: str, path: str, sent: Any) -> bytes:
        if method != "GET":
            self.written.append((method, path, sent["body"]))
            return b'{"html_url": "https://example.org/comment"}'
        path, _, query = path.partition("?")
        page = int((re.search(r"\bpage=(\d+)", query) or ["", "1"])[1])
        part = slice((page - 1) * 100, page * 100)
        answers = {
            "repos/owner/xleval/actions/runs/77/artifacts": {"artifacts": self.artifacts},
            "repos/owner/xleval/pulls/12": self.pull,
            "repos/owner/xleval/pulls/12/files": self.files[part],
            "repos/owner/xleval/issues/12/comments": self.comments[part],
        }
        if path == "repos/owner/xleval/actions/artifacts/5/zip":
            return self.packed
        return json.dumps(answers[path]).encode()


def bot(number: int, body: str, login: str = "github-actions[bot]") -> dict[str, Any]:
    return {"id": number, "body": body, "user": {"login": login}}


def test_a_comment_is_written() -> None:
    hub = Hub(made(text=HOSTILE))
    assert comment_on(RUN, hub) == "https://example.org/comment"
    ((method, path, body),) = hub.written
    assert (method, path) == ("POST", "repos/owner/xleval/issues/12/comments")
    assert body.startswith(f"{MARK}\n### Leaderboard check: not accepted yet\n\n```text\n")
    before, fence, after = body.split("```")
    assert HOSTILE.count("\n") < fence.count("\n")
    assert not set("<>@") & set(fence)
    assert after.strip() == (
        "[The run, with its report and preview](https://github.com/owner/xleval/actions/runs/77) · commit aaaaaaaaaaaa"
    )
    assert "changes more" not in before


def test_the_comment_of_an_earlier_run_is_written_over_and_no_one_elses() -> None:
    others = [bot(1, f"{MARK} mine", "someone"), bot(2, "another workflow's"), *[bot(9, "")] * 120]
    hub = Hub(comments=[*others, bot(3, f"{MARK}\nold")])
    comment_on(RUN, hub)
    assert [(method, path) for method, path, _ in hub.written] == [("PATCH", "repos/owner/xleval/issues/comments/3")]


ELSEWHERE = [
    [{"filename": ".github/workflows/leaderboard-check.yml"}],
    [{"filename": f"{MERGED}/a"}, {"filename": f"{MERGED}/b", "previous_filename": "xleval/a.py"}],
    [{"filename": "leaderboard/results.py"}],
]


@pytest.mark.parametrize("files", ELSEWHERE)
def test_changes_elsewhere_are_warned_of(files: list[dict[str, str]]) -> None:
    hub = Hub(files=files, pull={"changed_files": len(files)})
    comment_on(RUN, hub)
    assert "changes more than `leaderboard/results/`" in hub.written[0][2].split("```")[0]


def test_more_files_than_are_listed_are_warned_of() -> None:
    files = [{"filename": f"{MERGED}/{number}"} for number in range(150)]
    for total, warned in ((150, False), (151, True)):
        hub = Hub(files=files, pull={"changed_files": total})
        comment_on(RUN, hub)
        assert ("changes more" in hub.written[0][2]) == warned


def zipped(kind: int) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", kind) as pack:
        pack.writestr("pull-request", "12")
        pack.writestr("summary.txt", "x")
    return packed.getvalue()


@pytest.mark.parametrize(
    ("hub", "reason"),
    [
        (Hub(made("12; rm -rf /")), "no number of a pull request"),
        (Hub(made("")), "no number"),
        (Hub(made("../12")), "no number"),
        (Hub(made("12\n13\n")), "no number"),
        (Hub(made("٣")), "no number"),
        (Hub(made("9" * 10)), "no number"),
        (Hub(made("012")), "no number"),
        (Hub(b"no zip"), "not what the check makes"),
        (Hub(made()[:-30]), "not what the check makes"),
        (Hub(zipped(zipfile.ZIP_LZMA)), "packed in another way"),
        (Hub(made(text="x" * (1 << 21))), "summary.txt .* has more than"),
        (Hub(artifact={"size_in_bytes": 1 << 21}), "has 2097152 bytes; the limit is"),
        (Hub(artifact={"expired": True}), "has no artifact"),
        (Hub(artifact={"name": "leaderboard-preview"}), "has no artifact"),
        (Hub(pull={"state": "closed"}), "not open at commit"),
        (Hub(pull={"head": {"sha": "b" * 40, "repo": {"full_name": RUN.head_repository}}}), "not open at commit"),
        (Hub(pull={"head": {"sha": RUN.head_sha, "repo": {"full_name": "victim/xleval"}}}), "not from someone/xleval"),
        (Hub(pull={"head": {"sha": RUN.head_sha, "repo": None}}), "not from someone/xleval"),
    ],
)
def test_what_is_not_of_the_check_is_refused(hub: Hub, reason: str) -> None:
    with pytest.raises(RefusedError, match=reason):
        comment_on(RUN, hub)
    assert hub.written == []


def test_names_in_the_artifact_lead_nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    packed = made(**{"../leaderboard_comment.py": "theirs", "/tmp/xleval-never": "theirs"})
    assert read_artifact(packed) == (12, "all agree")
    assert list(tmp_path.iterdir()) == []


def test_what_goes_to_the_hub_is_no_command_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a `gh` that gives back what it is called with."""
    gh = tmp_path / "gh"
    code = "import json, sys\njson.dump([sys.argv[1:], sys.stdin.read()], sys.stdout)\n"
    gh.write_text(f"#!{sys.executable}\n{code}")
    gh.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    arguments, sent = json.loads(leaderboard_comment._gh("POST", "repos/o/r/issues/1/comments", {"body": "@$(id) ;"}))
    assert arguments == ["api", "--method", "POST", "repos/o/r/issues/1/comments", "--input", "-"]
    assert json.loads(sent) == {"body": "@$(id) ;"}
