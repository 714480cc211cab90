"""Measurements as ratios: both sides interleaved, the median of three. See `python -m bench`."""
