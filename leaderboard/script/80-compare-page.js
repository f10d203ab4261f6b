// The compare page: three menus and the address hold one pair; the result is made below them.
(() => {
  const { announce, average, bounds, compared, exports, forest, hundredths, load, make, order, permalink, points, pText } = xleval;
  const { readHash, ready, root, sentence, signed, sortable, writeHash } = xleval;

  ready(() => {
    const form = document.getElementById('pair');
    const result = document.getElementById('result');
    if (!form || !result) return;
    const { page, a, b } = form.elements;
    let shown = null; // the pair that stands there
    let turn = 0; // an answer that comes after a later question is dropped

    const chosen = (one = a, other = b) => new URLSearchParams({ page: page.value, a: one.value, b: other.value });
    form.addEventListener('submit', (event) => event.preventDefault());
    form.addEventListener('input', () => show(chosen(), true));
    document.getElementById('swap').addEventListener('click', () => show(chosen(b, a), true));
    addEventListener('hashchange', () => readHash() && show(readHash()));
    addEventListener('resize', () => shown && plot());
    show(readHash() || new URLSearchParams());

    async function show(state, byHand) {
      const mine = ++turn;
      page.value = state.get('page') ?? page.value;
      if (page.selectedIndex === -1) page.selectedIndex = 0;
      if (!page.value) return say('There is nothing to compare yet.');
      try {
        const data = await load(page.value);
        if (mine !== turn) return;
        const rows = choose(data, state);
        if (!rows) return say('No backbone has two measured strategies here.');
        const { backbone } = data.tables[0].rows[rows[0]];
        const known = (page.selectedOptions[0].dataset.pairs ?? '').split(' ').includes(String(backbone));
        const pairs = known ? await load(`${page.value}.pairs-${backbone}`) : null;
        if (mine !== turn) return;
        draw(data, pairs, rows);
        if (byHand) {
          writeHash(chosen());
          announce(shown.text);
        }
      } catch (error) {
        if (mine === turn) say(error.message);
      }
    }

    function say(text) {
      shown = null;
      result.replaceChildren(make('p', {}, text));
    }

    /** Fills both menus and gives the two rows: as the state has them, else the best and the next of its backbone. */
    function choose(data, state) {
      const { kind, rows } = data.tables[0];
      const groups = data.backbones
        .map((_, n) => [...rows.keys()].filter((r) => rows[r].backbone === n))
        .filter((group) => kind === 'measured' && group.length > 1);
      if (!groups.length) return null;
      const [first, second] = ['a', 'b'].map((name) => rows.findIndex(({ id }) => id === state.get(name)));
      const home = groups.find((group) => group.includes(first)) || groups.find((group) => group.includes(second));
      const one = home && home.includes(first) ? first : best(data, home ? home.filter((r) => r !== second) : groups.flat());
      const group = groups.find((some) => some.includes(one));
      const others = group.filter((r) => r !== one);
      const other = others.includes(second) ? second : best(data, others);
      const options = (some) => some.map((r) => make('option', { value: rows[r].id }, labelOf(data, r)));
      const nameOf = (some) => data.backbones[rows[some[0]].backbone].name;
      a.replaceChildren(...groups.map((some) => make('optgroup', { label: nameOf(some) }, ...options(some))));
      b.replaceChildren(...options(others));
      a.value = rows[one].id;
      b.value = rows[other].id;
      return [one, other];
    }

    function draw(data, pairs, rows) {
      const names = rows.map((r) => labelOf(data, r));
      const lines = compared(data, pairs, rows);
      const all = (data.tables[0].sets || []).find((set) => set.languages.length === data.languages.length);
      const reason = (all && all.reason && rows.map((r) => all.reason[r]).find(Boolean)) || '';
      const text = sentence(names, lines, pairs ? pairs.rows.length - 1 : 0, reason);
      shown = { data, names, lines, text };
      const table = tableOf(shown);
      const actions = make('p', { class: 'actions' });
      for (const [format, { name }] of Object.entries(xleval.FORMATS)) {
        actions.append(make('button', { type: 'button', 'data-export': format }, name), ' ');
      }
      result.replaceChildren(
        make('p', { class: `verdict ${slug(lines.at(-1).mark)}` }, text),
        make('p', { class: 'evidence' }, 'Evidence: ', evidence(data, rows[0], names[0]), ' and ', evidence(data, rows[1], names[1])),
        make('div', { class: 'plot' }),
        make('div', { class: 'scroll', role: 'region', tabindex: '0', 'aria-labelledby': 'caption-pair' }, table),
        actions,
      );
      sortable(table);
      exports(actions, () => exported(shown, page.value, permalink(chosen())));
      plot();
    }

    function plot() {
      const width = Math.max(280, Math.min(result.clientWidth, 760));
      result.querySelector('.plot').replaceChildren(forest(shown.lines, shown.names, width));
    }
  });

  const slug = (mark) => mark.replaceAll(' ', '-');

  function best(data, rows) {
    const view = { languages: [...data.languages.keys()] };
    const value = (r) => {
      const found = average(data, data.tables[0], r, view);
      return found && found.sum / found.n;
    };
    return order(rows, value, true)[0];
  }

  /** The label, with its entry where two rows of a backbone have the same. */
  function labelOf(data, r) {
    const { rows } = data.tables[0];
    const { label, backbone, source } = rows[r];
    const twins = rows.filter((row) => row.label === label && row.backbone === backbone);
    return twins.length > 1 ? `${label} (${source})` : label;
  }

  /** Where the numbers of a row come from. */
  function evidence(data, r, name) {
    const { href, badge } = data.tables[0].rows[r];
    const link = href && href.startsWith('entry/') ? make('a', { href: root + href }, name) : name;
    return make('span', {}, link, ` (${data.badges[badge]})`);
  }

  const score = (one) => (one ? points(one.sum, one.n) : '–');
  const cells = (row) => [
    row.name,
    score(row.a),
    score(row.b),
    row.estimate === null ? '–' : signed(row.estimate),
    bounds(row),
    pText(row.corrected),
    row.mark,
  ];

  function tableOf({ data, names, lines }) {
    const heads = ['Language', ...names, 'Difference', '95 % interval', 'p (corrected)', 'Result'];
    const kinds = ['text', 'number', 'number', 'number', '', 'number', 'text'];
    const head = heads.map((name, i) =>
      kinds[i]
        ? make('th', { scope: 'col', 'data-sort': kinds[i] }, make('button', { type: 'button' }, name))
        : make('th', { scope: 'col' }, name),
    );
    const line = (row) => {
      const [name, ...texts] = cells(row);
      const exact = [row.a && row.a.sum / row.a.n, row.b && row.b.sum / row.b.n, row.estimate, '', row.corrected];
      const tds = texts.map((text, i) =>
        i < 5 ? make('td', { 'data-value': exact[i] ?? '' }, text) : make('td', { class: `mark ${slug(row.mark)}` }, text),
      );
      return make('tr', {}, make('th', { scope: 'row' }, name), ...tds);
    };
    const caption = `${names[0]} minus ${names[1]}, ${data.title}; p-values of languages after Benjamini–Hochberg`;
    return make(
      'table',
      { class: 'pair' },
      make('caption', { id: 'caption-pair' }, caption),
      make('thead', {}, make('tr', {}, ...head)),
      make('tbody', {}, ...lines.slice(0, -1).map(line)),
      make('tfoot', {}, line(lines.at(-1))),
    );
  }

  function exported({ data, names, lines, text }, page, link) {
    const two = (one) => (one ? hundredths(one.sum, one.n) : '');
    const numbers = ({ estimate, half }) =>
      [0, -half, half].map((by, i) => (estimate === null || (i && half === null) ? '' : hundredths(estimate + by)));
    const p = (value) => (value === null ? '' : value / 10000);
    return {
      name: `${page}-compare`,
      title: `${names[0]} and ${names[1]}, ${data.title}`,
      link,
      notes: [text, 'p-values of languages after Benjamini–Hochberg'],
      csv: {
        head: ['language', 'name', 'a', 'b', 'difference', 'low', 'high', 'p', 'p corrected', 'mark'],
        rows: lines.map((row) => [row.code, row.name, two(row.a), two(row.b), ...numbers(row), p(row.p), p(row.corrected), row.mark]),
      },
      shown: { left: 1, head: ['language', ...names, 'difference', '95 % interval', 'p', 'result'], rows: lines.map(cells) },
    };
  }
})();
