"""The default test on several languages, on paragraphs and on parallel items; what must not change it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from made_cells import RATIO, all_alike, grid, ids, made, right, same, variance

from xleval.scoring.metrics import ANSWER_F1, ENTITY_F1, LAS, PARTS
from xleval.stats.contrast import Cell, contrast

Ints = npt.NDArray[np.int64]


# --- Languages, units, strata -------------------------------------------------------------------------------------


def test_a_run_that_serves_all_languages_moves_them_together() -> None:
    counts = grid(np.random.default_rng(11), 6)
    shared = contrast([made(RATIO, x, "abc", language) for language, x in enumerate(counts)], [1 / 6] * 6)
    each = contrast(
        [made(RATIO, x, ids(f"{language}-", 3), language) for language, x in enumerate(counts)], [1 / 6] * 6
    )
    scores = np.array([RATIO.finalize(x.sum(axis=1)) for x in counts])
    assert shared.runs == pytest.approx(scores.mean(axis=0).var(ddof=1) / 3)
    assert each.runs == pytest.approx((scores.var(axis=1, ddof=1) / 3).sum() / 36)
    assert shared.estimate == pytest.approx(each.estimate)
    assert (shared.items, shared.residual) == pytest.approx((each.items, each.residual))
    alone = [contrast([made(RATIO, x, "abc")], [1]) for x in counts]
    assert shared.items == pytest.approx(sum(one.items for one in alone) / 36)


def test_the_df_of_many_small_groups_is_that_of_one() -> None:
    """Equal groups beside one another: 1/df is the doubt about one of them, weighed by its share of all."""
    scores = [40, 46, 55]
    found = contrast([all_alike(scores, ids(f"{language}-", 3), language) for language in range(5)], [1 / 5] * 5)
    assert found.df == pytest.approx(5 * 2)


def test_a_language_that_stands_twice_changes_nothing_but_its_weight() -> None:
    first, second = grid(np.random.default_rng(12), 2)
    a, b = made(RATIO, first, "abc", "yor"), made(RATIO, second, "abc", "hau")
    same(contrast([a, a, b], [1 / 3] * 3), contrast([a, b], [2 / 3, 1 / 3]))
    # Other languages with the same scores: runs are no surer for them, items are.
    copy = made(RATIO, first, "abc", "ibo")
    twice, once = contrast([a, copy], [0.5, 0.5]), contrast([a], [1])
    assert (twice.runs, twice.items) == pytest.approx((once.runs, once.items / 2))


def test_parallel_items_count_once() -> None:
    """Difficulties that two languages share do not average out, also where one lacks some of the items."""
    rng = np.random.default_rng(13)
    rows = rng.integers(0, 2, (2, 3, 12))
    lacking = [0, 1, 2, 4, 5, 6, 7, 9, 11]
    for kept in (list(range(12)), lacking):
        a = right(rows[0], "abc", stratum="all")
        b = right(rows[1][:, kept], "abc", stratum="all", units=kept)
        found = contrast([a, b], [0.5, 0.5])
        part = np.zeros(12)
        part += 0.5 * (rows[0].mean(axis=0) - rows[0].mean()) / 12
        part[kept] += 0.5 * (rows[1][:, kept].mean(axis=0) - rows[1][:, kept].mean()) / len(kept)
        assert found.items == pytest.approx(12 / 11 * ((part - part.mean()) ** 2).sum())
        own = contrast([right(rows[0], "abc", stratum="x"), right(rows[1][:, kept], "abc", stratum="y")], [0.5, 0.5])
        assert found.estimate == pytest.approx(own.estimate)
        assert found.runs == pytest.approx(own.runs)
        assert found.items != pytest.approx(own.items)
    # The same predictions in two languages of a parallel set say no more than in one.
    one = right(rows[0], "abc", stratum="all")
    same(contrast([one, right(rows[0], "abc", stratum="all")], [0.5, 0.5]), contrast([one], [1]))


def test_items_of_a_paragraph_are_one_unit() -> None:
    rng = np.random.default_rng(14)
    paragraphs = np.repeat([7, 3, 11, 5, 2], [4, 2, 5, 1, 3])
    rows = np.where(rng.random((3, 5))[:, np.unique(paragraphs, return_inverse=True)[1]] < 0.5, 1, 0)
    rows[:, ::4] = rng.integers(0, 2, rows[:, ::4].shape)
    found = right(rows, "abc", units=paragraphs)
    assert found.units.tolist() == [2, 3, 5, 7, 11]
    sums = dict.fromkeys(found.units.tolist(), 0.0)
    for item, unit in enumerate(paragraphs.tolist()):
        sums[unit] += float(rows[:, item].mean() - rows.mean()) / 15
    grouped, alone = contrast([found], [1]), contrast([right(rows, "abc")], [1])
    assert grouped.items == pytest.approx(5 / 4 * sum(value**2 for value in sums.values()))
    assert grouped.items > alone.items
    assert (grouped.estimate, grouped.runs) == pytest.approx((alone.estimate, alone.runs))
    # In any order, and an item a unit is as no units at all.
    order = rng.permutation(15)
    same(contrast([right(rows[:, order], "abc", units=paragraphs[order])], [1]), grouped)
    same(contrast([right(rows[:, order], "abc", units=order)], [1]), alone)


def test_items_are_paired_by_their_numbers_not_by_their_place() -> None:
    rng = np.random.default_rng(19)
    first, second, order = rng.integers(0, 2, (3, 20)), rng.integers(0, 2, (3, 20)), rng.permutation(20)
    expected = contrast([right(first, "abc"), right(second, "xyz")], [1, -1])
    same(contrast([right(first, "abc"), right(second[:, order], "xyz", units=order)], [1, -1]), expected)
    assert contrast([right(first, "abc"), right(second[:, order], "xyz")], [1, -1]).items != pytest.approx(
        expected.items
    )


def test_questions_are_counted_in_parts_without_loss() -> None:
    rng = np.random.default_rng(15)
    parts = rng.integers(0, 13, (3, 40)) * (PARTS // 12)
    counts = np.stack([parts, parts, parts // PARTS, np.ones_like(parts)], axis=-1)
    found = contrast([made(ANSWER_F1, counts, "abc")], [1])
    of_means = [variance((parts / PARTS).mean(axis=axis).tolist()) / size for axis, size in ((1, 3), (0, 40))]
    assert (found.runs, found.items) == pytest.approx(of_means)


def test_a_run_without_any_word_scores_0_and_has_no_influence() -> None:
    nothing = np.zeros((2, 5, len(LAS.stats)), dtype=np.int64)
    found = contrast([made(LAS, nothing, "ab")], [1])
    assert (found.estimate, found.variance, found.p) == (0, 0, 1)


# --- What must not change anything --------------------------------------------------------------------------------

TABLES = st.tuples(st.integers(2, 4), st.integers(2, 6)).flatmap(
    lambda shape: st.tuples(*[arrays(np.int64, (*shape, 3), elements=st.integers(0, 3))] * 4)
)


def strategies_on_two_languages(tables: Sequence[Ints], runs: Callable[[int, int], str]) -> list[Cell]:
    """Cells of A on both languages, then of B; ``runs``: (cell, run) → the run's id."""
    return [
        made(ENTITY_F1, x, [runs(number, run) for run in range(len(x))], number % 2) for number, x in enumerate(tables)
    ]


