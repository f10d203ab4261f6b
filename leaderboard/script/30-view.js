// What a state of the filters comes to: rows, languages and averages, computed from the data alone.
(() => {
  const { fold, words } = xleval;

  /** Query strings by name → {rows by table, languages, all}. */
  function view(data, query) {
    const rows = data.tables.map((table) => [...table.rows.keys()].filter((r) => isShown(data, table.rows[r], query)));
    const backbones = new Set(rows.flatMap((some, t) => some.map((r) => data.tables[t].rows[r].backbone)));
    const languages = [...data.languages.keys()].filter(
      (l) => inFacets(data, query, l) && isSeen(data, query.seen, backbones, l),
    );
    const found = search(data, query.lang);
    const shown = found ? languages.filter((l) => found.has(l)) : languages;
    return { rows, languages: shown, all: shown.length === data.languages.length };
  }

  function isShown(data, row, query) {
    const wanted = words(query.strategy || '');
    return (
      (!wanted.length || wanted.some((word) => fold(row.label).includes(word))) &&
      (!query.backbone || data.backbones[row.backbone].name === query.backbone) &&
      (!query.badge || row.badge >= data.badges.indexOf(query.badge))
    );
  }

  const inFacets = (data, query, l) =>
    Object.entries(data.facets).every(([name, facet]) => !query[name] || facet.values[facet.of[l]] === query[name]);

  /** yes: every shown backbone saw the language; no: none did. What is not known is neither. */
  function isSeen(data, wanted, backbones, l) {
    if (!wanted || !backbones.size) return true;
    return [...backbones].every((b) => data.backbones[b].seen[l] === (wanted === 'yes' ? 1 : 0));
  }

  /** The languages that a search names; null without a search. A code is that language, else parts of names count. */
  function search(data, text) {
    const wanted = words(text || '');
    if (!wanted.length) return null;
    const found = new Set();
    for (const word of wanted) {
      const exact = data.languages.findIndex((code) => fold(code) === word);
      if (exact >= 0) found.add(exact);
      else data.languages.forEach((code, l) => fold(`${code} ${data.names[l]}`).includes(word) && found.add(l));
    }
    return found;
  }

  /** Where the scores of a cell begin; those of a row stand language by language, seed by seed. */
  const place = ({ rows }, r, l) => rows[r].at + l * rows[r].seeds.length;

  /** Scores of one cell that are there, as [seed, score]. */
  function seeds(data, table, r, l) {
    const at = place(table, r, l);
    return table.rows[r].seeds.map((seed, s) => [seed, table.cells[at + s]]).filter(([, score]) => score >= 0);
  }

  /** A mean as {sum, n}: exact until it is printed; null without a score. */
  function mean(data, table, r, l) {
    const at = place(table, r, l);
    let [sum, n] = [0, 0];
    for (let i = at; i < at + table.rows[r].seeds.length; i++) {
      if (table.cells[i] < 0) continue;
      sum += table.cells[i];
      n++;
    }
    return n ? { sum, n } : null;
  }

  /** Over the languages shown, of seeds that have all of them; a paper's printed average where all are shown. */
  function average(data, table, r, { languages, all }) {
    if (all && table.kind === 'published') {
      const printed = table.rows[r].average ?? null;
      return printed === null ? null : { sum: printed, n: 1 };
    }
    const found = { sum: 0, n: 0 };
    for (let s = 0; s < table.rows[r].seeds.length && languages.length; s++) {
      let sum = 0;
      for (const l of languages) {
        const score = table.cells[place(table, r, l) + s];
        sum = score < 0 ? NaN : sum + score;
      }
      if (Number.isNaN(sum)) continue;
      found.sum += sum;
      found.n += languages.length;
    }
    return found.n ? found : null;
  }

  /** The set of exactly these languages: intervals and ties of averages are known for such sets only. */
  function setOf(data, table, { languages }) {
    const known = (table.sets || []).find(
      (set) => set.languages.length === languages.length && set.languages.every((l) => languages.includes(l)),
    );
    if (known || languages.length !== 1 || !table.half) return known;
    const column = (list) => table.rows.map((_, r) => list[r * data.languages.length + languages[0]]);
    return { languages, half: column(table.half), tied: column(table.tied) };
  }

  const coverage = (data, table, r, { languages }) => languages.filter((l) => mean(data, table, r, l)).length;

  Object.assign(xleval, { view, seeds, mean, average, setOf, coverage });
})();
