"""Losses: plain functions of tensors, one value a row, masked where clips differ in length."""
