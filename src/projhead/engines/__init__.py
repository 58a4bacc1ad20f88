"""Where a function is applied to many items: in this process, or on other machines."""
