"""Measurements that any encoder can take, one file each: values per item, so that intervals can be drawn."""
