"""Tests of the simulator; they need no database, only loopback."""
