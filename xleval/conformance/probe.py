"""What is found out in an interpreter of its own: what importing a plugin costs, and what it answers there.

``python -m xleval.conformance.probe cost|answers MODULE…`` prints JSON.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from contextlib import suppress
from importlib import import_module
from typing import Any

#: Packages that take long to import. `xleval ls` and `--help` import every plugin, so no plugin may import these.
HEAVY = (
    "adapters", "datasets", "huggingface_hub", "matplotlib", "numpy", "pandas", "pyarrow", "requests", "scipy",
    "sklearn", "tokenizers", "torch", "transformers",
)  # fmt: skip


def ask(what: str, modules: tuple[str, ...], hash_seed: str = "0") -> Any:
    """The answer of a fresh interpreter that finds modules where this one does.

    Raises:
        RuntimeError: it failed; the message is the last line of its standard error.
    """
    paths = [path for path in sys.path if path]
    done = subprocess.run(
        [sys.executable, "-m", "xleval.conformance.probe", what, *modules],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths), "PYTHONHASHSEED": hash_seed},
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise RuntimeError((done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1])
    return json.loads(done.stdout.splitlines()[-1])


class _Watch:
    """Sees the first import of each heavy package, and the line of the plugin that brought it about."""

    def __init__(self, module: str) -> None:
        self.top = module.partition(".")[0]
        self.found: dict[str, str] = {}

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> None:
        if name in HEAVY and name not in self.found:
            frame: Any = sys._getframe(1)
            while frame is not None and frame.f_globals.get("__name__", "").partition(".")[0] != self.top:
                frame = frame.f_back
            self.found[name] = f"{frame.f_code.co_filename}:{frame.f_lineno}" if frame is not None else ""


def cost(module: str) -> dict[str, Any]:
    """CPU seconds that importing a plugin and calling its declaring hooks take, and the heavy packages it imports."""
    import xleval.host
    import xleval.tasks.spec  # noqa: F401 - what xleval itself imports is not the plugin's cost

    watch = _Watch(module)
    sys.meta_path.insert(0, watch)
    start = time.process_time()
    plugin = import_module(module)
    imported = time.process_time() - start
    for name, hook in list(vars(plugin).items()):  # a hook may import what then stands beside it
        if name.startswith("xleval_") and name != "xleval_event" and callable(hook):
            with suppress(Exception):  # the host names a hook that raises
                list(hook() or ())
    return {"import": imported, "hooks": time.process_time() - start - imported, "heavy": watch.found}


def answers(given: list[str]) -> dict[str, dict[str, str]]:
    """What strategies (``--strategy=LABEL``) and data providers (``--provider=NAME``) of some modules answer."""
    from xleval.conformance import provision, recipes
    from xleval.conformance.target import not_installed
    from xleval.host import Host

    wanted: dict[str, list[str]] = {"strategy": [], "provider": []}
    modules: list[str] = []
    for text in given:
        kind, sign, name = text.removeprefix("--").partition("=")
        (wanted[kind] if sign else modules).append(name if sign else text)
    host = Host(not_installed(modules))
    cases = recipes.cases(host) if wanted["strategy"] else []
    found = {label: recipes.printed(host.choose_strategy(label).strategy, cases) for label in wanted["strategy"]}
    return found | {name: provision.printed(host.providers[name], host) for name in wanted["provider"]}


if __name__ == "__main__":
    asked, *given = sys.argv[1:]
    print(json.dumps(cost(given[0]) if asked == "cost" else answers(given)))
