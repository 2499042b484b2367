"""What several packages name alike, without what it stands for: here nothing waits for numpy."""

SEED = 42  # where all random numbers start, unless a person says otherwise
METRIC_NAMES = ("mse", "wmse", "nll", "ab", "spearman", "pearson", "accuracy", "choices")
