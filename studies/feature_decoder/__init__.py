"""What do features still hold? A decoder from the features of an image model back to pictures.

`options` says what each sub-command takes, `seeing` gives features and pixels, `decoder` and `losses` are what is
trained and by what, `judging` says how near a picture comes; each sub-command is the file of its name.
"""
