"""``python -m xleval`` in processes that are forked off one which has torch and the like imported already.

A process from nothing spends seconds on imports. One of these is as much a process of its own (environment,
folder, output, exit code), and imports all of xleval itself: only what others wrote is there before the fork.
"""

from __future__ import annotations

import atexit
import gc
import importlib
import json
import os
import runpy
import select
import signal
import subprocess
import sys
import tempfile
import threading
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

HEAVY = (
    "torch.utils.data", "transformers.models.auto.modeling_auto", "transformers.models.auto.tokenization_auto",
    "transformers.models.bert.modeling_bert", "transformers.models.xlm_roberta.modeling_xlm_roberta",
    "transformers.onnx", "transformers.processing_utils", "adapters.heads", "adapters.models.auto",
    "adapters.wrappers.model", "datasets", "huggingface_hub.hf_api", "numpy.random", "scipy.stats",
    "scipy.optimize", "pyarrow.parquet", "pyarrow.json", "matplotlib.figure", "seqeval.metrics", "pydantic.main",
    "pydantic.types", "pydantic.json_schema", "pydantic.functional_validators", "yaml", "pluggy", "rich.progress",
    "rich.table", "click", "jinja2", "jsonlines",
)  # fmt: skip

#: What a command may have otherwise: no module of ``HEAVY`` reads these while it is imported but the hub's client its
#: folder, which is empty for every test that has no hub of its own (those set more than these, and are not forked).
FREE = ("XLEVAL_", "PYTHONPATH", "COLUMNS", "HF_HOME")


def fixed(environment: dict[str, str]) -> dict[str, str]:
    """What a forked process cannot have otherwise than its parent."""
    return {key: value for key, value in environment.items() if not key.startswith(FREE)}


class Forks:
    """A process that waits with its imports done, and forks itself for each command."""

    def __init__(self, environment: dict[str, str]) -> None:
        self.fixed = fixed(environment)
        self.heard = b""
        self.parent = subprocess.Popen(
            [sys.executable, __file__], env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )

    def number(self, seconds: float) -> int:
        """The next that the parent says."""
        assert self.parent.stdout is not None
        while b"\n" not in self.heard:
            if not select.select([self.parent.stdout], [], [], seconds)[0]:
                raise TimeoutError
            part = os.read(self.parent.stdout.fileno(), 4096)
            assert part, "the process that forks is gone"
            self.heard += part
        line, _, self.heard = self.heard.partition(b"\n")
        return int(line)

    def run(
        self, arguments: Sequence[str], folder: Path, environment: dict[str, str], seconds: float
    ) -> subprocess.CompletedProcess[str]:
        assert self.parent.stdin is not None
        command = [sys.executable, "-m", "xleval", *arguments]
        with tempfile.TemporaryDirectory() as place:
            outputs = [Path(place, name) for name in ("stdout", "stderr")]
            asked = [list(arguments), str(folder), environment, [str(path) for path in outputs]]
            self.parent.stdin.write(json.dumps(asked).encode() + b"\n")
            self.parent.stdin.flush()
            child = self.number(600)  # the first waits for the imports
            try:
                code = self.number(seconds)
            except BaseException as stop:  # nor does a child outlive a Ctrl-C
                os.kill(child, signal.SIGKILL)
                self.number(60)
                if isinstance(stop, TimeoutError):
                    raise subprocess.TimeoutExpired(command, seconds) from None
                raise
            return subprocess.CompletedProcess(command, code, *(path.read_text() for path in outputs))

    def close(self) -> None:
        assert self.parent.stdin is not None
        self.parent.stdin.close()
        self.parent.wait()


def serve() -> None:
    """Answers each line of standard input with the number of a forked process, then with its exit code."""
    own = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    sys.path[:] = [path for path in sys.path[1:] if path not in own]
    for name in HEAVY:
        importlib.import_module(name)
    gc.freeze()  # else the first collection in a child copies all of it
    for line in sys.stdin:
        arguments, folder, environment, outputs = json.loads(line)
        if child := os.fork():
            print(child, flush=True)
            _, status = os.waitpid(child, 0)
            print(os.waitstatus_to_exitcode(status), flush=True)
            continue
        for number, path in enumerate((os.devnull, *outputs)):
            os.dup2(os.open(path, os.O_RDWR | os.O_CREAT), number)
        os.chdir(folder)
        os.environ.clear()
        os.environ.update(environment)
        sys.path[:0] = [folder, *filter(None, environment.get("PYTHONPATH", "").split(os.pathsep))]
        importlib.invalidate_caches()
        sys.argv[1:] = arguments  # runpy puts the module's file before them
        leave(command())


def command() -> int:
    """Runs what ``python -m xleval`` runs, and gives the exit code that the interpreter would."""
    try:
        runpy.run_module("xleval", run_name="__main__", alter_sys=True)
    except SystemExit as stop:
        if stop.code is None or isinstance(stop.code, int):
            return stop.code or 0
        print(stop.code, file=sys.stderr)
        return 1
    except BaseException:
        traceback.print_exc()
        return 1
    return 0


def leave(code: int) -> NoReturn:
    """Ends the process as the interpreter does, but for freeing every object: copying pages for that takes seconds."""
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    serve()
