"""The kinds of connector there are: one module each, found by being here [A7]."""
