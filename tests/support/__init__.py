"""What several tests share: videos, features, heads and servers that they make, and ways to look at results."""
