"""Projection heads: torch modules from teacher width d to reduced width k, one file each.

A head has ``in_features`` and ``out_features``, keeps every constructor argument as an attribute of the same
name, starts from a linear map through ``initialize(weight, bias)``, can be cut to its first outputs by ``prefix(k)``,
taken back toward its start by ``blended(weight, share)`` and written as stock layers through ``to_sequential()``. It
imports nothing else of projhead.
"""
