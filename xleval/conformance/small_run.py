"""The last check: a small run on the demo, one task and one language, of all that a plugin can run."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from xleval.conformance import Check, recipes
from xleval.errors import UserError
from xleval.events import Event
from xleval.hyperparameters import KNOWN

if TYPE_CHECKING:
    from xleval.conformance import Subject

#: As little training as there can be.
_SETTINGS = {key: 2 for key in KNOWN if key.endswith(".steps")} | {key: 1 for key in KNOWN if key.endswith(".epochs")}
_DEMO = {"tasks": ["demo-nli"], "languages": ["qab"]}
_PLAIN = "la-none-tr"  # the strategy that trains least


@dataclass(frozen=True)
class _Unheard(Event):
    """An event of a kind that no tracker knows, as a later version of xleval may have."""


def checks(subject: Subject) -> Iterator[Check]:
    """Of strategies, executors, tasks with generated data, and trackers."""
    host = subject.host
    with tempfile.TemporaryDirectory() as folder:
        here = Path(folder)  # strategies share what they have in common; the others must make it all
        own = tuple(item.qualified for item in subject.own(host.strategies))
        asked = recipes.cases(host)
        for label in subject.strategies or own:
            strategy = host.choose_strategy(label).strategy
            if recipes.refusal(strategy, [recipes.answer(strategy, case) for case in asked]):
                continue  # it needs parameters
            of = f"strategy {label if subject.strategies else label.partition('/')[2]}"
            fault = _fault(subject, here / label.replace("/", " "), strategies=[label], **_DEMO)
            yield Check("runs on the demo", of, fault)
        for item in subject.own(host.executors):
            fault = _fault(subject, here / item.name / "out", strategies=[_PLAIN], executor=item.name, **_DEMO)
            yield Check("runs on the demo", f"executor {item.name}", fault)
        for item in subject.own(host.tasks):
            if item.value is not None and item.value.data.generated:
                only = {"tasks": [item.name], "languages": [item.value.languages[0]]}
                fault = _fault(subject, here / item.name / "out", strategies=[_PLAIN], **only)
                yield Check("runs", f"task {item.name}", fault)
        trackers = [info for info in subject.infos if "xleval_event" in info.hooks]
        if trackers:
            fault = _fault(subject, here / "tracked" / "out", strategies=[_PLAIN], **_DEMO)
            host.emit(_Unheard())
            for info in trackers:
                yield Check("gets the events of a run", info.name, fault or info.error)


def _fault(subject: Subject, out: Path, **options: Any) -> str:
    """What went wrong in a run of a few examples; empty if its cells were recorded."""
    from xleval.experiment import make_experiment
    from xleval.plan import plan
    from xleval.run import execute

    options |= {"backbone": "demo", "seeds": [1], "limit": 8, "jobs": 1, "offline": True, "device": "cpu"}
    options |= {"set": _SETTINGS, "store": out.parent / "store", "out": out}
    try:
        finished = execute(plan(make_experiment(options), subject.host), subject.host)
    except UserError as error:
        return f"{error} (or leave the run out with --no-run)"
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    failures = [record["error"]["message"] for record in finished.records if record["status"] != "ok"]
    if failures:
        return str(failures[0])
    return "" if finished.records else "no cell was recorded"
