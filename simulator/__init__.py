"""A small stand-alone workflow engine that knows AWFDRS only by HTTP.

It is the demo (runs and failures that tell a story), the drill (scripted failures with a known
expected outcome and a ledger of every request received) and the load (replay of log files) in one.
It imports nothing of the project.
"""
