"""Compare candidates with baselines, and plan."""
