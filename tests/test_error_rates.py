"""The default test keeps its error rates, by simulation; the benchmark that measures them all draws what it says."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from conftest import ROOT
from scipy.stats import binom

from xleval.scoring.metrics import Metric
from xleval.stats.contrast import cell

sys.path.insert(0, str(ROOT / "benchmarks"))
import error_rates
import simulated
from error_rates import simulate
from simulated import KINDS, Setting

RATIO = Metric("ratio", (), "", {"above": 1}, {"below": 1}, ("above", "below"))
SHARED, ONE_SHARED, OWN = error_rates.SHARED


def within(count: int, repetitions: int, low: float, high: float) -> bool:
    """Whether a rate between two limits explains the count: not further out than one draw in a thousand is."""
    return bool(binom.cdf(count, repetitions, low) > 0.001 and binom.sf(count - 1, repetitions, high) > 0.001)


def test_equal_strategies_are_seldom_told_apart() -> None:
    found = simulate(Setting("accuracy", 3, 100, (3.0, 3.0), 1.0), 1500, {})
    assert found["default test"] < 0.09 * 1500
    assert found["covered"] == 1500 - found["default test"]


@pytest.mark.slow
@pytest.mark.parametrize(
    "setting",
    [
        Setting("accuracy", 3, 100),
        Setting("accuracy", 3, 500, (0.0, 6.0), 1.0),
        Setting("accuracy", 10, 100, (3.0, 3.0), 1.0),
        Setting("micro-F1", 3, 500, (3.0, 3.0)),
        Setting("micro-F1", 5, 100, (0.0, 6.0), 1.0),
        Setting("clustered QA F1", 3, 500, (1.0, 1.0), 1.0),
        Setting("clustered QA F1", 5, 500, (6.0, 6.0)),
        Setting("clustered QA F1", 3, 100, (1.0, 1.0)),
        Setting("accuracy", 3, 100, (3.0, 3.0), 1.0, 15, SHARED),
        Setting("accuracy", 3, 100, (6.0, 6.0), 1.0, 15, ONE_SHARED, parallel=True),
        Setting("accuracy", 5, 100, (0.0, 6.0), 1.0, 15, OWN),
        Setting("accuracy", 5, 500, (3.0, 3.0), 1.0, effect=5.0),
    ],
    ids=repr,
)
def test_false_positives_are_3_to_7_and_coverage_is_93_to_97_per_cent(setting: Setting) -> None:
    repetitions = 1000 if setting.languages > 1 else 2000
    found = simulate(setting, repetitions, {})
    if setting.effect:
        assert found["default test"] > 0.3 * repetitions
    else:
        assert within(found["default test"], repetitions, 0.03, 0.07), found
    assert within(found["covered"], repetitions, 0.93, 0.97), found
    assert within(found["score covered"], repetitions, 0.93, 0.97), found


@pytest.mark.slow
def test_an_interval_over_languages_as_a_sample_holds_the_average_of_all() -> None:
    setting = Setting("accuracy", 3, 500, (3.0, 3.0), 1.0, 8, families=(1,) * 8, between=(0.0, 3.0))
    found = simulate(setting, 1500, {})
    assert within(found["sample covered"], 1500, 0.93, 0.985), found


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_drawn_has_the_expected_scores(kind: str) -> None:
    setting = Setting(kind, 4, 400, (1.0, 6.0), 1.0, effect=5.0)
    rng = np.random.default_rng(17)
    drawn = [simulated.cells(setting, simulated.draw(rng, setting)) for _ in range(400)]
    means = np.array([[c.scores.mean() for (c,) in made] for made in drawn])
    for strategy in (0, 1):
        error = means[:, strategy].std(ddof=1) / 20
        assert abs(means[:, strategy].mean() - simulated.truth(setting, strategy)) < 4 * error
        # Spread of a run's score: that of seeds, and of items beside it.
        runs = np.array([made[strategy][0].scores.std(ddof=1) for made in drawn])
        assert (runs**2).mean() > (0.9 * setting.seed_sd[strategy] / 100) ** 2
    assert simulated.truth(setting, 0) - simulated.truth(setting, 1) == pytest.approx(0.05)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("parallel", [False, True])
def test_cells_made_all_at_once_are_those_of_the_default_test(kind: str, parallel: bool) -> None:
    setting = Setting(kind, 3, 60, (3.0, 3.0), 1.0, 2, (True, False), parallel)
    drawn = simulated.draw(np.random.default_rng(18), setting)
    above, below = (np.broadcast_to(x, (2, 2, 3, 60)) for x in drawn[:2])
    made = simulated.cells(setting, drawn)
    for strategy in (0, 1):
        for language in (0, 1):
            counts = np.stack([above[language, strategy], below[language, strategy]], axis=-1).astype(np.int64)
            one = made[strategy][language]
            expected = cell(
                counts, RATIO.finalize, RATIO.gradient, runs=one.runs, units=drawn.units, stratum=one.stratum
            )
            np.testing.assert_allclose(one.scores, expected.scores)
            np.testing.assert_allclose(one.influence, expected.influence, atol=1e-15)
            np.testing.assert_array_equal(one.units, expected.units)
    assert (made[0][0].runs == made[0][1].runs, made[1][0].runs == made[1][1].runs) == (True, False)
    assert (made[0][0].stratum == made[0][1].stratum) is parallel


def test_the_benchmark_goes_on_where_it_stopped_and_writes_its_page(tmp_path: Path) -> None:
    results, page = tmp_path / "rates.jsonl", tmp_path / "error-rates.md"

    def run(only: str) -> list[str]:
        command = [sys.executable, str(ROOT / "benchmarks" / "error_rates.py"), str(results), "--jobs", "1"]
        command += ["--repetitions", "10", "--only", only, "--out", str(page)]
        subprocess.run(command, check=True, capture_output=True, text=True)
        return results.read_text(encoding="utf-8").splitlines()

    cells = "kind='accuracy', runs=3, items=100, seed_sd=(3.0, 3.0), interaction=0.0"
    first = run(cells)
    assert [json.loads(line)["repetitions"] for line in first] == [10]
    assert run(cells) == first
    count = len(run("runs=3, items=500, seed_sd=(3.0, 3.0), interaction=1.0"))
    assert count == 1 + 3 + 6 + 3 + 6
    text = page.read_text(encoding="utf-8")
    assert f"in {count} simulated situations" in text
    assert "| accuracy | 3 | 100 | " in text and "sign test over languages" in text


def test_the_situations_are_those_that_are_claimed() -> None:
    situations = error_rates.settings()
    assert len(situations) == len(set(situations))
    on_one = {(s.kind, s.runs, s.items, s.interaction) for s in situations if s.languages == 1}
    assert len(on_one) == 3 * 3 * 3 * 2
    assert {s.seed_sd for s in situations} == set(error_rates.SEEDS)
    assert {(s.shared, s.parallel, s.runs) for s in situations if s.languages == 15 and not s.families} == {
        (shared, parallel, k) for shared in error_rates.SHARED for parallel in (False, True) for k in (3, 5, 10)
    }
