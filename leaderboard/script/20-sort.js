// Sorting: one order for all tables, and the plain ones (`table.sortable`) whole.
(() => {
  const { announce, ready } = xleval;
  const text = new Intl.Collator('en', { numeric: true });

  /** Sorted copy: stable, and what has no value stands last in both directions. */
  function order(rows, value, descending) {
    const keyed = rows.map((row) => [value(row), row]);
    const absent = (v) => v === null || v === undefined || v === '' || Number.isNaN(v);
    const compare = (a, b) => (typeof a === 'number' && typeof b === 'number' ? a - b : text.compare(a, b));
    keyed.sort(([a], [b]) => {
      if (absent(a) || absent(b)) return absent(a) - absent(b);
      return descending ? compare(b, a) : compare(a, b);
    });
    return keyed.map(([, row]) => row);
  }

  /** aria-sort on the active column alone. */
  function mark(headers, active, descending) {
    for (const th of headers) th.removeAttribute('aria-sort');
    if (active) active.setAttribute('aria-sort', descending ? 'descending' : 'ascending');
  }

  const nameOf = (th) => th.abbr || th.textContent.trim();
  function announceSort(th, textual, descending) {
    const how = textual ? (descending ? 'Z to A' : 'A to Z') : descending ? 'best first' : 'lowest first';
    announce(`sorted by ${nameOf(th)}, ${how}`);
  }

  /** Puts rows into this order with one change of the page; none if they are in it. */
  function arrange(body, rows) {
    if (rows.every((row, i) => body.rows[i] === row)) return;
    const fragment = document.createDocumentFragment();
    fragment.append(...rows);
    body.append(fragment);
  }

  /** Enables the buttons of a header; `click` gets the th. */
  function listen(headers, click) {
    for (const th of headers) {
      const button = th.querySelector('button');
      button.disabled = false;
      button.addEventListener('click', () => click(th));
    }
  }

  function plain(table) {
    const body = table.tBodies[0];
    const headers = [...table.querySelectorAll('th[data-sort]')].filter((th) => th.querySelector('button'));
    const original = [...body.rows];
    listen(headers, (th) => {
      const numeric = th.dataset.sort === 'number';
      const active = th.getAttribute('aria-sort');
      const descending = active ? active === 'ascending' : numeric;
      const value = (row) => {
        const cell = row.cells[th.cellIndex];
        const found = cell.dataset.value ?? cell.textContent.trim();
        return numeric ? parseFloat(found.replace('−', '-')) : found;
      };
      arrange(body, order(original, value, descending));
      mark(headers, th, descending);
      const how = numeric ? (descending ? 'highest first' : 'lowest first') : descending ? 'Z to A' : 'A to Z';
      announce(`sorted by ${nameOf(th)}, ${how}`);
    });
  }

  ready(() => document.querySelectorAll('table.sortable').forEach(plain));
  Object.assign(xleval, { order, mark, announceSort, arrange, listen, sortable: plain });
})();
