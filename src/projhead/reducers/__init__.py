"""scikit-learn estimators from teacher vectors (n, d) to unit rows (n, k), one file each."""
