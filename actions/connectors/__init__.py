"""The ways out to other systems: an address, what it needs to know, and a sealed secret [A7]."""
