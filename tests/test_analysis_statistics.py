"""The analyses' arithmetic: cosines, intervals and rank correlations against independent computations."""

from __future__ import annotations

import itertools
import math
import warnings

import numpy as np
import pytest
from scipy import stats

from xleval.analysis.association import RESAMPLES, Association, adjusted, associate, kendall, spearman
from xleval.analysis.cosines import cosine_of_means, mean_pairwise_cosine
from xleval.analysis.pieces import cut
from xleval.analysis.seeds import MISSING, over_seeds
from xleval.analysis.transfer import relative
from xleval.analysis.typology import ORDERS, same_order, word_orders
from xleval.languages import builtin
from xleval.tasks.rows import ChoiceRow, QuestionRow, SequenceRow, TokenRow, TreeRow

NAN = math.nan


@pytest.fixture
def random() -> np.random.Generator:
    return np.random.default_rng(7)


# Cosines


def test_cosines_are_those_of_every_pair_and_of_the_means(random: np.random.Generator) -> None:
    source, target = random.normal(size=(3, 5, 8)) + 0.5, random.normal(size=(3, 4, 8))
    for layer in range(3):
        pairs = [
            np.dot(a, b) / math.sqrt(np.dot(a, a) * np.dot(b, b))
            for a, b in itertools.product(source[layer], target[layer])
        ]
        assert mean_pairwise_cosine(source, target)[layer] == pytest.approx(np.mean(pairs), abs=1e-12)
        a, b = source[layer].mean(axis=0), target[layer].mean(axis=0)
        expected = 1 - __import__("scipy.spatial.distance", fromlist=["cosine"]).cosine(a, b)
        assert cosine_of_means(source, target)[layer] == pytest.approx(expected, abs=1e-12)


def test_the_two_readings_differ_where_vectors_are_of_unequal_length() -> None:
    source = np.array([[[1.0, 0.0], [0.0, 9.0]]])
    target = np.array([[[0.0, 1.0]]])
    assert mean_pairwise_cosine(source, target)[0] == pytest.approx(0.5)
    assert cosine_of_means(source, target)[0] == pytest.approx(9 / math.sqrt(82))


def test_equal_sets_have_cosine_one_of_means_and_opposite_ones_minus_one(random: np.random.Generator) -> None:
    vectors = random.normal(size=(2, 6, 4)).astype(np.float32)
    assert cosine_of_means(vectors, vectors) == pytest.approx([1, 1])
    assert cosine_of_means(vectors, -vectors) == pytest.approx([-1, -1])


def test_a_zero_vector_has_no_cosine() -> None:
    zero, one = np.zeros((1, 2, 3)), np.ones((1, 2, 3))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert np.isnan(cosine_of_means(zero, one)).all()
        assert np.isnan(mean_pairwise_cosine(zero, one)).all()


# Means over seeds


def test_the_interval_is_students(random: np.random.Generator) -> None:
    values = list(random.normal(size=5))
    found = over_seeds(values)
    expected = stats.ttest_1samp(values, 0).confidence_interval(0.95)
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high))
    assert (found.mean, found.n, found.sd) == (pytest.approx(np.mean(values)), 5, pytest.approx(np.std(values, ddof=1)))


def test_one_seed_has_a_mean_and_no_interval() -> None:
    assert over_seeds([0.25]) == (0.25, 1, None, None, None)


def test_values_that_are_not_finite_are_left_out() -> None:
    assert over_seeds([NAN, 1.0, math.inf, 3.0])[:2] == (2.0, 2)
    assert over_seeds([NAN]) == over_seeds([]) == MISSING


def test_relative_change() -> None:
    assert relative(0.4, 0.5) == pytest.approx(0.25)
    assert relative(0.5, 0.0) == -1
    assert math.isnan(relative(0.0, 0.5)) and math.isnan(relative(NAN, 0.5))


# Rank correlations


def test_spearman_and_kendall_are_scipys_with_ties(random: np.random.Generator) -> None:
    for _ in range(20):
        x, y = random.integers(0, 4, 12).astype(float), random.normal(size=12).round(1)
        assert spearman(x, y) == pytest.approx(stats.spearmanr(x, y).statistic)
        assert kendall(x, y) == pytest.approx(stats.kendalltau(x, y).statistic)


def test_coefficients_of_many_samples_at_once_are_those_of_each(random: np.random.Generator) -> None:
    x, y = random.integers(0, 3, (6, 9)).astype(float), random.normal(size=(6, 9))
    for function in (spearman, kendall):
        assert function(x, y) == pytest.approx([function(a, b) for a, b in zip(x, y, strict=True)])


