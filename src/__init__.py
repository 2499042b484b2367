"""The rooms of the toolkit; only the scripts above this folder join them."""
