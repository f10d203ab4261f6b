// Two strategies of one backbone: the numbers of their difference, and what they come to in words.
(() => {
  const { average, mean, plural, points, signed } = xleval;
  const ALPHA = 500; // p-values are in ten-thousandths, rounded up: p ≤ .05 is 500 or less

  /**
   * Row a minus row b, as a list: each language, then the average over the languages that both have.
   * {name, code, a, b, estimate, half, p, corrected, mark}; without pairs nothing was tested.
   */
  function compared(data, found, [a, b]) {
    // A row that was not measured may stand beside tested ones.
    const pairs = found && [a, b].every((r) => found.rows.includes(r)) ? found : null;
    const table = data.tables[0];
    const columns = data.languages.length + 1;
    const at = places(pairs, a, b);
    const rows = data.languages.map((code, l) => ({ code, name: data.names[l], a: mean(data, table, a, l), b: mean(data, table, b, l) }));
    const languages = [...rows.keys()].filter((l) => rows[l].a && rows[l].b);
    const [one, other] = [a, b].map((r) => average(data, table, r, { languages }));
    rows.push({ code: 'average', name: 'Average', a: one, b: other });
    rows.forEach((row, c) => {
      const get = (list, place) => (pairs && list[place * columns + c]) ?? null;
      const plain = row.a && row.b ? Math.round(row.a.sum / row.a.n - row.b.sum / row.b.n) : null;
      const estimate = pairs ? get(pairs.estimate, at.pair) : plain;
      row.estimate = estimate !== null && at.turned ? -estimate : estimate;
      row.half = pairs && get(pairs.half, at.pair);
      row.p = pairs && get(pairs.p, at.pair);
      row.corrected = pairs && get(pairs.corrected, at.ordered);
      row.mark = markOf(row);
    });
    return rows;
  }

  /** Pairs stand as (0,1), (0,2), (1,2); corrected ones as (0,1), (0,2), (1,0), …, b as the baseline first. */
  function places(pairs, a, b) {
    if (!pairs) return {};
    const n = pairs.rows.length;
    const [i, j] = [pairs.rows.indexOf(a), pairs.rows.indexOf(b)];
    const [low, high] = [Math.min(i, j), Math.max(i, j)];
    return {
      pair: (low * (2 * n - low - 1)) / 2 + high - low - 1,
      ordered: j * (n - 1) + i - (i > j ? 1 : 0),
      turned: i > j,
    };
  }

  function markOf({ estimate, corrected }) {
    if (estimate === null) return 'score missing';
    if (corrected === null) return 'not tested';
    if (corrected > ALPHA) return 'not told apart';
    return estimate > 0 ? 'above' : 'below';
  }

  /** ".031", "< .001", "1"; "–" where nothing was tested. */
  function pText(p) {
    if (p === null) return '–';
    if (p < 10) return '< .001';
    return p > 9995 ? '1' : (p / 10000).toFixed(3).slice(1);
  }

  const bounds = ({ estimate, half }) =>
    half === null ? '–' : `[${[estimate - half, estimate + half].map((end) => (end < 0 ? signed(end) : points(end))).join(', ')}]`;

  /** The result on the average in one sentence; `others` were compared with b. */
  function sentence([a, b], rows, others, reason) {
    const { estimate, half, mark, corrected } = rows.at(-1);
    if (estimate === null) return `${a} and ${b} have no average to compare: scores are missing.`;
    const count = rows.slice(0, -1).filter((row) => row.estimate !== null).length;
    const where = `on the average of ${plural(count, 'language')}`;
    const by = `${signed(estimate)} points`;
    if (mark === 'not tested') {
      const said = estimate ? `scores ${estimate > 0 ? 'above' : 'below'}` : 'scores the same as';
      return `${a} ${said} ${b} ${where} (${by}); whether that is more than chance was not tested${reason && `: ${reason}`}.`;
    }
    const said = mark === 'not told apart' ? `${a} and ${b} cannot be told apart` : `${a} is ${mark} ${b}`;
    const p = corrected < 10 ? pText(corrected) : `=\u00a0${pText(corrected)}`;
    const holm = others > 1 ? ` after Holm’s correction over ${plural(others, 'strategy')}` : '';
    return `${said} ${where}: ${by}, 95 % interval ${bounds({ estimate, half })}, p\u00a0${p}${holm}.`;
  }

  Object.assign(xleval, { compared, sentence, pText, bounds });
})();
