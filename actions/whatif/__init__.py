"""Rules tried on what has happened: the replay, its runs and the page of the rules."""
