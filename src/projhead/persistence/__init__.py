"""Files whole or absent, records, and class names on disk."""
