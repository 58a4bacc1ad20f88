"""What lies on disk: files whole or absent, records, the names of our classes."""
