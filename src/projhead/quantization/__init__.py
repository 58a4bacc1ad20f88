"""Networks in fewer bits."""
