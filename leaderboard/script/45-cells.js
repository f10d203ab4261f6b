// What cells show besides the mean: the interval, every seed as a dot, or the colour of a heat map.
// Additions stand behind what the server wrote, so that taking them away is enough.
(() => {
  const { make, mean, points, seeds } = xleval;
  const [WIDTH, HEIGHT, EDGE] = [56, 12, 4];
  const STEPS = 9;

  const AT_ONCE = 1000; // cells; more are drawn row by row as they come into sight, or a sort would take half a second

  /** Brings a `Scores` to this mode; a cell is drawn again only if its mode or its column's scale changed. */
  function showCells(scores, mode) {
    scores.drawn ??= new Map();
    scores.observer ??= new IntersectionObserver((seen) =>
      seen.forEach(({ isIntersecting, target }) => isIntersecting && scores.draw(Number(target.dataset.row))),
    );
    scores.observer.disconnect();
    if (scores.mode !== mode) {
      for (const cell of scores.drawn.values()) cell.undo();
      scores.drawn.clear();
      scores.mode = mode;
      for (const name of Object.keys(DRAW)) scores.element.classList.toggle(`cells-${name}`, name === mode);
    }
    scores.draw = mode ? drawer(scores, mode) : () => {};
    const rows = mode ? scores.view.rows[scores.index] : [];
    const few = rows.length * scores.view.languages.length <= AT_ONCE;
    for (const r of rows) few ? scores.draw(r) : scores.observer.observe(scores.rows.get(r));
  }

  function drawer({ columns, data, drawn, index, rows, table, view }, mode) {
    const scales = new Map();
    for (const l of view.languages) if (columns.has(l)) scales.set(l, scaleOf(data, table, view.rows[index], l, mode));
    return (r) => {
      for (const [l, scale] of scales) {
        const key = r * data.languages.length + l;
        const before = drawn.get(key);
        if (before && before.scale === scale.key) continue;
        if (before) before.undo();
        const td = rows.get(r).cells[columns.get(l)];
        drawn.set(key, { scale: scale.key, undo: DRAW[mode](td, data, table, r, l, scale) });
      }
    };
  }

  /** Lowest and highest of a column over the rows shown: of means for a heat map, of seeds for dots. */
  function scaleOf(data, table, rows, l, mode) {
    let [low, high] = [Infinity, -Infinity];
    if (mode === 'interval') return { key: '' };
    for (const r of rows) {
      const found = mode === 'heat' && mean(data, table, r, l);
      for (const value of found ? [found.sum / found.n] : seeds(data, table, r, l).map(([, score]) => score)) {
        low = Math.min(low, value);
        high = Math.max(high, value);
      }
    }
    return { low, high, key: `${low} ${high}` };
  }

  const nothing = () => {};
  const append = (td, element) => {
    td.append(element);
    return () => element.remove();
  };

  const DRAW = {
    interval(td, data, table, r, l) {
      const half = table.half ? table.half[r * data.languages.length + l] : -1;
      if (!(half >= 0)) return nothing;
      return append(td, make('span', { class: 'interval' }, ` ±${points(half)}`));
    },

    heat(td, data, table, r, l, { low, high }) {
      const found = mean(data, table, r, l);
      if (!found) return nothing;
      const part = high > low ? (found.sum / found.n - low) / (high - low) : 0.5;
      const step = `h${Math.min(STEPS - 1, Math.floor(part * STEPS))}`;
      td.classList.add(step);
      return () => {
        td.classList.remove(step);
        if (!td.classList.length) td.removeAttribute('class');
      };
    },

    seeds(td, data, table, r, l, { low, high }) {
      const scores = seeds(data, table, r, l);
      if (!scores.length) return nothing;
      const found = mean(data, table, r, l);
      const x = (value) => (EDGE + (high > low ? (value - low) / (high - low) : 0.5) * (WIDTH - 2 * EDGE)).toFixed(1);
      const svg = PLOT.cloneNode(true);
      const [title, dots, line] = svg.childNodes;
      const each = scores.map(([seed, score]) => `seed ${seed}: ${points(score)}`).join(', ');
      title.textContent = `${each}; mean ${points(found.sum, found.n)}`;
      dots.setAttribute('d', scores.map(([, score]) => `M${x(score)} ${HEIGHT / 2}h0`).join(''));
      line.setAttribute('d', `M${x(found.sum / found.n)} 1v${HEIGHT - 2}`);
      return append(td, svg);
    },
  };

  // All dots of a cell are one path of points with round ends: thousands of circles would be slow.
  const PLOT = make(
    'svg',
    { class: 'seeds', role: 'img', width: WIDTH, height: HEIGHT, viewBox: `0 0 ${WIDTH} ${HEIGHT}` },
    make('title'),
    make('path', { class: 'dots', stroke: 'currentColor', 'stroke-width': 4, 'stroke-linecap': 'round', 'stroke-opacity': 0.5 }),
    make('path', { class: 'mean', stroke: 'currentColor', 'stroke-width': 1.5 }),
  );

  // Paper shows all rows.
  addEventListener('beforeprint', () => {
    const { tables, view } = xleval.current ?? { tables: [] };
    for (const scores of tables) view.rows[scores.index].forEach((r) => scores.draw(r));
  });

  xleval.showCells = showCells;
})();
