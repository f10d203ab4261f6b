"""The default test against a plain two-way analysis of variance, worked examples with known answers, bad input."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from made_cells import RATIO, all_alike, drawn, grid, ids, made, right, same, variance
from scipy import stats

from xleval.scoring.metrics import ACCURACY, ENTITY_F1
from xleval.stats.contrast import contrast
from xleval.stats.influence import standard_error

#: ``city`` of R's boot: populations of ten cities in 1920 and 1930 (Davison & Hinkley 1997, example 1.2).
CITY_1920 = [138, 93, 61, 179, 48, 37, 29, 23, 30, 2]
CITY_1930 = [143, 104, 69, 260, 75, 63, 50, 48, 111, 50]


# --- A plain analysis of variance ---------------------------------------------------------------------------------


def psi_of(metric: str, counts: Any) -> tuple[float, list[float]]:
    """Score of a run, and the influence of its items: the formulas of docs/statistics.md, an item at a time."""
    n = len(counts)
    if metric == "accuracy":
        score = sum(correct for correct, _ in counts) / n
        return score, [correct - score for correct, _ in counts]
    if metric == "micro-F1":
        size = sum(predicted + gold for _, predicted, gold in counts) / n
        score = 2 * sum(tp for tp, _, _ in counts) / (n * size)
        return score, [(2 * tp - score * (predicted + gold)) / size for tp, predicted, gold in counts]
    words = sum(below for _, below in counts) / n
    score = sum(above for above, _ in counts) / (n * words)
    return score, [(above - score * below) / words for above, below in counts]


def mean_square(psi: list[list[float]]) -> float:
    """Of the residuals of runs × items."""
    runs, items = len(psi), len(psi[0])
    of_runs = [sum(row) / items for row in psi]
    of_items = [sum(row[i] for row in psi) / runs for i in range(items)]
    whole = sum(of_runs) / runs
    total = 0.0
    for s in range(runs):
        for i in range(items):
            total += (psi[s][i] - of_runs[s] - of_items[i] + whole) ** 2
    return total / ((runs - 1) * (items - 1))


def two_way(metric: str, first: Any, second: Any) -> dict[str, float]:
    """Vs, Ve, Vr, V and the df of two strategies whose runs are their own."""
    n = len(first[0])
    of_runs, of_noise, means, estimate = [], [], [], 0.0
    for sign, counts in ((1, first), (-1, second)):
        scores, psi = zip(*(psi_of(metric, run) for run in counts), strict=True)
        of_runs.append(variance(list(scores)) / len(scores))
        of_noise.append(mean_square(list(psi)) / (len(psi) * n))
        means.append([sum(row[i] for row in psi) / len(psi) for i in range(n)])
        estimate += sign * sum(scores) / len(scores)
    items = variance([a - b for a, b in zip(*means, strict=True)]) / n
    return {"estimate": estimate, **combined(of_runs, of_noise, [len(first) - 1, len(second) - 1], items, n - 1)}


def combined(
    of_runs: list[float], of_noise: list[float], df_runs: list[int], items: float, df_items: float
) -> dict[str, float]:
    runs, residual = sum(of_runs), sum(of_noise)
    whole = max(runs + items - residual, runs, 0.5 * items)
    share = 0.15 if len(of_runs) == 1 else 0.3
    net = [max(vs - share * vr, 0.0) for vs, vr in zip(of_runs, of_noise, strict=True)]
    above = sum(one**2.5 / df for one, df in zip(net, df_runs, strict=True))
    below = sum(one**1.5 for one in net)
    inverse = (above / below / whole if below else 0.0) + min(items / whole, 1.0) ** 2 / df_items
    return {"variance": whole, "df": 1 / inverse, "runs": runs, "items": items, "residual": residual}


METRICS = {"accuracy": ACCURACY, "micro-F1": ENTITY_F1, "ratio": RATIO}


@pytest.mark.parametrize("metric", METRICS)
def test_variance_and_df_are_those_of_a_plain_two_way_analysis(metric: str) -> None:
    rng = np.random.default_rng(5)
    largest = set()
    for runs, others, items, *how in ((3, 3, 40, 0.0, 0.0), (3, 3, 20, 0.02), (3, 5, 25, 0.2), (8, 2, 30, 0.05)) * 6:
        first, second = (drawn(metric, rng, k, items, *how) for k in (runs, others))
        found = contrast([made(METRICS[metric], x, ids(y, len(x))) for x, y in ((first, "a"), (second, "b"))], [1, -1])
        expected = two_way(metric, first.tolist(), second.tolist())
        assert found._asdict() == pytest.approx(expected, rel=1e-9, abs=1e-15)
        terms = found.runs + found.items - found.residual, found.runs, 0.5 * found.items
        largest.add(terms.index(max(terms)))
    assert largest == {0, 1, 2}  # each of them was the largest somewhere


def test_one_strategy_is_one_group_of_runs() -> None:
    counts = drawn("micro-F1", np.random.default_rng(6), 4, 30, 0.1)
    scores, psi = zip(*(psi_of("micro-F1", run) for run in counts.tolist()), strict=True)
    mean = [sum(row[i] for row in psi) / 4 for i in range(30)]
    parts = [variance(list(scores)) / 4], [mean_square(list(psi)) / 120], [3], variance(mean) / 30, 29
    found = contrast([made(ENTITY_F1, counts, ids("a", 4))], [1])
    assert found._asdict() == pytest.approx({"estimate": sum(scores) / 4, **combined(*parts)})


def test_a_small_example_by_hand() -> None:
    """Runs of A score 3/4 and 2/4, both of B 1/4; items on average 1, 1, 1/2, 0 and 1/2, 1/2, 0, 0.

    Vs = (1/32 + 0)/2. Differences of items ½, ½, ½, 0: Ve = (3/16 / 3)/4. Residuals of A are ∓1/8, ∓1/8, ±3/8, ∓1/8,
    so that their mean square is (3/8)/3; those of B ±1/2, ∓1/2, 0, 0: 1/3. Vr = (1/8 + 1/3)/8 is more than Vs + Ve.
    V = Vs. Net of 0.3 of its noise 1/64, A's part is 0.7/64; nothing is left of B's. 1/df = 0.7 + (Ve/V)²/3.
    """
    first, second = right([[1, 1, 1, 0], [1, 1, 0, 0]], "ab"), right([[1, 0, 0, 0], [0, 1, 0, 0]], "cd")
    found = contrast([first, second], [1, -1])
    assert found.estimate == 0.375
    assert (found.runs, found.items, found.residual) == pytest.approx((1 / 64, 1 / 64, (1 / 8 + 1 / 3) / 8))
    assert found.variance == pytest.approx(1 / 64)
    assert found.df == pytest.approx(1 / (0.7 + 1 / 3))
    assert found.se == pytest.approx(1 / 8)
    assert found.p == pytest.approx(2 * stats.t.sf(3, found.df))
    assert (found.p_greater, found.p_less) == pytest.approx((found.p / 2, 1 - found.p / 2))
    half = stats.t.ppf(0.95, found.df) / 8
    assert found.interval(0.9) == pytest.approx((0.375 - half, 0.375 + half))


def test_paired_runs_are_compared_by_their_differences() -> None:
    rng = np.random.default_rng(7)
    first, second = drawn("ratio", rng, 5, 60, 0.1), drawn("ratio", rng, 5, 60, 0.1)
    paired = contrast([made(RATIO, first, ids("r", 5)), made(RATIO, second, ids("r", 5))], [1, -1])
    a, b = (RATIO.finalize(counts.sum(axis=1)) for counts in (first, second))
    assert paired.runs == pytest.approx(np.var(a - b, ddof=1) / 5)
    noise = mean_square(
        [
            [x - y for x, y in zip(psi_of("ratio", one)[1], psi_of("ratio", other)[1], strict=True)]
            for one, other in zip(first.tolist(), second.tolist(), strict=True)
        ]
    )
    assert paired.residual == pytest.approx(noise / 300)
    expected = combined([paired.runs], [paired.residual], [4], paired.items, 59)
    assert paired.df == pytest.approx(expected["df"])
    # By id, not by place.
    shuffled = made(RATIO, second[[3, 0, 4, 2, 1]], ["r3", "r0", "r4", "r2", "r1"])
    same(contrast([made(RATIO, first, ids("r", 5)), shuffled], [1, -1]), paired)


def test_runs_that_two_strategies_share_in_part() -> None:
    """Two shared runs are paired; two of each strategy are replicates of one another. Each run counts ¼ of its cell."""
    rng = np.random.default_rng(8)
    first, second = drawn("accuracy", rng, 4, 50, 0.1), drawn("accuracy", rng, 4, 50, 0.1)
    found = contrast([made(ACCURACY, first, "abcd"), made(ACCURACY, second, "xbya")], [1, -1])
    s, t = ({run: float(x) for run, x in zip(names, counts[..., 0].mean(axis=1), strict=True)}
            for names, counts in (("abcd", first), ("xbya", second)))  # fmt: skip
    groups = [(s["a"] - t["a"]) / 4, (s["b"] - t["b"]) / 4], [s["c"] / 4, s["d"] / 4], [t["x"] / 4, t["y"] / 4]
    assert found.runs == pytest.approx(sum(2 * variance(group) for group in groups))


# --- Known answers ------------------------------------------------------------------------------------------------


def test_where_items_do_not_vary_it_is_a_t_test_over_runs() -> None:
    first, second = [61, 64, 70, 65], [55, 58, 64, 59]  # the same variance
    found = contrast([all_alike(first, ids("a", 4)), all_alike(second, ids("b", 4))], [1, -1])
    expected = stats.ttest_ind(first, second)
    assert (found.items, found.residual) == (0, 0)
    assert found.df == pytest.approx(6)
    assert found.p == pytest.approx(expected.pvalue)
    interval = expected.confidence_interval()
    assert [100 * bound for bound in found.interval()] == pytest.approx([interval.low, interval.high])
    # Where variances differ, t is Welch's, and df is between the larger group's and Welch's.
    second = [57, 58, 58, 59]
    found = contrast([all_alike(first, ids("a", 4)), all_alike(second, ids("b", 4))], [1, -1])
    welch = stats.ttest_ind(first, second, equal_var=False)
    assert found.estimate / found.se == pytest.approx(welch.statistic)
    assert 3 < found.df <= welch.df
    # Where only one varies, both are that one's.
    found = contrast([all_alike(first, ids("a", 4)), all_alike([58] * 4, ids("b", 4))], [1, -1])
    assert found.p == pytest.approx(stats.ttest_1samp(first, 58).pvalue)


def test_paired_runs_where_items_do_not_vary_are_a_paired_t_test() -> None:
    """Student's sleep: hours gained by ten patients with two drugs, in tenths above −5."""
    first = [7, -16, -2, -12, -1, 34, 37, 8, 0, 20]
    second = [19, 8, 11, 1, -1, 44, 55, 16, 46, 34]
    a, b = (all_alike([value + 50 for value in values], ids("p", 10)) for values in (first, second))
    found = contrast([a, b], [1, -1])
    assert found.estimate / found.se == pytest.approx(-4.0621, abs=5e-5)
    assert found.df == pytest.approx(9)
    assert found.p == pytest.approx(0.00283289, abs=5e-9)
    alone = contrast([a, all_alike([value + 50 for value in second], ids("q", 10))], [1, -1])
    assert alone.estimate / alone.se == pytest.approx(-1.8608, abs=5e-5)
    assert alone.p == pytest.approx(0.0793941, rel=1e-2)


