"""The options, in groups: a file for each part of the toolkit."""
