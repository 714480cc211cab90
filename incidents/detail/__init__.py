"""What the page of one incident tells beside its facts: story, curve, what failed with it."""