LAYOUTS: dict[str, Callable[[int, int], str]] = {
    "one run for all languages": lambda number, run: f"{number // 2}-{run}",
    "one run a language": lambda number, run: f"{number}-{run}",
    "one is shared": lambda number, run: f"{min(number, 2)}-{run}",
    "all share": lambda number, run: f"{run}",
}


@pytest.mark.parametrize("layout", LAYOUTS)
@settings(max_examples=25, deadline=None)
@given(TABLES, st.randoms(use_true_random=False))
def test_order_and_names_do_not_matter(layout: str, tables: tuple[Ints, ...], random: Any) -> None:
    weights = [0.5, 0.5, -0.5, -0.5]
    cells = strategies_on_two_languages(tables, LAYOUTS[layout])
    found = contrast(cells, weights)
    # Strategies.
    same(contrast(cells, [-w for w in weights]), found, sign=-1)
    # Cells.
    order = random.sample(range(4), 4)
    same(contrast([cells[i] for i in order], [weights[i] for i in order]), found)
    # Runs, of each cell in its own order; their ids.
    shuffled = [c.only(random.sample(range(len(c.runs)), len(c.runs))) for c in cells]
    same(contrast(shuffled, weights), found)
    renamed = strategies_on_two_languages(tables, lambda number, run: f"run {LAYOUTS[layout](number, run)}"[::-1])
    same(contrast(renamed, weights), found)
    # Items.
    place = random.sample(range(tables[0].shape[1]), tables[0].shape[1])
    same(contrast(strategies_on_two_languages([x[:, place] for x in tables], LAYOUTS[layout]), weights), found)
    # The unit of the scores.
    doubled = contrast(cells, [2 * w for w in weights])
    assert doubled.estimate == pytest.approx(2 * found.estimate)
    assert doubled.variance == pytest.approx(4 * found.variance)
    assert (doubled.df, doubled.p) == pytest.approx((found.df, found.p))
    # Counts that are all twice as many.
    same(contrast(strategies_on_two_languages([2 * x for x in tables], LAYOUTS[layout]), weights), found)


@pytest.mark.parametrize("layout", LAYOUTS)
@settings(max_examples=25, deadline=None)
@given(TABLES)
def test_p_and_interval_say_the_same(layout: str, tables: tuple[Ints, ...]) -> None:
    found = contrast(strategies_on_two_languages(tables, LAYOUTS[layout]), [0.5, 0.5, -0.5, -0.5])
    assert 0 <= found.p <= 1
    assert found.variance >= max(found.runs, 0.5 * found.items, found.runs + found.items - found.residual) * (1 - 1e-12)
    low, high = found.interval()
    assert low <= found.estimate <= high
    if found.variance:
        assert found.p_greater + found.p_less == pytest.approx(1)
        for level in (0.5, 0.9, 0.95):
            low, high = found.interval(level)
            assert abs(found.p - (1 - level)) < 1e-6 or (found.p < 1 - level) == (not low <= 0 <= high)
