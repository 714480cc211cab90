"""Calling people [A6]: whom, when and how often, and what became of each call.

schedule   pure: which calls a policy means, and when a call is not needed any more
services   an escalation's calls, written as pages that come due
sending    stage `page`: claim, call, record; at least once, with one key
courier    a program of its own that makes the call, for it runs other people's code
"""
