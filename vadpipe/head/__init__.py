"""CBCG."""
