"""What stages share, and what runs them."""
