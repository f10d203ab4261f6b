"""Comparisons of strategies from records: which differ, by how much, and how sure that is over new seeds and items.

``measured.py`` reads the counts behind a table, ``standing.py`` finds the strategies that are tied with the best,
``versus.py`` compares each strategy with a baseline, ``published_terms.py`` does so as papers have. All statistics are
in ``xleval.stats``; what is printed is in ``xleval.report``.
"""
