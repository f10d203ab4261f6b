'use strict';
// The script of the site: the files of this folder in the order of their names, one classic script without
// dependencies. Pages are complete without it; it adds sorting, filters, exports and comparisons.
//
// Strings in the data are anybody's: they reach the page as text nodes and attributes, never as markup.
// Scores are integers, a millionth each, so that a mean is exact until it is rounded and printed.

window.xleval = (() => {
  const root = document.documentElement.dataset.root || '';
  const files = new Map();

  /** Called by data/<page>.js and data/<page>.pairs-<n>.js: the only way in that works on file:// as well. */
  const data = (page, found) => files.set(page, found);
  const pairs = (page, backbone, found) => files.set(`${page}.pairs-${backbone}`, found);

  /** A data file by name, without its ending; loaded once. */
  const load = (name) =>
    new Promise((resolve, reject) => {
      if (files.has(name)) return resolve(files.get(name));
      const path = `${root}data/${encodeURIComponent(name)}.js`;
      const failed = () => reject(new Error(`${path} could not be loaded.`));
      const script = make('script', { src: path });
      script.onload = () => (files.has(name) ? resolve(files.get(name)) : failed());
      script.onerror = failed;
      document.head.append(script);
    });

  const ready = (start) => {
    if (document.readyState === 'complete') start();
    else document.addEventListener('DOMContentLoaded', start);
  };

  const SVG = new Set(['svg', 'g', 'path', 'line', 'circle', 'polygon', 'text', 'title', 'rect']);
  function make(tag, attributes = {}, ...children) {
    const element = SVG.has(tag) ? document.createElementNS('http://www.w3.org/2000/svg', tag) : document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
    element.append(...children);
    return element;
  }

  const announce = (text) => {
    const region = document.getElementById('announce');
    if (region) region.textContent = text;
  };

  /** What stands after # as parameters. `#cite` is a place on the page, not a state: null. */
  const readHash = () => {
    const hash = location.hash.slice(1);
    return hash && !hash.includes('=') ? null : new URLSearchParams(hash);
  };
  const hashOf = (state) => {
    const text = new URLSearchParams(state).toString().replaceAll('%2C', ',');
    return text && `#${text}`;
  };
  const writeHash = (state) => {
    try {
      history.replaceState(null, '', hashOf(state) || location.pathname + location.search);
    } catch {
      // Browsers refuse after some hundred changes a minute: the view is right, the address follows later.
    }
  };

  /** The address of a state: on the published site if the page knows it, else where the page was opened. */
  const permalink = (state) => {
    const known = document.querySelector('meta[name="xleval-url"]');
    const base = new URL((known && known.content) || location.href, location.href).href.split('#')[0];
    return (base + hashOf(state)).replace(/[\s<>"\\^`{|}]/g, encodeURIComponent);
  };
  const commit = () => {
    const known = document.querySelector('meta[name="xleval-commit"]');
    return known ? known.content : '';
  };

  /** For search: without case and accents, so that "yoruba" finds "Yorùbá". */
  const fold = (text) => text.normalize('NFD').replace(/\p{M}/gu, '').toLowerCase();
  const words = (text) => fold(text).split(/[,\s]+/).filter(Boolean);

  /** sum / n in units of `step` millionths, half up; exact, as all are integers. */
  const rounded = (sum, n, step) => Math.floor((2 * sum + step * n) / (2 * step * n));
  const points = (sum, n = 1) => (rounded(sum, n, 1000) / 10).toFixed(1).replace('-', '−');
  const hundredths = (sum, n = 1) => (rounded(sum, n, 100) / 100).toFixed(2);
  /** A difference reads the same from both sides: 0.25 and −0.25 round away from zero. */
  const signed = (value) => {
    const text = points(Math.abs(value));
    return text === '0.0' ? text : (value < 0 ? '−' : '+') + text;
  };
  const interval = (sum, n, half) => `[${points(sum - half * n, n)}, ${points(sum + half * n, n)}]`;

  const plural = (n, word) => `${n} ${n === 1 ? word : `${word.replace(/y$/, 'ie')}s`}`;

  async function copy(text, button) {
    let done = true;
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      const area = make('textarea', { readonly: '' });
      area.value = text;
      button.after(area); // inside an open dialog, where it can have the focus
      area.select();
      done = document.execCommand('copy');
      area.remove();
      button.focus();
    }
    // The button itself says so: the live region is out of reach while a dialog is open.
    const label = (button.dataset.label ??= button.textContent);
    button.textContent = done ? 'Copied' : 'Copying was refused';
    announce(button.textContent);
    setTimeout(() => (button.textContent = label), 2000);
  }

  ready(() => {
    for (const element of document.querySelectorAll('.js-only')) element.hidden = false;
    for (const button of document.querySelectorAll('button.copy')) {
      button.addEventListener('click', () => copy(document.getElementById(button.dataset.copy).textContent.trim(), button));
    }
  });

  return {
    root, files, data, pairs, load, ready, make, announce, readHash, writeHash, permalink, commit, fold, words,
    plural, points, hundredths, signed, interval, copy,
  };
})();
