// A forest plot: each difference on its interval, the line of no difference, the average as a diamond below.
// Filled marks are told apart after correction, hollow ones are not, a bare tick was not tested.
(() => {
  const { make, signed } = xleval;
  const [ROW, TOP, AXIS] = [22, 24, 46];
  const FONT = 13;

  /** Rows as `compared` gives them, the average last. */
  function forest(rows, [a, b], width) {
    const last = rows.length - 1;
    const left = Math.min(0.4 * width, 20 + 0.56 * FONT * Math.max(...rows.map(({ name }) => name.length)));
    const bottom = TOP + ROW * rows.length + 10;
    const [low, high] = limits(rows);
    const x = (value) => left + 8 + ((value - low) / (high - low)) * (width - left - 24);
    const y = (i) => TOP + ROW * (i + 0.5) + (i === last ? 6 : 0);
    const svg = make('svg', {
      class: 'forest', role: 'img', width, height: bottom + AXIS, viewBox: `0 0 ${width} ${bottom + AXIS}`, 'font-size': FONT,
      'aria-label': `Forest plot of ${a} minus ${b}, language by language; its numbers are in the table.`,
    });
    const line = (name, x1, y1, x2, y2) =>
      svg.append(make('line', { class: name, x1, y1, x2, y2, stroke: 'currentColor' }));
    const text = (name, at, down, anchor, content) =>
      svg.append(make('text', { class: name, x: at, y: down, 'text-anchor': anchor, fill: 'currentColor' }, content));

    const step = stepOf(high - low, (width - left) / 70);
    for (let i = Math.ceil(low / step); i * step <= high; i++) {
      const tick = i * step;
      line('grid', x(tick), TOP, x(tick), bottom);
      text('tick', x(tick), bottom + 16, 'middle', step % 10000 ? signed(tick) : signed(tick).slice(0, -2));
    }
    line('zero', x(0), TOP - 6, x(0), bottom);
    text('side', x(0) - 8, TOP - 10, 'end', '← below');
    if (x(0) + 68 < width) text('side', x(0) + 8, TOP - 10, 'start', 'above →'); // else nothing is above
    text('axis', (left + width) / 2, bottom + 36, 'middle', 'points');
    line('rule', 0, y(last) - ROW / 2 - 3, width, y(last) - ROW / 2 - 3);
    rows.forEach((row, i) => {
      text('label', left - 4, y(i) + 4, 'end', fitted(row.name, left));
      if (row.estimate !== null) draw(svg, row, i === last, x, y(i), line);
    });
    return svg;
  }

  function draw(svg, { estimate, half, mark }, average, x, y, line) {
    const known = half !== null;
    const state = mark === 'not tested' ? 'untested' : mark === 'not told apart' ? 'hollow' : 'filled';
    const fill = state === 'filled' ? 'currentColor' : 'none';
    const look = { class: `point ${state}`, stroke: 'currentColor', 'stroke-width': 1.5, fill };
    if (average && known) {
      const corners = [[x(estimate - half), y], [x(estimate), y - 7], [x(estimate + half), y], [x(estimate), y + 7]];
      svg.append(make('polygon', { ...look, class: `average ${state}`, points: corners.map((at) => at.join()).join(' ') }));
      return;
    }
    // A hollow mark is open in every theme only if the line stops at it.
    const gap = state === 'hollow' ? 4 : 0;
    if (known) {
      for (const [from, to] of [[estimate - half, x(estimate) - gap], [estimate + half, x(estimate) + gap]]) {
        if (Math.abs(x(from) - x(estimate)) > gap) line('interval', x(from), y, to, y);
      }
    }
    if (state === 'untested') line('point untested', x(estimate), y - 5, x(estimate), y + 5);
    else svg.append(make('circle', { ...look, cx: x(estimate), cy: y, r: 4 }));
  }

  function limits(rows) {
    const ends = rows.filter(({ estimate }) => estimate !== null).flatMap(({ estimate, half }) => [estimate - half, estimate + half]);
    const [low, high] = [Math.min(0, ...ends), Math.max(0, ...ends)];
    const around = 0.04 * (high - low) || 1e4;
    return [low - around, high + around];
  }

  /** A round step that gives at most `count` ticks; a tenth of a point at the least. */
  function stepOf(span, count) {
    const wanted = span / Math.max(2, count);
    const power = 10 ** Math.floor(Math.log10(wanted));
    return Math.max(1000, [1, 2, 5, 10].map((times) => times * power).find((size) => size >= wanted));
  }

  const fitted = (name, left) => {
    const room = Math.floor((left - 8) / (0.56 * FONT));
    return name.length > room ? `${name.slice(0, Math.max(1, room - 1))}…` : name;
  };

  xleval.forest = forest;
})();
