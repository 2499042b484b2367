"""The local web page of the A/B scorer: one person, one page, served on this computer."""
