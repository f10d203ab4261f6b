// The tables of scores on a task page: they follow the filters, and their headers sort.
// What the server wrote is kept, and stands there again once nothing is filtered.
(() => {
  const { arrange, announceSort, average, coverage, fold, interval, listen, make, mark, mean, order, points } = xleval;
  const TEXT = new Set(['strategy', 'backbone', 'badge']);
  const [AT_ONCE, MARGIN] = [1500, 3]; // cells; rows

  class Scores {
    constructor(element, data, changed) {
      this.element = element;
      this.index = Number(element.dataset.table);
      this.data = data;
      this.table = data.tables[this.index];
      this.body = element.tBodies[0];
      this.original = [...this.body.rows];
      this.rows = new Map(this.original.map((tr) => [Number(tr.dataset.row), tr]));
      this.headers = [...element.tHead.rows[0].cells];
      const places = (name, key) => this.headers.filter((th) => th.dataset[name]).map((th) => [key(th.dataset[name]), th.cellIndex]);
      this.columns = new Map(places('lang', Number));
      this.fixed = new Map(places('key', String));
      this.hidden = new Set();
      this.languages = 'all'; // what the averages in the page are of
      this.kept = new Map();
      const sorted = this.headers.find((th) => th.hasAttribute('aria-sort'));
      this.normal = sorted ? this.keyOf(sorted) : '';
      this.normalDown = sorted ? sorted.getAttribute('aria-sort') === 'descending' : true;
      [this.key, this.descending] = [this.normal, this.normalDown];
      listen(this.headers.filter((th) => th.querySelector('button')), (th) => {
        const key = this.keyOf(th);
        this.descending = key === this.key ? !this.descending : this.bestIsHigh(key);
        this.key = key;
        changed();
        announceSort(th, !this.bestIsHigh(key), this.descending);
      });
    }

    keyOf(th) {
      return th.dataset.key || this.data.languages[th.dataset.lang];
    }

    bestIsHigh(key) {
      return !(this.fixed.has(key) && TEXT.has(key));
    }

    /** Names of this table in the address: `sort` and `dir` of the first, `sort1` and `dir1` of the next. */
    names() {
      return ['sort', 'dir'].map((name) => name + (this.index || ''));
    }

    read(state) {
      const [sort, dir] = this.names().map((name) => state.get(name));
      const known = sort !== null && this.headers.some((th) => this.keyOf(th) === sort);
      this.key = known ? sort : this.normal;
      const usual = known ? this.bestIsHigh(sort) : this.normalDown;
      this.descending = known && dir ? dir === 'desc' : usual;
    }

    write(state) {
      if (this.key === this.normal && this.descending === this.normalDown) return;
      const [sort, dir] = this.names();
      state.set(sort, this.key);
      if (this.descending !== this.bestIsHigh(this.key)) state.set(dir, this.descending ? 'desc' : 'asc');
    }

    show(view) {
      this.view = view;
      const shown = new Set(view.rows[this.index]);
      const sorted = this.order();
      this.defer(sorted.filter((tr) => shown.has(Number(tr.dataset.row))), sorted);
      for (const [r, tr] of this.rows) if (tr.hidden === shown.has(r)) tr.hidden = !shown.has(r);
      this.showColumns(view);
      const languages = view.all ? 'all' : view.languages.join();
      if (languages !== this.languages) {
        for (const [r, tr] of this.rows) this.showAverage(r, tr);
        this.languages = languages;
      }
      this.sorted = sorted;
      arrange(this.body, sorted);
      mark(this.headers, this.header(), this.descending);
    }

    /** Thousands of cells take the browser a fifth of a second: those of rows out of sight come a frame later. */
    defer(rows, sorted) {
      const { columns, hidden, view } = this;
      const same = [...columns.keys()].every((l) => hidden.has(l) === !view.languages.includes(l));
      if ((same && sorted.every((tr, i) => tr === this.body.rows[i])) || rows.length * view.languages.length <= AT_ONCE) return;
      const height = this.body.offsetHeight / this.body.rows.length;
      if (!height) return; // printed, or in a tab that is not shown
      const first = Math.max(0, Math.floor(-this.body.getBoundingClientRect().top / height) - MARGIN);
      const last = first + Math.ceil(innerHeight / height) + MARGIN;
      const [above, below] = [rows.slice(0, first), rows.slice(last + 1)];
      for (const part of [above, below]) {
        for (const tr of part) tr.className = 'later';
        if (part.length) part[0].style.height = `${height * part.length}px`; // one row holds the place of all
      }
      const back = (tr) => ['class', 'style'].forEach((name) => tr.removeAttribute(name));
      requestAnimationFrame(() => setTimeout(() => [...above, ...below].forEach(back)));
    }

    /** Only columns that change are touched: `hidden` on every cell is what costs. */
    showColumns(view) {
      const shown = new Set(view.languages);
      const rows = [this.element.tHead.rows[0], ...this.rows.values()];
      for (const [l, column] of this.columns) {
        if (shown.has(l) === !this.hidden.has(l)) continue;
        for (const tr of rows) tr.cells[column].hidden = !shown.has(l);
        if (shown.has(l)) this.hidden.delete(l);
        else this.hidden.add(l);
      }
    }

    showAverage(r, tr) {
      for (const [key, write] of [['average', writeAverage], ['coverage', writeCoverage]]) {
        if (!this.fixed.has(key)) continue;
        const td = tr.cells[this.fixed.get(key)];
        if (!this.view.all) {
          if (!this.kept.has(td)) this.kept.set(td, [[...td.childNodes], td.getAttribute('class')]);
          write(td, this.result(r));
        } else if (this.kept.has(td)) {
          const [nodes, classes] = this.kept.get(td);
          td.replaceChildren(...nodes);
          if (classes !== null) td.className = classes;
        }
      }
    }

    /** The average of a row in this view: {mean, half, tied, reason, coverage, of}; what is not known is null. */
    result(r) {
      const { data, table, view } = this;
      const set = xleval.setOf(data, table, view);
      const found = average(data, table, r, view);
      const known = found && set && set.half[r] >= 0;
      const bare = found && !known && table.kind === 'measured';
      return {
        mean: found,
        half: known ? set.half[r] : null,
        tied: found && set && set.tied[r] >= 0 ? set.tied[r] === 1 : null,
        note: bare ? (set ? 'no interval' : 'n/a for this subset') : '',
        reason: (bare && set && set.reason && set.reason[r]) || '',
        coverage: coverage(data, table, r, view),
        of: view.languages.length,
      };
    }

    header() {
      return this.headers.find((th) => this.keyOf(th) === this.key);
    }

    order() {
      const untouched = this.view.all && this.key === this.normal && this.descending === this.normalDown;
      return untouched ? this.original : order(this.original, this.value(this.header()), this.descending);
    }

    value(th) {
      const { data, table } = this;
      const ratio = (found) => found && found.sum / found.n;
      const row = (tr) => Number(tr.dataset.row);
      if (th.dataset.lang) return (tr) => ratio(mean(data, table, row(tr), Number(th.dataset.lang)));
      const by = {
        strategy: (tr) => fold(table.rows[row(tr)].label),
        backbone: (tr) => data.backbones[table.rows[row(tr)].backbone].name,
        average: (tr) => ratio(average(data, table, row(tr), this.view)),
        coverage: (tr) => coverage(data, table, row(tr), this.view),
      };
      return by[th.dataset.key] || ((tr) => tr.cells[th.cellIndex].textContent.trim());
    }
  }

  function writeAverage(td, { mean: found, half, tied, note, reason }) {
    td.classList.toggle('tied', tied === true);
    const nodes = [make('span', { class: 'value' }, found ? points(found.sum, found.n) : '–')];
    const text = half === null ? note : interval(found.sum, found.n, half);
    if (text) nodes.push(' ', make('span', { class: 'interval', ...(reason && { title: reason }) }, text));
    if (tied) nodes.push(make('span', { class: 'visually-hidden' }, ' tied with the best'));
    td.replaceChildren(...nodes);
  }

  function writeCoverage(td, { coverage: have, of }) {
    td.replaceChildren(`${have}/${of}`);
  }

  xleval.Scores = Scores;
})();
