"""Load a store into a database; one database a file."""
