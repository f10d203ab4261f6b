"""Predictions and gold → integer counts per item → scores. Needs no torch and loads no model."""

from xleval.scoring.score import Scored, primary_score, score

__all__ = ["Scored", "primary_score", "score"]
