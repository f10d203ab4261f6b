"""The workflows around contributions: what they may do, and what a hostile pull request cannot make them do."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from conftest import ROOT

FOLDER = ROOT / ".github" / "workflows"
CHECK, COMMENT, PAGES = (f"leaderboard-{name}.yml" for name in ("check", "comment", "pages"))
MERGED = "leaderboard/results"


class Loader(yaml.SafeLoader):
    """YAML as the runner reads it: `on` is a word."""


Loader.yaml_implicit_resolvers = {
    letter: [(tag, pattern) for tag, pattern in found if tag != "tag:yaml.org,2002:bool"]
    for letter, found in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def workflow(name: str) -> dict[str, Any]:
    return yaml.load((FOLDER / name).read_text(encoding="utf-8"), Loader)


def steps(name: str) -> list[dict[str, Any]]:
    return [step for job in workflow(name)["jobs"].values() for step in job["steps"]]


def step(name: str, title: str) -> dict[str, Any]:
    (found,) = [step for step in steps(name) if step.get("name") == title]
    return found


@pytest.mark.parametrize("name", [CHECK, COMMENT, PAGES])
def test_every_workflow_is_pinned_bounded_and_runs_no_text_of_an_event(name: str) -> None:
    text = (FOLDER / name).read_text(encoding="utf-8")
    assert "pull_request_target" not in text
    assert not re.search(r"\$\{\{[^}]*secrets", text)
    for job in workflow(name)["jobs"].values():
        assert int(job["timeout-minutes"]) <= 30
        assert job["runs-on"] == "ubuntu-latest"
    for found in steps(name):
        assert ("run" in found) != ("uses" in found)
        assert "${{" not in found.get("run", "")  # what an event says reaches a shell in variables only
        if "uses" in found:
            assert re.fullmatch(r"actions/[a-z-]+@[0-9a-f]{40}", found["uses"])
            assert re.search(re.escape(found["uses"]) + r" # v\d+\.\d+\.\d+\n", text)
        if "checkout" in found.get("uses", ""):
            assert found["with"]["persist-credentials"] == "false"


def test_the_check_can_only_read() -> None:
    check = workflow(CHECK)
    assert check["on"] == {"pull_request": {"paths": [f"{MERGED}/**"]}}
    assert check["permissions"] == {"contents": "read"}
    assert all("permissions" not in job for job in check["jobs"].values())
    assert "token" not in (FOLDER / CHECK).read_text(encoding="utf-8").replace("The token can only read", "")


def test_the_check_runs_the_base_branch_and_installs_before_anything_of_the_pull_request_is_there() -> None:
    found = steps(CHECK)
    checkouts = [step for step in found if "checkout" in step.get("uses", "")]
    assert [step["with"]["ref"] for step in checkouts] == ["${{ github.base_ref }}"]
    order = [step["name"] for step in found]
    assert order.index("Base branch") < order.index("Install") < order.index("Entries") < order.index("Validate")
    assert step(CHECK, "Install")["run"] == "pip install ."
    programs = {
        line.split()[0] for step in found[order.index("Validate") :] for line in step.get("run", "").splitlines()
    }
    assert programs == {"xleval", "mkdir", "python", "echo", "cp", '"$RUNNER_TEMP/comment/summary.txt"'}
    assert "leaderboard/results" not in step(CHECK, "Summarise")["run"]
    # What did not validate is not looked at any further: a step without `if` needs the one before it to succeed.
    assert "if" not in step(CHECK, "Validate") and "if" not in step(CHECK, "Build")
    assert order.index("Validate") + 1 == order.index("Build")


def test_the_comment_may_write_comments_and_nothing_else() -> None:
    comment = workflow(COMMENT)
    assert comment["on"] == {"workflow_run": {"workflows": [workflow(CHECK)["name"]], "types": ["completed"]}}
    assert comment["permissions"] == {}
    (job,) = comment["jobs"].values()
    assert job["permissions"] == {"contents": "read", "actions": "read", "pull-requests": "write"}
    checkout, run = job["steps"]
    assert "ref" not in checkout["with"] and "repository" not in checkout["with"]
    assert run["run"] == "python3 .github/leaderboard_comment.py"
    assert {"RUN_ID", "CONCLUSION", "HEAD_SHA", "HEAD_REPOSITORY"} < set(run["env"])
    assert "download-artifact" not in (FOLDER / COMMENT).read_text(encoding="utf-8")


def test_pages_are_built_without_the_right_to_publish_them() -> None:
    pages = workflow(PAGES)
    assert pages["on"] == {"push": {"branches": ["main"]}, "workflow_dispatch": None}
    assert pages["permissions"] == {"contents": "read"}
    assert "permissions" not in pages["jobs"]["build"]
    deploy = pages["jobs"]["deploy"]
    assert deploy["permissions"] == {"pages": "write", "id-token": "write"}
    assert deploy["needs"] == "build"
    assert [re.sub("@.*", "", step["uses"]) for step in deploy["steps"]] == ["actions/deploy-pages"]


# What a pull request brings, on a repository made here


class Repository:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()
        self("init", "--quiet", "--initial-branch=main")
        self("config", "uploadpack.allowAnySHA1InWant", "true")

    def __call__(self, *arguments: str) -> str:
        identity = ["-c", "user.name=A", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false"]
        return subprocess.run(
            ["git", *identity, *arguments], cwd=self.folder, check=True, capture_output=True, text=True
        ).stdout.strip()

    def put(self, files: dict[str, str]) -> None:
        for name, text in files.items():
            path = self.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")

    def commit(self, message: str) -> str:
        self("add", "--all")
        self("commit", "--quiet", "--message", message)
        return self("rev-parse", "HEAD")


def test_entries_arrive_as_plain_files_and_nothing_else_of_the_pull_request(tmp_path: Path) -> None:
    origin = Repository(tmp_path / "origin")
    origin.put({"xleval.py": "ours", f"{MERGED}/old/records.jsonl": "old", f"{MERGED}/gone/records.jsonl": "gone"})
    origin.commit("base")
    origin("switch", "--quiet", "--create", "contribution")
    origin.put(
        {
            "xleval.py": "theirs",
            ".github/leaderboard_summary.py": "theirs",
            f"{MERGED}/new/records.jsonl": "new",
            f"{MERGED}/new/.gitattributes": "* filter=theirs text eol=crlf\n",
            f"{MERGED}/.git-hooks/post-checkout": "#!/bin/sh\ntouch /tmp/never\n",
        }
    )
    origin("rm", "-r", "--quiet", f"{MERGED}/gone")
    (origin.folder / MERGED / "new" / "items.zip").symlink_to("/etc/passwd")
    (origin.folder / MERGED / "linked").symlink_to("../../.git")
    origin.commit("contribution")
    origin("switch", "--quiet", "main")
    origin.put({f"{MERGED}/meanwhile/records.jsonl": "meanwhile"})
    origin.commit("main goes on")
    clone = tmp_path / "clone"
    subprocess.run(["git", "clone", "--quiet", "--depth=1", f"file://{origin.folder}", str(clone)], check=True)
    origin("merge", "--quiet", "--no-ff", "--message", "merge", "contribution")
    merged = origin("rev-parse", "HEAD")
    origin("reset", "--quiet", "--hard", "HEAD^1")

    temp = tmp_path / "temp"
    temp.mkdir()
    environment = {**os.environ, "MERGED": merged, "RUNNER_TEMP": str(temp), "GIT_CONFIG_GLOBAL": "/dev/null"}
    command = ["bash", "-eo", "pipefail", "-c", step(CHECK, "Entries")["run"]]
    done = subprocess.run(command, cwd=clone, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr

    assert (clone / "xleval.py").read_text() == "ours"
    assert not (clone / ".github").exists()
    entries = clone / MERGED
    assert not [path for path in entries.rglob("*") if path.is_symlink()]
    assert (entries / "new" / "items.zip").read_text() == "/etc/passwd"
    assert (entries / "linked").read_text() == "../../.git"
    assert {path.name for path in entries.iterdir() if path.is_dir()} == {"old", "new", "meanwhile", ".git-hooks"}
    changed = (temp / "changed").read_text().rstrip("\0").split("\0")
    names = (
        ".git-hooks/post-checkout", "gone/records.jsonl", "linked", "new/.gitattributes", "new/items.zip",
        "new/records.jsonl",
    )  # fmt: skip
    assert sorted(changed) == [f"{MERGED}/{name}" for name in names]


def test_the_script_needs_what_the_workflow_gives(tmp_path: Path) -> None:
    gh = tmp_path / "gh"
    gh.write_text("#!/bin/sh\necho '{\"artifacts\": []}'\n")
    gh.chmod(0o755)
    given = step(COMMENT, "Comment")["env"]
    environment = {
        **dict.fromkeys(given, "7"), "PATH": f"{tmp_path}:{os.environ['PATH']}",
        "GITHUB_REPOSITORY": "owner/xleval", "GITHUB_SERVER_URL": "https://github.com",
    }  # fmt: skip
    command = [sys.executable, *step(COMMENT, "Comment")["run"].split()[1:]]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("no comment: run 7 has no artifact leaderboard-comment")
