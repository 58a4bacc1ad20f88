"""What a setting may be: ranges, and the check of settings against the signature of what takes them."""
