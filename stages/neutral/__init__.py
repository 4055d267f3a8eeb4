"""The neutral image: the face that style patterns show."""
