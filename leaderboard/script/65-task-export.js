// The view of a task page as a table to export: the measured one, or the published one where it stands alone.
(() => {
  const { counts, exports, hundredths, interval, mean, permalink, points, ready } = xleval;

  function exported() {
    const { data, tables, view, query, state } = xleval.current;
    const scores = tables.find((one) => one.table.kind === 'measured') || tables[0];
    const { table } = scores;
    const { languages } = view;
    const codes = languages.map((l) => data.languages[l]);
    const rows = scores.sorted.map((tr) => Number(tr.dataset.row)).filter((r) => !scores.rows.get(r).hidden);
    const found = rows.map((r) => ({ r, row: table.rows[r], ...scores.result(r), cells: languages.map((l) => cell(r, l)) }));
    const withIntervals = found.some((one) => one.half !== null);
    const anyTied = found.some((one) => one.tied || one.cells.some((some) => some.tied));

    function cell(r, l) {
      const tied = table.tied ? table.tied[r * data.languages.length + l] === 1 : false;
      return { mean: mean(data, table, r, l), tied };
    }

    return {
      name: data.page,
      title: data.title,
      link: permalink(state),
      notes: [
        counts(data, { rows: data.tables.map((one) => (one === table ? rows : [])), languages }, [table]),
        ...filtersInWords(query),
        view.all ? '' : 'average over the languages shown',
        withIntervals ? '95 % intervals' : '',
        anyTied ? 'bold: tied with the best of its backbone' : '',
      ],
      csv: {
        head: ['strategy', 'backbone', 'badge', 'entry', 'average', 'low', 'high', 'tied', ...codes],
        rows: found.map(({ row, mean: average, half, tied, cells }) => [
          row.label,
          data.backbones[row.backbone].name,
          data.badges[row.badge],
          row.source,
          two(average),
          half === null ? '' : hundredths(average.sum - half * average.n, average.n),
          half === null ? '' : hundredths(average.sum + half * average.n, average.n),
          tied === null ? '' : tied ? 'yes' : 'no',
          ...cells.map((one) => two(one.mean)),
        ]),
      },
      shown: {
        left: 2,
        head: ['strategy', 'backbone', 'average', ...(withIntervals ? ['95 % interval'] : []), 'coverage', ...codes],
        rows: found.map(({ row, mean: average, half, tied, coverage, of, cells }) => [
          row.label,
          data.backbones[row.backbone].name,
          { text: one(average), bold: tied === true },
          ...(withIntervals ? [half === null ? '–' : interval(average.sum, average.n, half)] : []),
          `${coverage}/${of}`,
          ...cells.map((some) => ({ text: one(some.mean), bold: some.tied })),
        ]),
      },
    };
  }

  const one = (found) => (found ? points(found.sum, found.n) : '–');
  const two = (found) => (found ? hundredths(found.sum, found.n) : '');

  const NAMES = { lang: 'language', seen: 'seen in pretraining', badge: 'badge at least' };
  const filtersInWords = (query) =>
    Object.entries(query)
      .filter(([name, value]) => value && name !== 'cells')
      .map(([name, value]) => `${NAMES[name] || name}: ${value}`);

  ready(() => {
    const actions = document.querySelector('.actions');
    if (actions && document.querySelector('table.scores')) exports(actions, exported);
  });
})();
