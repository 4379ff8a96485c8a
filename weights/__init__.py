"""Pretrained weights: where they come from, and what loads them."""
