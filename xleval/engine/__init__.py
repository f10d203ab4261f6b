"""The engine: makes the missing artifacts of a plan. The only part of xleval that imports torch."""
