"""The neutral image: the face that style patterns are made with."""
