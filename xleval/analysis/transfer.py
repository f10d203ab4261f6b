"""How a little text of one language moves the scores of others (Faisal & Anastasopoulos 2024, FA).

The backbone has some MLM steps on a *transfer language*; the task adapter, trained on the untouched backbone, is put
back, and every target is scored before and after. FA give no formula in code; this is our reading of the paper:
(after − before) / before for each training seed, then the mean over seeds.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from statistics import fmean
from typing import TYPE_CHECKING, Any

from xleval.analysis.measured import Measured, same_training
from xleval.analysis.seeds import MISSING, OverSeeds, over_seeds
from xleval.analysis.strategies import labelled, parts_of, rest_of
from xleval.errors import UserError
from xleval.report.grid import Grid, signed

if TYPE_CHECKING:
    from matplotlib.figure import Figure

BASELINE = "la-none-tr"
_GROUPS = {True: "seen", False: "unseen", None: "targets"}

#: What ``transfer`` without a language transfers from: each target has had the steps on its own text.
ITSELF = "the target itself"


@dataclass(frozen=True)
class Transfer:
    """``changes``: transfer language → target → relative change over seeds, a proportion (0.05 is 5 % better).

    ``targets``: target → whether the backbone saw it in pretraining (None: not known), in order of the columns.
    """

    measured: Measured
    steps: int
    baseline: str
    targets: Mapping[str, bool | None]
    changes: Mapping[str, Mapping[str, OverSeeds]]
    notes: tuple[str, ...]

    @property
    def averages(self) -> dict[str, dict[str, float | None]]:
        """Transfer language → ``seen``, ``unseen`` (or ``targets``) → mean of the targets' means, itself left out."""
        found: dict[str, dict[str, float | None]] = {}
        for lang, by_target in self.changes.items():
            for seen in dict.fromkeys(self.targets.values()):
                means = [
                    mean
                    for target, change in by_target.items()
                    if self.targets[target] is seen and target != lang and (mean := change.mean) is not None
                ]
                found.setdefault(lang, {})[_GROUPS[seen]] = fmean(means) if means else None
        return found

    def as_dict(self) -> dict[str, Any]:
        """Everything, for JSON."""
        return {
            **self.measured.as_dict(),
            "steps": self.steps,
            "baseline": self.baseline,
            "formula": "(after - before) / before, mean over seeds; interval: t over seeds, 95 %",
            "seen": dict(self.targets),
            "changes": {
                lang: {target: change.as_dict() for target, change in by_target.items()}
                for lang, by_target in self.changes.items()
            },
            "averages": self.averages,
            "notes": list(self.notes),
        }

    @property
    def title(self) -> str:
        """One line above table and figure."""
        return f"Transfer after {self.steps} MLM step{'s' * (self.steps != 1)}: {self.measured.about}"

    def grids(self) -> list[Grid]:
        """Percent, with the half width of the interval where there is one."""
        groups = list(dict.fromkeys(_GROUPS[seen] for seen in self.targets.values()))
        return [
            Grid(
                caption=f"{self.title}. (after − before) / before × 100 against {self.baseline}, mean over seeds ± "
                "half the 95 % interval over seeds",
                headers=("transfer language", *self.targets, *(f"mean {group}" for group in groups)),
                rows=tuple(
                    (
                        lang,
                        *(signed(by_target[target], 100) for target in self.targets),
                        *(signed(self.averages[lang][group], 100) for group in groups),
                    )
                    for lang, by_target in self.changes.items()
                ),
                tidy_headers=("task", "steps", "transfer_language", "target", "seen", "change", "low", "high", "seeds"),
                tidy_rows=tuple(
                    (self.measured.task, self.steps, lang, target, self.targets[target], c.mean, c.low, c.high, c.n)
                    for lang, by_target in self.changes.items()
                    for target, c in by_target.items()
                ),
                notes=self.notes,
            )
        ]

    def figures(self) -> dict[str, Figure]:
        """A heat map, targets split into seen and unseen."""
        from xleval.report.figures import heat_map

        drawn = heat_map(
            [[_percent(by_target[target].mean) for target in self.targets] for by_target in self.changes.values()],
            rows=list(self.changes),
            columns=list(self.targets),
            groups=[_GROUPS[seen] for seen in self.targets.values()],
            title=self.title,
            row_label="transfer language",
            column_label="target language",
            unit=f"change against {self.baseline} (%)",
        )
        return {"": drawn}


