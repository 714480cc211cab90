"""Recovery plans: several steps, verified at the end, undone in reverse where that fails [A2 A3].

document   a plan as written (YAML) and as frozen data
expression what a step's parameters may take from the incident
drawing    a plan as a picture, forwards and backwards
engine     what happens next: a pure function of the plan and of its attempts so far
"""
