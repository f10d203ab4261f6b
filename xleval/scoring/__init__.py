"""Predictions and gold → integer counts per item → scores. Needs no torch and loads no model."""

from xleval.scoring.score import Scored, primary_score, score
from xleval.scoring.scorers import scorer_of

__all__ = ["Scored", "primary_score", "score", "scorer_of"]
