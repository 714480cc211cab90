"""`make faults`: processes killed and stopped in the middle of sending; see docs/performance.md."""
