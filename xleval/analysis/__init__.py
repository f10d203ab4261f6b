"""The papers' analyses: pure functions from records and arrays to tables, JSON and figures (``docs/analyses.md``)."""