def transfer(
    group: Measured,
    steps: int | None = None,
    seen: Callable[[str], bool | None] = lambda code: None,
    canonical: Callable[[str], str] = lambda code: code,
) -> Transfer:
    """The matrix of one group of results; ``seen`` says whether the backbone knows a target.

    A target whose score before is 0 in some seed has no relative change: it is left out, and said so.
    ``canonical`` gives the registry's code of a language as it stands in a strategy's parameters.

    Raises:
        UserError: no transfer results, several numbers of steps and none chosen, no baseline.
    """
    found = [(label, parts_of(label)) for label in group.scores]
    runs = {label: options for label, (name, options) in found if name == "transfer"}
    if not runs:
        raise UserError(
            f"{group.task}: no results of strategy transfer; run it first: xleval run --task {group.task} "
            f"--strategy {BASELINE} --strategy transfer:lang=yor,steps=100 …"
        )
    counts = {label: _steps(label, options.get("steps", "100")) for label, options in runs.items()}
    known = sorted(set(counts.values()))
    if steps is None:
        if len(known) > 1:
            raise UserError(f"{group.task}: transfer was run with {_listed(known)} steps; choose one with --steps")
        steps = known[0]
    if steps not in known:
        raise UserError(f"--steps {steps}: {group.task} has transfer results of {_listed(known)} steps")
    runs = {label: options for label, options in runs.items() if counts[label] == steps}
    rests = {rest_of(options, "lang", "steps") for options in runs.values()}
    if len(rests) > 1:
        raise UserError(
            f"{group.task}: transfer was run with different parameters ({', '.join(sorted(map(str, runs)))}): "
            "a matrix has one of them: keep them in results folders of their own (--out)"
        )
    baseline = labelled(BASELINE, rests.pop())
    before = group.of(baseline)
    targets = sorted(
        {target for label in runs for target in group.scores[label]} | set(before),
        key=lambda code: ({True: 0, False: 1, None: 2}[seen(code)], code),
    )
    changes: dict[str, dict[str, OverSeeds]] = {}
    notes: list[str] = []
    for label, options in sorted(runs.items(), key=lambda item: canonical(item[1].get("lang", ""))):
        after, lang = group.scores[label], canonical(options["lang"]) if "lang" in options else ITSELF
        if lang in changes:
            raise UserError(
                f"{group.task}: two results of transfer from {lang}: keep them in results folders of their own (--out)"
            )
        changes[lang] = {}
        for target in targets:
            one, other = before.get(target, {}), after.get(target, {})
            seeds = sorted(set(one) & set(other))
            if zero := [seed for seed in seeds if one[seed] == 0]:
                notes.append(f"{lang} → {target}: no relative change, for the score before is 0 (seed {_listed(zero)})")
            change = MISSING if zero else over_seeds([relative(one[seed], other[seed]) for seed in seeds])
            changes[lang][target] = change
            if one and other and not seeds:
                notes.append(f"{lang} → {target}: {baseline} and {label} have no seed in common")
        if not all(
            same_training(group, baseline, label, t, set(before.get(t, {})) & set(after.get(t, {}))) for t in after
        ):
            notes.append(f"{label}: not the task adapters of {baseline}; more than the steps differs")
    return Transfer(group, steps, baseline, {t: seen(t) for t in targets}, changes, tuple(notes))


def relative(before: float, after: float) -> float:
    """(after − before) / before; NaN where before is 0."""
    return (after - before) / before if before else math.nan


def _steps(label: str, text: str) -> int:
    if not text.isdecimal():
        raise UserError(f"{label}: steps={text} is no whole number")
    return int(text)


def _percent(value: float | None) -> float:
    return math.nan if value is None else 100 * value


def _listed(numbers: list[int]) -> str:
    return ", ".join(map(str, numbers))
