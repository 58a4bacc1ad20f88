"""Send folders to the model hub, and fetch them."""
