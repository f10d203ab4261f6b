// A table as CSV, Markdown and LaTeX, and the dialog that shows it.
//
// {name, title, notes: [text], link, csv: {head, rows}, shown: {head, rows, left: columns of text}}
// Cells are strings; in `shown.rows` they may be {text, bold}.
(() => {
  const { commit, copy, ready } = xleval;
  const oneLine = (text) => String(text).replace(/[\u0000-\u001f\u007f\u2028\u2029]+/g, ' ').trim();
  const cellText = (cell) => oneLine(cell.text ?? cell);
  const isBold = (cell) => cell.bold === true; // strings have a method of this name
  const caption = ({ title, notes }) => [title, ...notes].map(oneLine).filter(Boolean).join('; ');

  /** Spreadsheets run a text that begins like a formula: ' keeps it a text. Numbers stay numbers. */
  function csvField(value) {
    const text = oneLine(value);
    const safe = /^[=+\-@]/.test(text) && !/^-?\d+(\.\d+)?$/.test(text) ? `'${text}` : text;
    return /[",;#']/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
  }

  function csv(table) {
    // No separators in the comment: a spreadsheet would make cells of it.
    const about = [caption(table), table.link.replaceAll(',', '%2C'), commit() && `commit ${commit()}`];
    const comment = `# ${about.filter(Boolean).join(' | ').replace(/\s*;\s*/g, ' | ').replace(/[,"]\s*/g, ' ')}`;
    const lines = [table.csv.head, ...table.csv.rows].map((row) => row.map(csvField).join(','));
    return [comment, ...lines].join('\n') + '\n';
  }

  const escapeMarkdown = (text) => text.replace(/[\\`*_[\]|~&]/g, '\\$&').replaceAll('<', '&lt;').replaceAll('>', '&gt;');

  function markdown(table) {
    const { head, rows, left } = table.shown;
    const cell = (one) => (isBold(one) ? `**${escapeMarkdown(cellText(one))}**` : escapeMarkdown(cellText(one)));
    const line = (row) => `| ${row.map(cell).join(' | ')} |`;
    const about = [`**${escapeMarkdown(caption(table))}**`, `<${table.link}>`, commit() && `commit ${escapeMarkdown(commit())}`];
    const rule = `|${head.map((_, i) => (i < left ? ':--' : '--:')).join('|')}|`;
    return [about.filter(Boolean).join(' · '), '', line(head), rule, ...rows.map(line)].join('\n') + '\n';
  }

  const LATEX = {
    '\\': '\\textbackslash{}', '~': '\\textasciitilde{}', '^': '\\textasciicircum{}', '–': '--', '−': '$-$',
    '±': '$\\pm$', '×': '$\\times$', '<': '$<$', '>': '$>$', '|': '$|$',
    '"': "''", '“': '``', '”': "''", '…': '\\dots{}',
  };
  for (const character of '&%$#_{}') LATEX[character] = `\\${character}`;
  const escapeLatex = (text) => [...text].map((character) => LATEX[character] ?? character).join('');

  function latex(table) {
    const { head, rows, left } = table.shown;
    const cell = (one) => (isBold(one) ? `\\textbf{${escapeLatex(cellText(one))}}` : escapeLatex(cellText(one)));
    // {} keeps a [ or * that begins a row from being the argument of the \\ before it.
    const line = (row) => `${row.map(cell).join(' & ').replace(/^(?=[[*])/, '{}')} \\\\`;
    const made = commit() ? ` (commit ${escapeLatex(commit())})` : '';
    return [
      '% needs the packages booktabs and url (or hyperref)',
      // # and % may stand in an address only where it is no argument, hence not in \caption itself.
      `\\urldef{\\xlevalview}\\url{${table.link}}`,
      '\\begin{table}',
      '\\centering',
      `\\caption[${escapeLatex(oneLine(table.title))}]{${escapeLatex(caption(table))}. \\protect\\xlevalview${made}}`,
      `\\begin{tabular}{${head.map((_, i) => (i < left ? 'l' : 'r')).join('')}}`,
      '\\toprule',
      line(head),
      '\\midrule',
      ...rows.map(line),
      '\\bottomrule',
      '\\end{tabular}',
      '\\end{table}',
    ].join('\n') + '\n';
  }

  const FORMATS = {
    csv: { write: csv, name: 'CSV', ending: 'csv', type: 'text/csv' },
    markdown: { write: markdown, name: 'Markdown', ending: 'md', type: 'text/markdown' },
    latex: { write: latex, name: 'LaTeX', ending: 'tex', type: 'application/x-tex' },
  };

  function open(format, table) {
    const { write, name, ending, type } = FORMATS[format];
    const dialog = document.getElementById('export');
    const text = write(table);
    dialog.querySelector('h2').textContent = name;
    const area = dialog.querySelector('textarea');
    area.value = text;
    const download = document.getElementById('download');
    if (download.href) URL.revokeObjectURL(download.href);
    download.href = URL.createObjectURL(new Blob([text], { type: `${type};charset=utf-8` }));
    download.download = `${table.name}.${ending}`;
    dialog.showModal();
    area.scrollTop = 0;
  }

  /** Buttons with data-export within `where` open what `table` makes at that moment. */
  function exports(where, table) {
    for (const button of where.querySelectorAll('button[data-export]')) {
      button.addEventListener('click', () => open(button.dataset.export, table()));
    }
  }

  ready(() => {
    const button = document.getElementById('copy');
    if (button) button.addEventListener('click', () => copy(document.querySelector('#export textarea').value, button));
  });

  Object.assign(xleval, { exports, FORMATS });
})();
