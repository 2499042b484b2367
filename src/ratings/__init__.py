"""Choices and the ratings fitted to them: the comparisons database, Elo, Bradley-Terry, which pair next."""
