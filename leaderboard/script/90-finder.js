// The search of the index: every word must stand somewhere in what a row is found by.
(() => {
  const { fold, readHash, ready, words, writeHash } = xleval;

  ready(() => {
    const input = document.getElementById('find');
    if (!input) return;
    const rows = [...document.querySelectorAll('table.finder tbody tr[data-find]')].map((tr) => [tr, fold(tr.dataset.find)]);
    const output = document.getElementById('found');

    function show() {
      const wanted = words(input.value);
      let count = 0;
      for (const [tr, text] of rows) {
        tr.hidden = !wanted.every((word) => text.includes(word));
        if (!tr.hidden) count++;
      }
      if (output) output.textContent = wanted.length ? `${count} of ${rows.length}` : '';
    }

    function read() {
      const state = readHash();
      if (!state) return;
      input.value = state.get('q') ?? '';
      show();
    }

    input.addEventListener('input', () => {
      show();
      writeHash(input.value.trim() ? { q: input.value } : {});
    });
    addEventListener('hashchange', read);
    read();
  });
})();
