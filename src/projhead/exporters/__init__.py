"""Write a student, or a head alone, for other tools; one format a file."""
