"""What fusing language adapters gives over each of them alone (Faisal & Anastasopoulos 2024, FA).

Score of Stack(Fuse(l1, l2, …), TA) − mean of the scores with each single LA under the same task adapter, which was
trained without any. FA give no formula in code; this is our reading of the paper. Below zero the languages interfere.
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

_TRAINED = ("1", "true", "yes", "on", "t", "y")


@dataclass(frozen=True)
class Interference:
    """``differences``: fusion's label → target → fused − mean of the single ones over seeds, a proportion of 1."""

    measured: Measured
    targets: tuple[str, ...]
    differences: Mapping[str, Mapping[str, OverSeeds]]
    names: Mapping[str, str]
    """Fusion's label → what tables call it: ``deu + tur``, and whether the fusion layer was trained."""
    notes: tuple[str, ...]

    @property
    def averages(self) -> dict[str, float | None]:
        """Fusion's label → mean of its targets' means."""
        means = {
            label: [mean for d in by_target.values() if (mean := d.mean) is not None]
            for label, by_target in self.differences.items()
        }
        return {label: fmean(found) if found else None for label, found in means.items()}

    def as_dict(self) -> dict[str, Any]:
        """Everything, for JSON."""
        return {
            **self.measured.as_dict(),
            "formula": "score of the fusion - mean of the single adapters' scores, mean over seeds; "
            "interval: t over seeds, 95 %",
            "differences": {
                label: {target: d.as_dict() for target, d in by_target.items()}
                for label, by_target in self.differences.items()
            },
            "averages": self.averages,
            "notes": list(self.notes),
        }

    @property
    def title(self) -> str:
        """One line above table and figure."""
        return f"Interference of fused language adapters: {self.measured.about}"

    def grids(self) -> list[Grid]:
        """Points, with the half width of the interval where there is one."""
        return [
            Grid(
                caption=f"{self.title}. Fusion − mean of its single adapters, × 100, mean over seeds ± half the 95 % "
                "interval over seeds; below zero: interference",
                headers=("fused", *self.targets, "mean"),
                rows=tuple(
                    (
                        self.names[label],
                        *(signed(by_target[target], 100) for target in self.targets),
                        signed(self.averages[label], 100),
                    )
                    for label, by_target in self.differences.items()
                ),
                tidy_headers=("task", "fusion", "target", "difference", "low", "high", "seeds"),
                tidy_rows=tuple(
                    (self.measured.task, label, target, d.mean, d.low, d.high, d.n)
                    for label, by_target in self.differences.items()
                    for target, d in by_target.items()
                ),
                notes=self.notes,
            )
        ]

    def figures(self) -> dict[str, Figure]:
        """A heat map."""
        from xleval.report.figures import heat_map

        values = [
            [math.nan if (mean := by_target[target].mean) is None else 100 * mean for target in self.targets]
            for by_target in self.differences.values()
        ]
        drawn = heat_map(
            values,
            rows=[self.names[label] for label in self.differences],
            columns=list(self.targets),
            groups=["targets"] * len(self.targets),
            title=self.title,
            row_label="fused adapters",
            column_label="target language",
            unit="fusion − mean of single adapters (points)",
        )
        return {"": drawn}


def interference(group: Measured, canonical: Callable[[str], str] = lambda code: code) -> Interference:
    """All fusions of one group of results that have their single adapters beside them.

    A fusion without named languages is of source and target. The single adapters are recorded as fusions of one.
    ``canonical`` gives the registry's code of a language as it stands in a strategy's parameters.

    Raises:
        UserError: no fusion results, or none with the results of its single adapters.
    """
    fusions: dict[str, tuple[tuple[str, ...], bool, Any]] = {}
    singles: dict[tuple[str, Any], str] = {}
    for label in sorted(group.scores):
        name, options = parts_of(label)
        if name != "fusion":
            continue
        languages = tuple(canonical(code) for code in options.get("langs", "").split("+") if code)
        rest = rest_of(options, "langs", "trained")
        if len(languages) == 1:
            singles.setdefault((languages[0], rest), label)
        else:
            fusions[label] = (languages, options.get("trained", "").lower() in _TRAINED, rest)
    if not fusions:
        raise UserError(
            f"{group.task}: no results of a fusion of two languages; run it first: xleval run --task {group.task} "
            "--strategy fusion:langs=deu+tur --strategy fusion:langs=deu --strategy fusion:langs=tur"
        )
    targets = tuple(sorted({target for label in fusions for target in group.scores[label]}))
    differences: dict[str, dict[str, OverSeeds]] = {}
    missing: dict[str, None] = {}
    notes: list[str] = []
    for label, (languages, _, rest) in fusions.items():
        differences[label] = {}
        for target in targets:
            parts = languages or tuple(dict.fromkeys((canonical(group.source), canonical(target))))
            found = [singles.get((code, rest), "") for code in parts]
            lacking = [
                labelled("fusion", (*rest, ("langs", code)))
                for code, single in zip(parts, found, strict=True)
                if not group.scores.get(single, {}).get(target)
            ]
            missing |= dict.fromkeys(lacking)
            fused = group.scores[label].get(target, {})
            alone = [group.scores.get(single, {}).get(target, {}) for single in found]
            seeds = sorted(set(fused).intersection(*alone))
            if not lacking and fused and not seeds:
                notes.append(f"{label}, {target}: no seed in common with the single adapters")
            differences[label][target] = (
                over_seeds([fused[seed] - fmean(scores[seed] for scores in alone) for seed in seeds])
                if not lacking
                else MISSING
            )
            if seeds and not all(lacking or same_training(group, label, single, target, seeds) for single in found):
                notes.append(f"{label}, {target}: not the task adapters of its single adapters")
    if all(d.mean is None for by_target in differences.values() for d in by_target.values()):
        why = f"run them first: {', '.join(f'--strategy {label}' for label in missing)}" if missing else notes[0]
        raise UserError(f"{group.task}: no fusion has the results of its single adapters beside it; {why}")
    # A fusion without any value is named below and has no row.
    differences = {k: v for k, v in differences.items() if any(d.mean is not None for d in v.values())}
    if missing:
        notes.append(f"no results of {', '.join(missing)}: what needs them is missing")
    names = {
        label: (" + ".join(languages) or "source + target")
        + (", trained" if trained else "")
        + "".join(f", {key}={value}" for key, value in rest)
        for label, (languages, trained, rest) in fusions.items()
    }
    return Interference(group, targets, differences, names, tuple(notes))
