"""Studies: what can be found out with the toolkit's packages, told in code that is meant to be read."""
