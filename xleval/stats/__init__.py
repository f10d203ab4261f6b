"""Statistics: pure functions on integer count arrays, no I/O, no torch."""
