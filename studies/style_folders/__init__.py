"""Folders of images, one a style: can they be told apart, and what is it that tells them apart?

`options` reads a command line, `folders` finds the styles and splits their images, `looking` gives features and
pixels, `runs` keeps what a run writes, `learning` trains; each sub-command is the file of its name.
"""