def test_runs_that_agree_leave_the_variance_over_items() -> None:
    """R's boot prints 0.0324877 for the ratio of ``city``: Σ ψ² / n², which n / (n − 1) makes ours."""
    counts = np.stack([CITY_1930, CITY_1920], axis=-1)
    found = contrast([made(RATIO, [counts, counts], "ab")], [1])
    assert found.estimate == pytest.approx(1.5203125, abs=5e-8)
    assert found.items * 9 / 10 == pytest.approx(0.0324877, abs=5e-8)
    assert (found.runs, found.residual, found.df) == pytest.approx((0, 0, 9))
    assert found.se == pytest.approx(standard_error(counts, RATIO.gradient))


def test_two_checkpoints_at_a_time_give_the_paired_variance_of_their_items() -> None:
    """Runs that predict alike: accuracy's Ve is that of a paired test over items."""
    rng = np.random.default_rng(9)
    a, b = rng.integers(0, 2, (2, 200))
    found = contrast([right([a, a], "ab"), right([b, b], "cd")], [1, -1])
    expected = stats.ttest_rel(a, b)
    assert found.estimate / found.se == pytest.approx(expected.statistic)
    assert found.p == pytest.approx(expected.pvalue)


def test_identical_systems_have_p_1_and_an_interval_of_no_width() -> None:
    rows = np.random.default_rng(10).integers(0, 2, (3, 30))
    one, copy = right(rows, "abc"), right(rows, "abc")
    found = contrast([one, copy], [1, -1])
    assert (found.estimate, found.variance, found.p, found.p_greater, found.p_less) == (0, 0, 1, 1, 1)
    assert found.interval() == (0, 0)
    assert found.df == math.inf
    # Runs that are others' but predict the same: no difference, and as unsure as these runs are of themselves.
    assert contrast([one, right(rows, "xyz")], [1, -1]).p == 1


