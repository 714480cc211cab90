"""What people say about grouping: why it is so, merging, splitting, pins."""
