"""What owners take out of what they have earned: asked for, looked at by people, paid out by file."""
