"""Where random numbers start, unless a person says otherwise."""

SEED = 42