def test_all_ties_differ_in_nothing() -> None:
    for value in (0, 1):
        found = contrast([right(np.full((3, 20), value), "abc"), right(np.full((3, 20), value), "xyz")], [1, -1])
        assert (found.estimate, found.variance, found.p) == (0, 0, 1)
        assert found.interval() == (0, 0)


def test_all_right_against_all_wrong_is_certain() -> None:
    found = contrast([right(np.ones((3, 20)), "abc"), right(np.zeros((3, 20)), "xyz")], [1, -1])
    assert (found.estimate, found.variance, found.p, found.p_greater, found.p_less) == (1, 0, 0, 0, 1)
    assert found.interval() == (1, 1)


def test_scores_that_are_equal_on_paper_differ_in_nothing() -> None:
    """Counts that are three times as many give the same scores and influence up to the last bits."""
    rng = np.random.default_rng(16)
    for shared in (True, False):
        ours, theirs = [], []
        for language, counts in enumerate(grid(rng, 7)):
            runs = ids("r" if shared else f"{language}-", 3)
            ours.append(made(RATIO, counts, runs, language))
            theirs.append(made(RATIO, 3 * counts, runs, language))
        found = contrast([*ours, *theirs], [1 / 7] * 7 + [-1 / 7] * 7)
        assert found == (0, 0, math.inf, 0, 0, 0)
        assert (found.p, found.interval()) == (1, (0, 0))


