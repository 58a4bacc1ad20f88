"""A student, or a head alone, in forms that other tools load; one form a file."""
