"""Tests, in the packages of src; here what several of them use."""

from pathlib import Path

ROOT = Path(__file__).parents[1]
