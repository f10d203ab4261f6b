// Light and dark: the system's, until somebody chooses.
(() => {
  const KEY = 'xleval-theme';
  const page = document.documentElement;
  const system = matchMedia('(prefers-color-scheme: dark)');

  const stored = () => {
    try {
      return localStorage.getItem(KEY); // throws where storage is blocked
    } catch {
      return null;
    }
  };
  const isDark = () => (page.dataset.theme ? page.dataset.theme === 'dark' : system.matches);

  // Before the page is there, so that it is not drawn in the other theme first.
  if (['light', 'dark'].includes(stored())) page.dataset.theme = stored();

  xleval.ready(() => {
    const button = document.getElementById('theme');
    if (!button) return;
    const show = () => button.setAttribute('aria-pressed', isDark());
    button.hidden = false;
    button.addEventListener('click', () => {
      page.dataset.theme = isDark() ? 'light' : 'dark';
      try {
        localStorage.setItem(KEY, page.dataset.theme);
      } catch {
        // The choice lasts as long as the page.
      }
      show();
    });
    system.addEventListener('change', show);
    show();
  });
})();
