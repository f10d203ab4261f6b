// The task page: controls, address and tables hold one state.
(() => {
  const { Scores, announce, copy, permalink, plural, ready, readHash, showCells, view, writeHash } = xleval;

  ready(() => {
    const form = document.getElementById('filters');
    const elements = [...document.querySelectorAll('table.scores')];
    const [data] = xleval.files.values(); // a task page reads one file
    if (!form || !elements.length || !data) return;

    const controls = [...form.elements].filter((control) => control.name);
    const normal = new Map(controls.map((control) => [control.name, control.value]));
    const tables = elements.map((element) => new Scores(element, data, () => update()));
    const query = () => Object.fromEntries(controls.map((control) => [control.name, control.value]));

    /** The state of the page; what is not the default. */
    function state() {
      const found = new URLSearchParams();
      for (const control of controls) if (control.value !== normal.get(control.name)) found.set(control.name, control.value);
      for (const table of tables) table.write(found);
      return found;
    }

    function read(from) {
      for (const control of controls) {
        control.value = from.get(control.name) ?? normal.get(control.name);
        if (control.selectedIndex === -1) control.value = normal.get(control.name); // no such option
      }
      for (const table of tables) table.read(from);
      show();
    }

    function show() {
      const now = view(data, query());
      for (const table of tables) {
        table.show(now);
        showCells(table, query().cells || '');
      }
      const output = document.getElementById('shown');
      if (output) output.textContent = counts(data, now);
      xleval.current = { data, tables, view: now, query: query(), state: state() };
    }

    function update() {
      show();
      writeHash(state());
    }

    // A form without its defaults reads the same after "back": the browser would fill in what was typed.
    form.reset();
    for (const control of controls) normal.set(control.name, control.value);
    form.addEventListener('input', update);
    form.addEventListener('submit', (event) => event.preventDefault());
    form.addEventListener('reset', (event) => {
      event.preventDefault();
      read(new URLSearchParams());
      writeHash('');
      announce('all filters are off');
    });
    addEventListener('hashchange', () => {
      const found = readHash();
      if (found) read(found);
    });
    const link = document.getElementById('permalink');
    if (link) link.addEventListener('click', () => copy(permalink(state()), link));
    read(readHash() || new URLSearchParams());
  });

  /** "8 of 19 strategies, 5 of 8 languages" */
  function counts(data, now, tables = data.tables) {
    const sum = (numbers) => numbers.reduce((a, b) => a + b, 0);
    const rows = sum(now.rows.map((some) => some.length));
    const all = sum(tables.map((table) => table.rows.length));
    return `${rows} of ${plural(all, 'strategy')}, ${now.languages.length} of ${plural(data.languages.length, 'language')}`;
  }

  xleval.counts = counts;
})();
