"""Folders of images, one a style: can they be told apart, and what is it that tells them apart?

`options` says what each sub-command takes, `folders` finds the styles and splits their images; each sub-command is
the file of its name. What other studies need too is in studies/common.
"""
