"""The leaderboard's entries: results that somebody contributed, checked, and placed where the site finds them."""
