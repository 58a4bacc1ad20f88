"""The model hub: folders of projhead go there and come back."""