def test_a_number_has_spearmans_rho_and_a_grade_kendalls_tau(random: np.random.Generator) -> None:
    x, y = random.integers(0, 2, 15).astype(float), random.normal(size=15)
    assert associate("a", x, y, "number").coefficient == pytest.approx(stats.spearmanr(x, y).statistic)
    assert associate("a", x, y, "grade").coefficient == pytest.approx(stats.kendalltau(x, y).statistic)


def test_the_interval_is_the_bca_bootstrap_over_languages(random: np.random.Generator) -> None:
    x = random.normal(size=30)
    y = x + random.normal(size=30)
    found = associate("a", x, y, "number")
    expected = stats.bootstrap(
        (x, y), lambda a, b: stats.spearmanr(a, b).statistic, paired=True, vectorized=False, n_resamples=2000,
        method="BCa", rng=np.random.default_rng(1),
    ).confidence_interval  # fmt: skip
    assert found.interval == "BCa"
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), abs=0.06)
    assert found.low is not None and found.high is not None and found.coefficient is not None
    assert found.low < found.coefficient < found.high


def test_p_of_few_languages_is_exact() -> None:
    x, y = [1.0, 2, 3, 4, 5], [1.0, 2, 3, 5, 4]
    orders = [stats.spearmanr(x, order).statistic for order in itertools.permutations(y)]
    observed = stats.spearmanr(x, y).statistic
    share = np.mean([abs(value) >= abs(observed) - 1e-9 for value in orders])
    assert associate("a", x, y, "number").p == pytest.approx(share)


def test_p_of_many_languages_is_near_the_one_of_theory(random: np.random.Generator) -> None:
    x = random.normal(size=40)
    y = 0.4 * x + random.normal(size=40)
    assert associate("a", x, y, "number").p == pytest.approx(stats.spearmanr(x, y).pvalue, abs=0.015)
    assert associate("a", -x, -y, "number").p == associate("a", x, y, "number").p


def test_the_same_data_give_the_same_numbers(random: np.random.Generator) -> None:
    x, y = random.normal(size=12), random.normal(size=12)
    assert associate("a", x, y, "number") == associate("a", x, y, "number")


def test_nan_is_a_missing_language() -> None:
    x, y = [1.0, NAN, 3, 2, 5, 7], [2.0, 9, 4, NAN, 1, 3]
    found = associate("a", x, y, "number")
    assert found.n == 4
    assert found.coefficient == pytest.approx(stats.spearmanr([1, 3, 5, 7], [2, 4, 1, 3]).statistic)


@pytest.mark.parametrize("n", [0, 1, 3])
def test_fewer_than_four_languages_have_no_correlation(n: int) -> None:
    found = associate("a", range(n), range(n), "number")
    assert (found.coefficient, found.low, found.p, found.n) == (None, None, None, n)
    assert "too few" in found.reason


@pytest.mark.parametrize("kind", ["number", "grade"])
def test_a_constant_has_no_correlation_and_says_which(kind: str) -> None:
    same, other = [2.0] * 6, [1.0, 5, 2, 3, 4, 6]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert associate("a", same, other, kind).reason == "the predictor is the same for all 6 languages"  # type: ignore[arg-type]
        assert associate("a", other, same, kind).reason == "the gain is the same for all 6 languages"  # type: ignore[arg-type]
        assert associate("a", same, other, kind).coefficient is None  # type: ignore[arg-type]


def test_perfect_agreement_has_no_interval() -> None:
    found = associate("a", range(8), range(8), "number")
    assert found.coefficient == pytest.approx(1)
    assert (found.low, found.high) == (None, None) and "same order" in found.reason


def test_a_grade_that_one_language_has_gets_no_interval() -> None:
    # A third of the resamples leave that language out: (7/8)^8.
    found = associate("a", [1.0, 0, 0, 0, 0, 0, 0, 0], [5.0, 1, 2, 8, 4, 3, 6, 7], "grade")
    assert found.coefficient is not None and found.low is None
    assert "34 % of the resamples" in found.reason or "35 % of the resamples" in found.reason


def test_a_few_resamples_without_variation_leave_a_percentile_interval(random: np.random.Generator) -> None:
    x = np.array([1.0] * 4 + [0] * 8)  # (8/12)^12 is under one percent
    found = associate("a", x, x + random.normal(size=12), "grade")
    assert found.interval == "percentile"
    assert found.low is not None and found.high is not None and -1 <= found.low < found.high <= 1


