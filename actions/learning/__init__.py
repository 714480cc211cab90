"""What came of actions, by signature: what the gate asks of it, page and API."""