def test_a_difference_of_one_count_in_ten_million_is_one() -> None:
    """Scores near 1 and differences of 1e-7 of them, which are no rounding errors."""
    rows = [[[9_999_999, 10_000_000]] * 4, [[9_999_998, 10_000_000]] * 4]
    found = contrast([made(RATIO, rows, "ab"), made(RATIO, [rows[0], rows[0]], "cd")], [1, -1])
    assert found.estimate == pytest.approx(-0.5e-7)
    assert found.runs == pytest.approx(1e-14 / 4)
    assert found.p == pytest.approx(0.5)  # t = −1 on 1 degree of freedom
    items = np.array([[[10_000_000, 10_000_000]] * 3 + [[9_999_999, 10_000_000]]] * 2)
    found = contrast([made(RATIO, items, "ab"), made(RATIO, np.full_like(items, 10_000_000), "cd")], [1, -1])
    assert found.items == pytest.approx(variance([0, 0, 0, 1e-7]) / 4, rel=1e-6)


# --- Bad input ----------------------------------------------------------------------------------------------------


def test_what_says_nothing_of_new_runs_is_refused() -> None:
    one, two = np.zeros((1, 5), dtype=int), np.zeros((2, 5), dtype=int)
    with pytest.raises(ValueError, match="one training run: nothing can be said about new ones"):
        contrast([right(one, "a"), right(two, "xy")], [1, -1])
    with pytest.raises(ValueError, match="a training run that made other cells than all others: it has no replicate"):
        contrast([right(two, "ab"), right(two, "bc", stratum="yor")], [0.5, 0.5])
    with pytest.raises(ValueError, match="0 cells, 0 weights"):
        contrast([], [])
    with pytest.raises(ValueError, match="2 cells, 1 weights"):
        contrast([right(two, "ab"), right(two, "cd")], [1])


@pytest.mark.parametrize(
    ("counts", "runs", "units", "message"),
    [
        (np.ones((2, 1, 2), int), "ab", [0], "1 independent unit of items: nothing can be said about others"),
        (np.ones((2, 0, 2), int), "ab", np.zeros(0, int), "0 independent unit of items"),
        (np.ones((2, 4, 2), int), "ab", [3, 3, 3, 3], "1 independent unit of items: nothing can be said about others"),
        (np.ones((2, 3, 2), int), "aa", [0, 1, 2], "2 runs of counts, 2 ids of runs, of which 1 differ"),
        (np.ones((2, 3, 2), int), "abc", [0, 1, 2], "2 runs of counts, 3 ids of runs"),
        ([[[1, 1], [1, 1]], [[1, 1], [-1, 1]]], "ab", [0, 1], r"counts\[1, 1, 0\] is negative"),
        (np.ones((2, 3, 2)), "ab", [0, 1, 2], "counts are integers of shape .*, not float64"),
        (np.full((2, 3, 2), math.nan), "ab", [0, 1, 2], "counts are integers of shape .*, not float64"),
        (np.ones((2, 3), int), "ab", [0, 1, 2], r"counts are integers of shape \(runs, items, counts\)"),
        (np.ones((0, 3, 2), int), "", [0, 1, 2], "counts are integers of shape"),
        (np.ones((2, 3, 2), int), "ab", [0, 1], r"3 items; units, an integer for each, are int64 \(2,\)"),
        (np.ones((2, 3, 2), int), "ab", [0.5, 1, 2], "3 items; units, an integer for each, are float64"),
    ],
)
def test_counts_that_cannot_be_are_refused(counts: Any, runs: str, units: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        made(ACCURACY, counts, list(runs), units=units)