def test_q_values_are_benjamini_hochbergs() -> None:
    # Their example of 1995, section 3.2: four of fifteen are rejected at 5 %.
    p = [
        0.0001,
        0.0004,
        0.0019,
        0.0095,
        0.0201,
        0.0278,
        0.0298,
        0.0344,
        0.0459,
        0.3240,
        0.4262,
        0.5719,
        0.6528,
        0.7590,
        1,
    ]
    given = [Association(str(i), 9, "spearman", 0.1, p=value) for i, value in enumerate(p)]
    given.insert(3, Association("none", 2, "spearman", reason="too few"))
    found = adjusted(given)
    assert found[3].p_adjusted is None
    assert sum(one.p_adjusted is not None and one.p_adjusted <= 0.05 for one in found) == 4
    assert found[0].p_adjusted == pytest.approx(0.0015)
    assert adjusted([]) == []


def test_resamples_are_as_documented() -> None:
    assert RESAMPLES == 9999


# Word order


def test_word_orders_are_of_known_languages_and_known_kinds() -> None:
    orders = word_orders()
    assert set(orders) <= {language.code for language in builtin()}
    assert set(orders.values()) <= set(ORDERS)
    assert list(orders) == sorted(orders)


@pytest.mark.parametrize(
    ("code", "order"),
    # As WALS Online prints them on the pages of these languages.
    [("eng", "SVO"), ("tur", "SOV"), ("cym", "VSO"), ("mlg", "VOS"), ("deu", "none"), ("ara", "VSO"), ("swa", "SVO"),
     ("bzd", "SOV"), ("quy", None), ("nah", None), ("pcm", None)],
)  # fmt: skip
def test_some_word_orders(code: str, order: str | None) -> None:
    assert word_orders().get(code) == order


def test_an_unknown_order_is_no_difference() -> None:
    assert same_order("swa", "eng") is True
    assert same_order("tur", "eng") is False
    assert same_order("deu", "eng") is False  # no dominant order is not the source's
    assert same_order("quy", "eng") is None
    assert same_order("tur", "deu") is None
    assert same_order("qab", "qaa") is None


# Pieces


class Letters:
    """A tokenizer that cuts words into letters and knows no z."""

    unk_token_id = 0

    def __call__(
        self, batch: list[list[str]], is_split_into_words: bool, add_special_tokens: bool
    ) -> dict[str, list[list[int]]]:
        assert is_split_into_words and not add_special_tokens
        return {"input_ids": [[0 if c == "z" else ord(c) for word in words for c in word] for words in batch]}


def test_pieces_of_each_text_count_once() -> None:
    rows = [SequenceRow("1", "ab cde", "zz", 0), SequenceRow("2", "ab cde", "x y", 1)]
    found = cut(rows, Letters(), "eng")
    assert found == (2 + 1 + 2, 5 + 2 + 2, 2)
    assert found.fertility == pytest.approx(9 / 5)
    assert found.unknown_share == pytest.approx(2 / 9)


def test_every_family_has_its_texts() -> None:
    rows = [
        TokenRow("1", ("New York", "b"), (0, 0)),  # a word with a space is a word
        TreeRow("2", ("cc",), (0,), (0,)),
        ChoiceRow("3", "d d", "cause", ("e", "f"), 0),
        QuestionRow("4", "g g", "h", ((0, "g"),)),
    ]
    assert cut(rows, Letters(), "eng")[:2] == (2 + 1 + 4 + 3, 9 + 2 + 4 + 3)


def test_words_of_languages_without_spaces_are_not_whole_sentences() -> None:
    sentence = "我喜欢吃苹果"
    found = cut([SequenceRow("1", sentence, None, 0)], Letters(), "zho")
    assert 2 <= found.words < len(sentence) and found.pieces == len(sentence)
    assert cut([SequenceRow("1", sentence, None, 0)], Letters(), "eng").words == 1


def test_no_text_has_no_fertility() -> None:
    empty = cut([], Letters(), "eng")
    assert math.isnan(empty.fertility) and math.isnan(empty.unknown_share)


def test_many_rows_are_cut_a_batch_at_a_time() -> None:
    rows = [SequenceRow(str(i), f"w{i}", None, 0) for i in range(2500)]
    assert cut(rows, Letters(), "eng").words == 2500
