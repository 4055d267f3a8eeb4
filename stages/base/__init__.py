"""What stages share."""
