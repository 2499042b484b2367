"""What studies share: command lines, output folders, training that resumes exactly, what networks see, pictures."""
