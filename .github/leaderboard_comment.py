"""Comments on a pull request what the workflow "Leaderboard check" found; standard library and `gh` only.

Run with a token that may write comments, after a run whose artifact anybody may have made: a pull request can change
the workflow that it is checked with. So the artifact is data: its size is bounded, its number must be that of an open
pull request at the very commit that was checked, and its text is shown in a fence that it cannot leave.
"""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from leaderboard_summary import RESULTS, fenced

MARK = "<!-- xleval leaderboard check -->"
AUTHOR = "github-actions[bot]"
ARTIFACT = "leaderboard-comment"

#: Bytes of the artifact, packed, and of each of its two files.
PACKED, UNPACKED = 1 << 20, 1 << 20

#: Comments, or changed files, of a page of the API's answers, and pages that are read.
PER_PAGE, PAGES = 100, 30

#: Method, path and what is sent → the answer's bytes.
Api = Callable[[str, str, Any], bytes]


class RefusedError(Exception):
    """Nothing is commented, and why."""


@dataclass(frozen=True)
class Run:
    """The run that is told of, as the event says: nothing of it is from the artifact."""

    repository: str
    id: str
    conclusion: str
    head_sha: str
    head_repository: str
    server: str = "https://github.com"

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> Run:
        """From the variables that the workflow sets."""
        names = ("GITHUB_REPOSITORY", "RUN_ID", "CONCLUSION", "HEAD_SHA", "HEAD_REPOSITORY", "GITHUB_SERVER_URL")
        return cls(*(environment[name] for name in names))


def comment_on(run: Run, api: Api) -> str:
    """Writes the comment, or writes over the one of an earlier run, and gives its address.

    Raises:
        RefusedError: the artifact is not what the check makes, or the pull request is not at this commit.
    """
    number, text = read_artifact(download(run, api))
    pull = _get(api, f"repos/{run.repository}/pulls/{number}")
    head = pull["head"]
    if pull["state"] != "open" or head["sha"] != run.head_sha:
        raise RefusedError(f"pull request {number} is not open at commit {run.head_sha}")
    if (head["repo"] or {}).get("full_name") != run.head_repository:
        raise RefusedError(f"pull request {number} is not from {run.head_repository}")
    body = comment(run, text, changes_more(run, number, pull["changed_files"], api))
    issue = f"repos/{run.repository}/issues"
    for old in _pages(api, f"{issue}/{number}/comments"):
        if old["user"]["login"] == AUTHOR and old["body"].startswith(MARK):
            return str(json.loads(api("PATCH", f"{issue}/comments/{old['id']}", {"body": body}))["html_url"])
    return str(json.loads(api("POST", f"{issue}/{number}/comments", {"body": body}))["html_url"])


def download(run: Run, api: Api) -> bytes:
    """The artifact's bytes."""
    if not run.id.isascii() or not run.id.isdigit():
        raise RefusedError("the run has no number")
    listed = _get(api, f"repos/{run.repository}/actions/runs/{run.id}/artifacts?per_page={PER_PAGE}")["artifacts"]
    found = [artifact for artifact in listed if artifact["name"] == ARTIFACT and not artifact["expired"]]
    if not found:
        raise RefusedError(f"run {run.id} has no artifact {ARTIFACT}: it ended before there was something to say")
    if found[0]["size_in_bytes"] > PACKED:
        raise RefusedError(f"artifact {ARTIFACT} has {found[0]['size_in_bytes']} bytes; the limit is {PACKED}")
    return api("GET", f"repos/{run.repository}/actions/artifacts/{int(found[0]['id'])}/zip", None)


def read_artifact(packed: bytes) -> tuple[int, str]:
    """Number of the pull request and text. Nothing is written to disk, so a name leads nowhere."""
    try:
        with zipfile.ZipFile(io.BytesIO(packed)) as pack:
            number, text = (_member(pack, name) for name in ("pull-request", "summary.txt"))
    except (zipfile.BadZipFile, zlib.error, KeyError, RuntimeError, EOFError) as error:
        raise RefusedError(f"artifact {ARTIFACT} is not what the check makes: {error}") from None
    if not re.fullmatch(rb"[1-9][0-9]{0,8}\n?", number):
        raise RefusedError("the artifact has no number of a pull request")
    return int(number), text.decode("utf-8", errors="replace")


def comment(run: Run, text: str, changes_more: bool) -> str:
    """The comment as Markdown. What is outside of the fence is from here and from the event alone."""
    outcome = "no faults" if run.conclusion == "success" else "not accepted yet"
    warning = (
        f"This pull request changes more than `{RESULTS}`. What is below may then be from a check that it changed: "
        "read those changes first.\n\n"
    )
    address = f"{run.server}/{run.repository}/actions/runs/{run.id}"
    return (
        f"{MARK}\n### Leaderboard check: {outcome}\n\n{warning if changes_more else ''}{fenced(text)}\n\n"
        f"[The run, with its report and preview]({address}) · commit {run.head_sha[:12]}\n"
    )


def changes_more(run: Run, number: int, total: int, api: Api) -> bool:
    """Whether files other than entries are changed; True as well if there are too many to see all."""
    seen = 0
    for file in _pages(api, f"repos/{run.repository}/pulls/{number}/files"):
        seen += 1
        if not all(name.startswith(RESULTS) for name in (file["filename"], file.get("previous_filename", RESULTS))):
            return True
    return seen != total


def _member(pack: zipfile.ZipFile, name: str) -> bytes:
    if pack.getinfo(name).compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise RefusedError(f"{name} of artifact {ARTIFACT} is packed in another way than the check's")
    with pack.open(name) as stream:  # what it says of its size is not believed
        data = stream.read(UNPACKED + 1)
    if len(data) > UNPACKED:
        raise RefusedError(f"{name} of artifact {ARTIFACT} has more than {UNPACKED} bytes")
    return data


def _get(api: Api, path: str) -> Any:
    return json.loads(api("GET", path, None))


def _pages(api: Api, path: str) -> Iterator[Any]:
    for page in range(1, PAGES + 1):
        found = _get(api, f"{path}?per_page={PER_PAGE}&page={page}")
        yield from found
        if len(found) < PER_PAGE:
            return


def _gh(method: str, path: str, sent: Any) -> bytes:
    command = ["gh", "api", "--method", method, path]
    if sent is None:
        return subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout
    return subprocess.run(
        [*command, "--input", "-"], check=True, input=json.dumps(sent).encode(), stdout=subprocess.PIPE
    ).stdout


if __name__ == "__main__":
    try:
        print(comment_on(Run.of(os.environ), _gh))
    except (RefusedError, subprocess.CalledProcessError) as refused:
        sys.exit(f"no comment: {refused}")
