"""The leaderboard as static pages: records and printed numbers in, a folder of HTML out."""
