"""The promises that must hold at every moment, each checked against what the database says."""
